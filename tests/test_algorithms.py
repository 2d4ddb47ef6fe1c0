"""Every algorithm: it learns, stops and goes on, and its file acts as the model that it trained."""

import io
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from stable_baselines3.common.base_class import BaseAlgorithm

import mesabench
from mesabench import cli
from mesabench.agents.export import export_sb3
from mesabench.agents.onnx_agent import OnnxAgent
from mesabench.agents.sb3_agent import Sb3Agent
from mesabench.baselines import progress
from mesabench.baselines.algorithms import ALGORITHMS, get_algorithm
from mesabench.baselines.checkpoints import load_checkpoint, read_checkpoint
from mesabench.baselines.config import Settings
from mesabench.baselines.runs import read_settings
from mesabench.baselines.train import build_model, train, worlds
from mesabench.engine.codes import VIEW
from mesabench.errors import MesaBenchError
from mesabench.observation import observation_space
from mesabench.rollout import rollout
from mesabench.task import Task

TASKS = ("KeysChests-v0", "Bandit-v0")  # one with an inventory, one about learning
MANY_MODELS = ("ensemble",)  # whose file is no single model's
SMALL: dict[str, Any] = {
    "steps": 1024,
    "num_envs": 16,
    "rollout": 16,
    "lstm": 8,
    "hidden": 8,
    "width": 8,
    "members": 2,
    "warmup": 128,
    "buffer_size": 1024,
    "batch_size": 32,
    "target_update_interval": 256,
    "kept_levels": 16,
    "channels": 2,
    "ticks": 2,
    "checkpoint_every": 256,
    "threads": 1,
}


def small(algorithm: str, **changes: Any) -> Settings:
    """Settings of an algorithm for a training of a second or two."""
    kind = get_algorithm(algorithm).Args
    names = {field.name for field in fields(kind)}
    return kind(**{name: v for name, v in (SMALL | changes).items() if name in names})


@dataclass(frozen=True)
class Run:
    task: Task
    args: Settings
    folder: Path
    agent: Path

    def model(self) -> BaseAlgorithm:
        """The trained model, from its last checkpoint."""
        model = build_model(self.task, self.args)
        fingerprint = self.args.fingerprint(self.task.id)
        assert load_checkpoint(model, self.folder / "checkpoints", fingerprint, print)
        return model


@pytest.fixture(scope="module", params=ALGORITHMS)
def algorithm(request):
    return request.param


@pytest.fixture(scope="module", params=TASKS)
def run(algorithm, request, tmp_path_factory):
    task, args = mesabench.get_task(request.param), small(algorithm)
    folder = tmp_path_factory.mktemp(algorithm)
    return Run(task, args, folder, train(task, args, folder, Console(file=io.StringIO())))


def test_training_moves_every_weight(run):
    before = dict(build_model(run.task, run.args).policy.named_parameters())
    first = run.folder / "member-0" if run.args.algorithm in MANY_MODELS else run.folder
    after = read_checkpoint(max((first / "checkpoints").glob("*.pt")))["policy"]
    still = [name for name, value in before.items() if (value == after[name]).all()]
    assert not still


def test_the_file_acts_as_the_model_does_in_the_worlds_it_trains_on(run):
    """Over episode ends, with what the training worlds add to the observations."""
    if run.args.algorithm in MANY_MODELS:
        pytest.skip("the file is no single model's")
    model, env = run.model(), worlds(run.task, run.args)
    agent = OnnxAgent.load(run.agent, observation_space(run.task), run.task.actions)
    obs: Any = env.reset()
    ended, theirs, ours = np.ones(env.num_envs, bool), None, None
    rng, episodes = np.random.default_rng(0), 0
    for _ in range(run.task.horizon + 20):
        seen = obs | {"image": obs["image"].reshape(-1, VIEW, VIEW, 3)}
        wanted, theirs = model.predict(obs, theirs, ended, deterministic=True)
        found, ours = agent(seen, ours, ended)
        assert (found == wanted).all()
        # Not its own actions alone, lest an untaught agent turn on the spot.
        actions = np.where(rng.random(len(found)) < 0.5, rng.integers(3, size=len(found)), found)
        obs, _, ended, _ = env.step(actions)
        episodes += ended.sum()
    assert episodes >= env.num_envs


