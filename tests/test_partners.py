"""Networks that play together: trained as every agent of a world, and judged beside each other."""

import json
from pathlib import Path
from typing import Any

import pytest

import mesabench
from mesabench import cli
from mesabench.agents.export import export_sb3
from mesabench.agents.onnx_agent import OnnxAgent
from mesabench.agents.seated import Seated
from mesabench.baselines.algorithms import get_algorithm
from mesabench.baselines.config import Settings, TrainConfig
from mesabench.baselines.grid import run_name
from mesabench.baselines.train import build_model, describe, make_env
from mesabench.errors import AgentError, MesaBenchError
from mesabench.observation import observation_space
from mesabench.rollout import rollout

TASK = mesabench.get_task("SharedKeys-v0")
SMALL = {"num_envs": 8, "threads": 1, "hidden": 8, "everyone": True}


def settings(algorithm: str, **changes: Any) -> Settings:
    return get_algorithm(algorithm).Args(**(SMALL | changes))


@pytest.fixture(scope="module")
def agents(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return files of untrained agents that were built to play everyone."""
    folder, found = tmp_path_factory.mktemp("agents"), {}
    for algorithm in ("ppo", "recurrent-ppo"):
        config = settings(algorithm)
        model: Any = build_model(TASK, config)
        about = describe(TASK, config)
        found[algorithm] = export_sb3(model, folder / f"{algorithm}.onnx", metadata=about)
    model: Any = build_model(TASK, settings("ppo"))
    about = describe(TASK, settings("ppo"))
    found["draws"] = export_sb3(model, folder / "draws.onnx", metadata=about, action="sample")
    return found


def test_one_network_learns_from_every_agent_of_a_world() -> None:
    model: Any = build_model(TASK, settings("recurrent-ppo", rollout=8, minibatches=2))
    env = model.get_env()
    assert (env.num_envs, env.worlds) == (8, 4)
    before = {name: value.clone() for name, value in model.policy.state_dict().items()}
    model.learn(64)
    assert model.num_timesteps == 64
    assert any((before[n] != v).any() for n, v in model.policy.state_dict().items())
    obs = env.reset()  # two rows of a world see it from where each of them stands
    assert (obs["image"][0::2] != obs["image"][1::2]).any(1).all()


def test_a_team_is_told_apart_from_a_learner_with_a_scripted_partner() -> None:
    together, alone = settings("ppo"), settings("ppo", everyone=False)
    assert run_name(together) != run_name(alone)
    assert together.fingerprint(TASK.id) != alone.fingerprint(TASK.id)
    assert describe(TASK, together)["everyone"] == "true"
    assert "everyone" not in describe(TASK, alone)


def test_there_must_be_somebody_else_to_play() -> None:
    with pytest.raises(MesaBenchError, match="RedDoor-v0 has one agent"):
        make_env(mesabench.get_task("RedDoor-v0"), TrainConfig(everyone=True))
    with pytest.raises(MesaBenchError, match="plr cannot train with everyone"):
        build_model(TASK, settings("plr"))


def test_a_file_is_judged_beside_the_agent_of_another_file(
    agents: dict[str, Path], tmp_path: Path
) -> None:
    learner, partner = agents["recurrent-ppo"], agents["ppo"]
    command = ["evaluate", str(learner), "--levels", "8", "--out", str(tmp_path)]
    cli.main([*command, "--partner", str(partner)])
    said = json.loads((tmp_path / "evaluation.json").read_text())
    assert said["partners"] == "ppo.onnx"
    assert said["beside"] is None
    space = observation_space(TASK)
    who = [OnnxAgent.load(path, space, TASK.actions) for path in (learner, partner)]
    played = rollout(who[0], TASK, "test", 8, partners=Seated(who[1]), palette=0)
    for objective in TASK.candidates:
        expected = played.returns(objective).mean()
        found = said["returns"]["test"][objective.name]["discounted"]["mean"]
        assert found == pytest.approx(expected)


def test_who_cannot_be_a_partner_is_named(
    agents: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["evaluate", str(agents["ppo"]), "--levels", "4", "--out", str(tmp_path)]
    with pytest.raises(SystemExit):
        cli.main([*command, "--partner", str(agents["recurrent-ppo"])])
    assert "remembers" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        cli.main([*command, "--partner", str(agents["draws"])])
    assert "draws its actions" in capsys.readouterr().err
    with pytest.raises(AgentError, match="greedy"):
        Seated(OnnxAgent.load(agents["draws"], observation_space(TASK), TASK.actions))
    assert not [*tmp_path.iterdir()]
