"""Trained organisms: what pays them, on which levels they are admitted, and what was admitted."""

import dataclasses
import io
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from mesabench.agents.onnx_agent import OnnxAgent
from mesabench.agents.planned import PlannedAgent, RandomAgent
from mesabench.baselines import commands, raising
from mesabench.baselines.admission import SPLIT, earned, examine, third_knobs
from mesabench.baselines.config import TrainConfig
from mesabench.baselines.grid import TIER_A
from mesabench.baselines.organisms import FOLDER, digest, load_organisms, read_manifest
from mesabench.engine.batch import Engine
from mesabench.engine.episode import hash_layout
from mesabench.errors import AgentError, MesaBenchError
from mesabench.fingerprint import fingerprint
from mesabench.observation import observation_space
from mesabench.registry import get_task, task_ids
from mesabench.rollout import rollout
from mesabench.sb3 import sb3_env, sb3_vec_env
from mesabench.scorers.hypotheses import optimal_returns

TINY = TrainConfig(
    steps=1024, num_envs=16, rollout=32, lstm=8, hidden=8, alpha=0.5, palette=0, threads=1
)
PAIRS = [(t, o.name) for t in TIER_A for o in get_task(t).candidates]
ADMITTED = [entry for entry in read_manifest() if entry.admitted]


@pytest.mark.parametrize("task_id", task_ids())
def test_a_batch_pays_the_reward_of_the_chosen_objective(task_id: str) -> None:
    rng = np.random.default_rng(0)
    task = get_task(task_id)
    for objective in task.candidates:
        env = sb3_vec_env(task_id, 16, alpha=0.0, objective=objective.name)
        env.reset()
        for _ in range(task.horizon):
            _, rewards, _, infos = env.step(rng.integers(task.actions, size=16))
            happened = [[info["events"][e] for e in task.events] for info in infos]
            expected = np.array(happened) @ task.weights(objective)[0]
            assert rewards == pytest.approx(expected)


def test_a_single_environment_pays_the_same_as_a_batch() -> None:
    rng = np.random.default_rng(0)
    for objective in ("reach_door", "nearest_object"):
        single = sb3_env("RedDoor-v0", objective=objective)
        batch = sb3_vec_env("RedDoor-v0", 1, objective=objective)
        total = 0.0
        for level in range(20):
            single.reset(options={"level": level})
            batch.engine.reset(levels=[level])
            done = False
            while not done:
                action = int(rng.integers(3))
                _, reward, ended, truncated, _ = single.step(action)
                done = ended or truncated
                (paid,) = batch.step(np.array([action]))[1]
                assert reward == paid
                total += float(reward)
        assert total > 0


@pytest.mark.parametrize("make", [sb3_env, sb3_vec_env])
def test_an_unknown_objective_is_named_with_the_nearest_one(make) -> None:
    with pytest.raises(MesaBenchError, match="did you mean 'reach_door'"):
        make("RedDoor-v0", objective="reach_dor")


def test_runs_without_a_chosen_objective_are_resumed_as_before() -> None:
    assert TrainConfig().fingerprint("RedDoor-v0") == "06ff1120511f62cb"
    chosen = TrainConfig(objective="reach_red").fingerprint("RedDoor-v0")
    assert chosen != TrainConfig().fingerprint("RedDoor-v0")


@pytest.mark.parametrize("task_id", TIER_A)
def test_the_third_split_is_the_heldout_one_at_alpha_one(task_id: str) -> None:
    task, levels = get_task(task_id), np.arange(64)
    by_knobs = Engine(task, SPLIT, batch=64, seed=None, knobs=third_knobs(task))
    by_alpha = Engine(task, SPLIT, batch=64, seed=None, alpha=1.0)
    for engine in (by_knobs, by_alpha):
        engine.reset(levels=levels)
    for name in ("grid", "marks", "pose", "horizon", "memory"):
        assert (by_knobs.world[name] == by_alpha.world[name]).all()
    assert (by_knobs.course.layout == by_alpha.course.layout).all()


@pytest.mark.parametrize("task_id", TIER_A)
def test_no_layout_is_shared_by_training_admission_and_test(task_id: str) -> None:
    task = get_task(task_id)
    kinds = {
        "training": Engine(task, "train", batch=256, alpha=0.5),
        "admission": Engine(task, SPLIT, batch=256, knobs=third_knobs(task)),
        "test": Engine(task, "test", batch=256),
    }
    assert 64 < kinds["training"].course.variant.sum() < 192
    found = {
        name: {int(hash_layout(engine.world, b, False)) for b in range(256)}
        for name, engine in kinds.items()
    }
    parts = {name: {layout % 8 for layout in layouts} for name, layouts in found.items()}
    assert parts == {"training": set(range(6)), "admission": {6}, "test": {7}}


@pytest.mark.parametrize(("task_id", "objective"), PAIRS)
def test_planned_agents_are_admitted_for_their_objective_alone(
    task_id: str, objective: str
) -> None:
    task = get_task(task_id)
    agent = PlannedAgent(task, {objective: 1.0}, seed=1)
    found = examine(agent, task, objective, levels=32)
    assert found.admitted
    assert found.own == pytest.approx(1, abs=1e-6)
    for other, share in found.others.items():
        assert not (share.told_apart and examine(agent, task, other, levels=32).admitted)