def test_the_file_acts_as_the_model_does_on_unseen_levels(run):
    if run.args.algorithm in MANY_MODELS:
        pytest.skip("the file is no single model's")
    model = run.model()
    if not set(model.observation_space.spaces) <= set(observation_space(run.task).spaces):
        pytest.skip("the training worlds add to the observations")
    agent = OnnxAgent.load(run.agent, observation_space(run.task), run.task.actions)
    assert agent.metadata["training_steps"] == str(model.num_timesteps)
    played = rollout(agent, run.task, "heldout", 16)
    same = rollout(Sb3Agent(model), run.task, "heldout", 16)
    assert (played.actions == same.actions).all()


def test_the_run_says_what_it_was_trained_with(run):
    assert read_settings(run.folder) == (run.task.id, run.args)
    agent = OnnxAgent.load(run.agent, observation_space(run.task), run.task.actions)
    assert agent.metadata["env"] == run.task.id
    assert int(agent.metadata["training_steps"]) >= run.args.steps


def test_a_stopped_run_goes_on(algorithm, tmp_path, monkeypatch):
    def stop(self):
        start(self)
        if self.num_timesteps >= 512:
            raise KeyboardInterrupt

    task, args = mesabench.get_task("KeysChests-v0"), small(algorithm)
    start = progress.RunProgress._on_rollout_start
    with monkeypatch.context() as patch:
        patch.setattr(progress.RunProgress, "_on_rollout_start", stop)
        with pytest.raises(KeyboardInterrupt):
            train(task, args, tmp_path, Console(file=io.StringIO()))
    kept = max(tmp_path.glob("**/checkpoints/*.pt"))
    assert read_checkpoint(kept)["steps"] == 512
    text = io.StringIO()
    train(task, args, tmp_path, Console(file=text))
    assert "resuming at step 512" in text.getvalue()
    newest = max(kept.parent.glob("*.pt"))
    assert args.steps <= read_checkpoint(newest)["steps"] < args.steps + 512
    assert (tmp_path / "agent.onnx").is_file()


def test_the_command_line_has_the_settings_of_each_algorithm(algorithm, tmp_path):
    args = small(algorithm, steps=64, num_envs=4, rollout=8, warmup=16)
    changed = [field.name for field in fields(args) if field.name in SMALL]
    options = [f"--{name.replace('_', '-')}={getattr(args, name)}" for name in changed]
    out = ["--out", str(tmp_path)]
    cli.main(["train", "KeysChests-v0", "--no-tuned", "--algorithm", algorithm, *options, *out])
    assert read_settings(tmp_path) == ("KeysChests-v0", args)
    assert (tmp_path / "agent.onnx").is_file()


def test_an_algorithm_is_called_what_it_is_listed_as(algorithm):
    module = get_algorithm(algorithm)
    assert module.Args.algorithm == algorithm
    assert "Source:" in module.__doc__


def test_no_algorithm_resumes_the_run_of_another():
    fingerprints = {get_algorithm(name).Args().fingerprint("RedDoor-v0") for name in ALGORITHMS}
    assert len(fingerprints) == len(ALGORITHMS)


def test_an_algorithm_that_is_not_there_is_named_with_the_nearest():
    with pytest.raises(MesaBenchError, match="did you mean 'qrdqn'"):
        get_algorithm("qr-dqn")


@pytest.mark.parametrize("algorithm", ["gru-ppo", "drc", "planner-head"])
def test_files_of_default_size_are_small(algorithm, tmp_path):
    model = build_model(mesabench.get_task("KeysChests-v0"), get_algorithm(algorithm).Args())
    assert export_sb3(model, tmp_path / "agent.onnx").stat().st_size <= 300_000
