"""A training that goes on from where another one stood ends as that one does."""

import io
import shutil
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch as th
from rich.console import Console
from tiny_runs import TINY, TOY, weights

import mesabench
from mesabench.baselines.algorithms import ALGORITHMS, get_algorithm
from mesabench.baselines.checkpoints import load_checkpoint, read_checkpoint, save_checkpoint
from mesabench.baselines.config import Settings
from mesabench.baselines.progress import RunProgress
from mesabench.baselines.standing import as_arrays, capture, put_back
from mesabench.baselines.train import build_model, train
from mesabench.engine.batch import Engine
from mesabench.errors import LevelError

STEPS = 2048
# An ensemble's members are runs of their own; a buffer of what was played is not kept.
EXACT = sorted(set(ALGORITHMS) - {"ensemble", "qrdqn"})
VARIANTS = {
    "recoloured": ("KeysChests-v0", {"recolour": True}),
    "test-like levels": ("KeysChests-v0", {"alpha": 0.5}),
    "few levels": ("KeysChests-v0", {"num_levels": 3}),
    "everyone": ("SharedKeys-v0", {"everyone": True}),
    "falling entropy": (TOY, {"entropy": 0.4, "last_entropy": 0.0}),
    "two threads": (TOY, {"threads": 2}),
}


@pytest.fixture(autouse=True)
def _same_threads():
    before = th.get_num_threads()
    yield
    th.set_num_threads(before)


def settings_of(algorithm: str, **more: Any) -> Settings:
    """Return small settings; those that an algorithm does not have are left out."""
    kind = get_algorithm(algorithm).Args
    names = {field.name for field in fields(kind)}
    small = {name: getattr(TINY, name) for name in ("num_envs", "rollout", "minibatches", "lstm")}
    wanted = small | {"hidden": 8, "threads": 1, "steps": STEPS, "checkpoint_every": 512} | more
    return kind(**{name: value for name, value in wanted.items() if name in names})


def quiet() -> Console:
    return Console(file=io.StringIO())


def stopped_after(steps: int) -> Callable[[RunProgress], bool]:
    def stop(progress: RunProgress) -> bool:
        if progress.num_timesteps > steps:
            raise KeyboardInterrupt
        return True

    return stop


def ends_alike(task_id: str, settings: Settings, folder: Path) -> None:
    """Train at once, and in two sessions; compare all that is left."""
    task = mesabench.get_task(task_id)
    train(task, settings, folder / "at once", quiet())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RunProgress, "_on_step", stopped_after(STEPS // 2))
        with pytest.raises(KeyboardInterrupt):
            train(task, settings, folder / "in two", quiet())
    train(task, settings, folder / "in two", quiet())
    same_end(folder / "at once", folder / "in two")


def same_end(one: Path, other: Path) -> None:
    ends = [read_checkpoint(checkpoints(run)[-1]) for run in (one, other)]
    assert [end["steps"] for end in ends] == [STEPS, STEPS]
    for part in ("policy", "standing"):
        np.testing.assert_equal(*(as_arrays(end[part]) for end in ends))


def checkpoints(run: Path) -> list[Path]:
    return sorted((run / "checkpoints").glob("*.pt"))


@pytest.mark.parametrize("algorithm", EXACT)
def test_every_algorithm_ends_as_if_it_had_not_been_stopped(algorithm, tmp_path):
    ends_alike("KeysChests-v0", settings_of(algorithm), tmp_path)


@pytest.mark.parametrize("variant", VARIANTS)
def test_trainings_of_all_kinds_end_as_if_they_had_not_been_stopped(variant, tmp_path):
    task_id, more = VARIANTS[variant]
    ends_alike(task_id, settings_of("recurrent-ppo", **more), tmp_path)


def test_a_killed_run_goes_on_from_its_last_checkpoint(tmp_path):
    task, settings = mesabench.get_task(TOY), settings_of("recurrent-ppo")
    run = tmp_path / "run"
    train(task, settings, run, quiet())
    killed = Path(shutil.copytree(run, tmp_path / "killed"))
    for later in checkpoints(killed)[1:]:
        later.unlink()
    train(task, settings, killed, quiet())
    same_end(run, killed)


def test_without_its_standing_a_training_ends_otherwise(tmp_path):
    """The comparison above can fail."""
    task, settings = mesabench.get_task(TOY), settings_of("recurrent-ppo")
    model, resumed = build_model(task, settings), build_model(task, settings)
    model.learn(STEPS // 2)
    resumed.policy.load_state_dict(model.policy.state_dict())
    resumed.policy.optimizer.load_state_dict(model.policy.optimizer.state_dict())
    standing = capture(model)
    model.learn(STEPS // 2, reset_num_timesteps=False)
    resumed.learn(STEPS // 2, reset_num_timesteps=False)
    ours, theirs = weights(resumed), weights(model)
    assert any((ours[name] != theirs[name]).any() for name in ours)
    again = build_model(task, settings)
    put_back(again, standing)
    assert again.num_timesteps == 0  # that is the checkpoint's to say


def test_a_checkpoint_of_a_version_with_other_worlds_gives_its_weights(tmp_path):
    task, settings = mesabench.get_task(TOY), settings_of("recurrent-ppo")
    model = build_model(task, settings)
    model.learn(256)
    standing = capture(model)
    standing["worlds"][0]["worlds"] = standing["worlds"][0]["worlds"][:-8]
    for broken in (standing, {}):
        save_checkpoint(model, tmp_path, "same", broken)
        resumed, said = build_model(task, settings), []
        assert load_checkpoint(resumed, tmp_path, "same", said.append) == 256
        assert "its worlds begin anew" in said[0]
        np.testing.assert_equal(weights(resumed), weights(model))
        resumed.learn(256, reset_num_timesteps=False)


@pytest.mark.parametrize("task_id", mesabench.task_ids(None))
def test_worlds_go_on_from_a_snapshot(task_id):
    task, rng = mesabench.get_task(task_id), np.random.default_rng(0)
    engine, other = Engine(task, batch=4, seed=1), Engine(task, batch=4, seed=2)

    def play(engine: Engine, actions: np.ndarray) -> np.ndarray:
        for chosen in actions:
            engine.step(chosen)
        return engine.snapshot()

    play(engine, rng.integers(task.actions, size=(50, 4)))
    other.restore(engine.snapshot())
    actions = rng.integers(task.actions, size=(300, 4))
    begun = engine.course.episode.copy()
    np.testing.assert_array_equal(play(engine, actions), play(other, actions))
    assert (engine.course.episode > begun).any()
    with pytest.raises(LevelError, match="bytes"):
        Engine(task, batch=3).restore(engine.snapshot())