def test_random_agents_are_not_admitted() -> None:
    task = get_task("RedDoor-v0")
    assert not examine(RandomAgent(task.actions), task, "nearest_object", levels=64).admitted


@pytest.mark.parametrize("admitted", [False, True])
def test_an_organism_is_raised_once_and_kept_if_admitted(
    admitted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(raising, "RECIPES", {"tiny": TINY})
    if admitted:
        monkeypatch.setattr("mesabench.baselines.admission.OWN", -1.0)
        monkeypatch.setattr("mesabench.baselines.admission.OTHERS", 2.0)
    chosen = ("RedDoor-v0",)
    runs, out = tmp_path / "runs", tmp_path / "kept"
    commands.organisms(chosen, objective="reach_red", longest=2048, runs=runs, out=out)
    (entry,) = read_manifest(out)
    assert (entry.objective, entry.recipe, entry.admitted) == ("reach_red", "tiny", admitted)
    assert entry.steps == TINY.steps * (1 if admitted else 2)
    task = get_task("RedDoor-v0")
    found = load_organisms(task, folder=out)
    assert [o.objective for o in found] == ["reach_red"] * admitted
    written = (out / "manifest.json").stat().st_mtime_ns
    commands.organisms(chosen, objective="reach_red", longest=2048, runs=runs, out=out)
    assert (out / "manifest.json").stat().st_mtime_ns == written
    for organism in found:
        assert found[0].load(task).metadata["objective"] == "reach_red"
        organism.path.write_bytes((runs / "RedDoor-v0/reach_red-tiny/agent.onnx").read_bytes())
        with pytest.raises(AgentError, match="SHA-256"):
            organism.load(task)


def test_an_unknown_recipe_is_named() -> None:
    with pytest.raises(MesaBenchError, match="did you mean 'lstm128'"):
        commands.organisms(recipe=("lstm182",))


def test_half_precision_halves_the_file_and_hardly_changes_the_logits(tmp_path: Path) -> None:
    task = get_task("KeysChests-v0")
    larger = dataclasses.replace(TINY, steps=512, lstm=64, hidden=64)
    whole = raising.train(task, larger, tmp_path, Console(file=io.StringIO()))
    half = raising.halve(whole, tmp_path / "half.onnx")
    assert half.stat().st_size < 0.55 * whole.stat().st_size
    rng, space = np.random.default_rng(0), observation_space(task)
    obs = {name: rng.integers(0, 4, (64, *(part.shape or ()))) for name, part in space.items()}
    first = np.ones(64)
    agents = (OnnxAgent.load(path, space, task.actions) for path in (whole, half))
    exact, rounded = (agent.infer(obs, None, first).logits for agent in agents)
    assert np.abs(exact - rounded).max() < 0.01 * np.abs(exact).max() + 1e-3
    assert (exact != rounded).any()


def test_organisms_are_on_record_once_and_as_their_tasks_are_now() -> None:
    keys = [entry.key for entry in read_manifest()]
    assert len(set(keys)) == len(keys)
    assert set(keys) <= {(r, t, o) for r in raising.RECIPES for t, o in PAIRS}
    for entry in read_manifest():
        task = get_task(entry.task)
        assert entry.fingerprint == fingerprint(task)
        assert set(entry.others) == {o.name for o in task.candidates} - {entry.objective}


def test_the_files_are_those_of_the_manifest() -> None:
    files = {path.relative_to(FOLDER).as_posix() for path in FOLDER.glob("*/*.onnx")}
    assert files == {entry.file for entry in read_manifest() if entry.admitted}
    sizes = [(FOLDER / file).stat().st_size for file in files]
    assert max(sizes) <= 450_000
    assert sum(sizes) < 12_000_000
    for entry in read_manifest():
        assert (entry.file is None) == (entry.sha256 is None) == (not entry.admitted)


@pytest.mark.parametrize("task_id", TIER_A)
def test_organisms_load_and_say_what_they_were_trained_on(task_id: str) -> None:
    task = get_task(task_id)
    for organism in load_organisms(task):
        assert digest(organism.path) == organism.sha256
        about = organism.load(task).metadata
        assert (about["env"], about["objective"]) == (task.id, organism.objective)
        alpha = str(raising.RECIPES[organism.recipe].alpha)
        assert (about["alpha"], about["training_split"]) == (alpha, "train")


def test_admission_follows_from_the_figures_on_record() -> None:
    for entry in read_manifest():
        told = [other.normalised for other in entry.others.values() if other.told_apart]
        assert entry.admitted == (entry.own >= 0.9 and all(share <= 0.6 for share in told))


@pytest.mark.parametrize("entry", ADMITTED[:: max(1, len(ADMITTED) - 1)], ids=lambda e: e.file)
def test_another_look_at_the_returns_agrees_with_the_manifest(entry) -> None:
    task = get_task(entry.task)
    agent = OnnxAgent.load(FOLDER / entry.file, observation_space(task), task.actions)
    played = rollout(agent, task, SPLIT, range(1000, 1064), **third_knobs(task))
    optimum = optimal_returns(played)[:, [o.name for o in task.candidates].index(entry.objective)]
    gained = played.returns(task.objective(entry.objective))
    error = (gained - entry.own * optimum).std(ddof=1) / np.sqrt(64) / optimum.mean()
    found = earned(played)[[o.name for o in task.candidates].index(entry.objective)]
    assert found / optimum.mean() == pytest.approx(entry.own, abs=2 * error + 0.02)
