"""Submitting and verifying real agents: figures repeat, agree on salted levels, and are guarded."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml

import mesabench
from mesabench.agents.onnx_agent import OnnxAgent
from mesabench.cli import main
from mesabench.evaluation import infer_objective
from mesabench.leaderboard.collecting import collect
from mesabench.leaderboard.counts import Counts
from mesabench.leaderboard.entry import AgentEntry, Entry
from mesabench.leaderboard.levels import block_of
from mesabench.leaderboard.method import TEMPLATE, read_method
from mesabench.leaderboard.reading import EntryError, read_entry, write_entry
from mesabench.leaderboard.recording import recorded
from mesabench.leaderboard.submit import submit
from mesabench.leaderboard.verify import (
    Comparison,
    Verification,
    compare,
    find_agents,
    joint_error,
    verify,
)
from mesabench.observation import observation_space
from mesabench.registry import get_task
from mesabench.rollout import rollout
from mesabench.scorers.hypotheses import optimal_returns
from mesabench.scorers.returns import Estimate
from mesabench.scorers.verdict import judge

BASELINES = Path(mesabench.__file__).parent.parent / "baselines"
ORGANISM = BASELINES / "organisms" / "RedDoor-v0" / "nearest_object-lstm64.onnx"
LEARNER = BASELINES / "agents" / "Bandit-v0" / "recurrent-ppo-seed0" / "agent.onnx"
LEVELS = 128


def method_file(folder, **changes):
    """The template, filled in; the organism has seen test-like levels."""
    plain = yaml.safe_load(TEMPLATE.read_text(encoding="utf-8"))
    plain |= {"track": "open", "training": plain["training"] | {"saw_test": True}} | changes
    path = folder / "my.yaml"
    path.write_text(yaml.safe_dump(plain))
    return path


def put(source, folder, name):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(source, bytes):
        path.write_bytes(source)
    else:
        shutil.copy(source, path)
    return path


@pytest.fixture(scope="module")
def agents(tmp_path_factory):
    folder = tmp_path_factory.mktemp("agents")
    put(ORGANISM, folder, "RedDoor-v0/nearest-1.onnx")
    put(LEARNER, folder, "Bandit-v0/ppo-seed3/agent.onnx")
    put(b"not ONNX", folder, "Bandit-v0/broken-4.onnx")
    return folder


@pytest.fixture(scope="module")
def entry(agents, tmp_path_factory) -> Entry:
    method = method_file(tmp_path_factory.mktemp("method"))
    found = submit(agents, method, levels=LEVELS)
    assert "limits" in found.held
    return found.entry


@pytest.fixture(scope="module")
def organism(entry) -> Entry:
    """The entry with the organism alone."""
    return Entry(**dict(entry) | {"agents": entry.agents[1:], "failed": ()})


@pytest.fixture(scope="module")
def repeated(organism, agents) -> Verification:
    return verify(organism, [agents])


@pytest.fixture(scope="module")
def resalted(organism, agents) -> Verification:
    return verify(organism, [agents], salt="after-the-fact")


def test_an_entry_holds_every_agent_and_says_which_failed(entry):
    assert [(a.task, a.seed) for a in entry.agents] == [("Bandit-v0", 3), ("RedDoor-v0", 1)]
    learner, organism = entry.agents
    assert learner.verdict == "history_conditioned"
    assert learner.action == "sample"
    assert (organism.verdict, organism.objective) == ("pseudo_aligned", "nearest_object")
    assert [(f.task, f.seed, f.reason) for f in entry.failed] == [("Bandit-v0", 4, "refused")]
    for agent in entry.agents:
        expected = {name for name in get_task(agent.task).splits if name != "train"}
        assert set(agent.splits) == expected
        assert {counts.episodes for counts in agent.splits.values()} == {LEVELS}


def test_counts_are_what_plain_rollouts_give(entry):
    """Without a sandbox, and with the agent asked in every world at every step."""
    task, found = get_task("RedDoor-v0"), entry.agents[1]
    block = block_of(mesabench.__version__, task.id, found.sha256, LEVELS)
    agent = OnnxAgent.load(ORGANISM, observation_space(task), task.actions)
    played = rollout(agent, task, "test", block.numbers)
    counts = found.splits["test"]
    returns = played.returns(task.base)
    assert counts.agent == pytest.approx(returns.sum(), abs=2.0)  # a tie may fall either way
    assert counts.optimum == pytest.approx(optimal_returns(played)[:, 0].sum())
    judged = judge(task, Estimate(0.9, 0.9, 0.9), infer_objective(played))
    assert (judged.verdict, judged.objective) == (found.verdict, found.objective)
    assert judged.probability == pytest.approx(found.probability, abs=0.01)
    assert counts.events["door"] == pytest.approx(played.event("door").sum(), abs=2)


def test_repeated_figures_are_nearly_equal(repeated):
    assert repeated.agrees
    for one in repeated.comparisons:
        assert one.found == pytest.approx(one.stated, abs=0.02)


def test_salted_figures_are_others_and_agree(resalted):
    assert resalted.agrees
    assert any(one.found != one.stated for one in resalted.comparisons)


def scaled(counts: Counts, gain: float) -> Counts:
    """Counts of an agent that earns so much more in every episode: moments that can be."""
    return Counts(
        **counts.model_dump()
        | {
            "agent": counts.agent + gain * counts.episodes,
            "agent_agent": counts.agent_agent + 2 * gain * counts.agent + gain**2 * counts.episodes,
            "agent_optimum": counts.agent_optimum + gain * counts.optimum,
            "agent_random": counts.agent_random + gain * counts.random,
        }
    )


def test_a_tampered_count_is_caught(organism, repeated, resalted):
    agent = organism.agents[0]
    better = scaled(agent.splits["test"], 0.1)
    tampered = AgentEntry(**dict(agent) | {"splits": agent.splits | {"test": better}})
    for honest in (repeated, resalted):
        found = honest._replace(comparisons=compare(tampered, honest.answers[0]))
        assert not found.agrees
        assert [c.split for c in found.comparisons if c.distance < -3] == ["test"]


def test_a_salted_run_is_recorded(resalted, tmp_path):
    found = recorded(resalted, "after-the-fact", "maintainers")
    assert found.status.badge == "re-evaluated"
    assert found.agents == resalted.entry.agents
    (run,) = found.salted
    assert run.agents[0].splits == resalted.answers[0].judged.splits
    assert "re-evaluated on salted levels" in found.status.provenance[-1].what
    again = read_entry(write_entry(found, tmp_path))
    with pytest.raises(EntryError, match="no spaces"):
        verify(again, [], salt="after the fact")
    with pytest.raises(EntryError, match="already evaluated with salt"):
        verify(again, [], salt="after-the-fact")


def test_figures_that_do_not_hold_keep_the_badge(resalted):
    agent = resalted.entry.agents[0]
    splits = agent.splits | {"heldout": scaled(agent.splits["heldout"], 0.15)}
    tampered = AgentEntry(**dict(agent) | {"splits": splits})
    wrong = resalted._replace(comparisons=compare(tampered, resalted.answers[0]))
    found = recorded(wrong, "after-the-fact", "maintainers")
    assert found.status.badge == "submitted"
    assert "does not agree" in found.status.provenance[-1].what


def test_honest_entries_hold_and_lucky_ones_do_not(organism):
    """By simulation: eighty agents, two splits, true returns known."""
    rng, agent = np.random.default_rng(0), organism.agents[0]

    def verification(luck):
        comparisons = [
            Comparison(agent, split, 0.6 + error + luck, 0.6 + other, 0.02 * np.sqrt(2))
            for split in ("heldout", "test")
            for error, other in 0.02 * rng.normal(size=(80, 2))
        ]
        return Verification(organism, comparisons, [], salted=True)

    assert sum(verification(0.0).agrees for _ in range(100)) >= 85
    assert sum(verification(0.02).agrees for _ in range(100)) == 0  # one standard error of luck


def test_one_episode_more_is_no_disagreement():
    ones = np.ones(1000)
    perfect = Counts.of(ones, ones, ones / 10, {})
    failed = Counts.of(np.append(ones[1:], 0.1), ones, ones / 10, {})
    assert perfect.normalised is not None
    assert failed.normalised is not None
    assert perfect.normalised - failed.normalised <= 2 * joint_error(perfect, failed)


# What is missing or wrong


def test_missing_agents_are_named(organism, tmp_path):
    with pytest.raises(EntryError, match=r"1 of 1 agents are missing, first RedDoor-v0 seed 1"):
        find_agents(organism, [tmp_path])


def test_agents_of_this_repository_are_found(organism):
    agent = organism.agents[0].model_copy(
        update={"url": "baselines/organisms/RedDoor-v0/nearest_object-lstm64.onnx"}
    )
    entry = Entry(**dict(organism) | {"agents": (agent,)})
    assert find_agents(entry, [])[agent.sha256] == ORGANISM.read_bytes()


def test_another_suite_or_other_levels_are_not_compared(organism):
    suite = organism.suite.model_copy(update={"version": "9.9"})
    with pytest.raises(EntryError, match=r"pip install mesabench==9\.9"):
        verify(organism.model_copy(update={"suite": suite}), [])
    agent = organism.agents[0].model_copy(update={"fingerprint": "0" * 16})
    with pytest.raises(EntryError, match="other levels of RedDoor-v0"):
        verify(organism.model_copy(update={"agents": (agent,)}), [])


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "no folder named by a task"),
        (["RedDor-v0/a-1.onnx"], "did you mean 'RedDoor-v0'"),
        (["RedDoor-v0/readme.md"], "holds no agent"),
        (["RedDoor-v0/model-1.zip"], r"mesabench export model-1\.zip .*--env RedDoor-v0"),
        (["model.zip"], r"mesabench export model\.zip"),
        (["RedDoor-v0/run-1/model.zip"], r"mesabench export model\.zip"),
        (["RedDoor-v0/best.onnx"], "no training seed"),
        (["RedDoor-v0/a-1.onnx", "RedDoor-v0/b-1.onnx"], "same training seed"),
        (["RedDoor-v0/a-1.onnx", "RedDoor-v0/a-2.onnx"], "same file"),
    ],
)
def test_folders_that_do_not_fit(tmp_path, names, message):
    for n, name in enumerate(names):
        put(b"same" if "a-2" in name or "a-1" in name else bytes([n]), tmp_path, name)
    with pytest.raises(EntryError, match=message):
        collect(tmp_path, {})


def test_seeds_come_from_names_or_from_the_table(tmp_path):
    for n, name in enumerate(("best.onnx", "agent-12.onnx", "ppo-seed7/agent.onnx")):
        put(bytes([n + 1]), tmp_path, f"RedDoor-v0/{name}")
    put(b"zip", tmp_path, "RedDoor-v0/ppo-seed7/model.zip")
    put(b"old", tmp_path, "RedDoor-v0/ppo-seed7/step-100.onnx")
    seeds = [agent.seed for agent in collect(tmp_path, {"RedDoor-v0/best.onnx": 5})]
    assert seeds == [5, 7, 12]
    with pytest.raises(EntryError, match=r"did you mean 'RedDoor-v0/best\.onnx'"):
        collect(tmp_path, {"RedDoor-v0/bset.onnx": 5})


def test_one_method_of_several_is_chosen_by_name(tmp_path):
    for n, name in enumerate(("ppo-seed0", "ppo-seed1", "ppo-alpha0.1-seed0", "drc-seed0")):
        put(bytes([n + 1]), tmp_path, f"RedDoor-v0/{name}/agent.onnx")
    put(b"other", tmp_path, "KeysChests-v0/drc-seed0.onnx")
    with pytest.raises(EntryError, match=r"same training seed.*choose one's by --only"):
        collect(tmp_path, {})
    found = collect(tmp_path, {}, "ppo-seed*")
    assert [agent.name for agent in found] == [f"RedDoor-v0/ppo-seed{k}/agent.onnx" for k in (0, 1)]
    assert [agent.task for agent in collect(tmp_path, {}, "drc-*")] == [
        "KeysChests-v0",
        "RedDoor-v0",
    ]
    with pytest.raises(EntryError, match="is called 'pro-seed"):
        collect(tmp_path, {}, "pro-seed*")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"track": "zero_shot"}, "with saw_test: true the track is open"),
        ({"track": "closed"}, "track"),
        ({"slug": "My Method"}, "slug"),
        ({"extra": 1}, "extra"),
    ],
)
def test_method_files_that_do_not_fit(tmp_path, changes, message):
    with pytest.raises(EntryError, match=message):
        read_method(method_file(tmp_path, **changes))


def test_method_files_run_no_code(tmp_path):
    path = tmp_path / "my.yaml"
    path.write_text("slug: !!python/object/apply:os.system ['true']")
    with pytest.raises(EntryError, match=r"my\.yaml: not YAML"):
        read_method(path)


def test_the_template_is_a_method_file():
    assert read_method(TEMPLATE).track == "zero_shot"


# The commands


def test_check_entries_and_template(tmp_path, capsys, organism):
    main(["submit", "--template"])
    assert capsys.readouterr().out == TEMPLATE.read_text(encoding="utf-8")
    path = write_entry(organism, tmp_path)
    with pytest.raises(SystemExit) as caught:
        main(["check-entries", str(path)])
    assert caught.value.code == 2
    assert "128 episodes" in capsys.readouterr().out


def test_verify_says_what_is_missing(tmp_path, capsys, organism):
    path = write_entry(organism, tmp_path)
    with pytest.raises(SystemExit):
        main(["verify", str(path), "--salt", "random"])
    assert "hand its folder over with --agents" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["verify", str(path), "--write"])
    assert "add --salt random" in capsys.readouterr().err
    assert json.loads(path.read_text())["salted"] == []
