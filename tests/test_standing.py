"""A training that goes on from where another one stood ends as that one does."""

import copy
import io
import shutil
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch as th
from rich.console import Console
from stable_baselines3.common.vec_env import VecMonitor
from tiny_runs import TINY, TOY, checkpoints, stopped_after, weights

import mesabench
from mesabench.baselines.algorithms import ALGORITHMS, get_algorithm
from mesabench.baselines.checkpoints import load_checkpoint, read_checkpoint, save_checkpoint
from mesabench.baselines.config import Settings
from mesabench.baselines.loading import load_model
from mesabench.baselines.progress import RunProgress
from mesabench.baselines.standing import as_arrays, capture, put_back
from mesabench.baselines.train import build_model, train
from mesabench.engine.batch import Engine
from mesabench.errors import LevelError, MesaBenchError

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


def ends_alike(task_id: str, settings: Settings, folder: Path, stop: int = STEPS // 2) -> None:
    """Train at once, and with a stop after so many steps; compare all that is left."""
    task = mesabench.get_task(task_id)
    train(task, settings, folder / "at once", quiet())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RunProgress, "_on_step", stopped_after(stop))
        with pytest.raises(KeyboardInterrupt):
            train(task, settings, folder / "in two", quiet())
    train(task, settings, folder / "in two", quiet())
    same_end(folder / "at once", folder / "in two")


def same_end(one: Path, other: Path) -> None:
    ends = [read_checkpoint(checkpoints(run)[-1]) for run in (one, other)]
    assert [end["steps"] for end in ends] == [STEPS, STEPS]
    for part in ("policy", "optimizer", "updates", "standing"):
        np.testing.assert_equal(*(as_arrays(end[part]) for end in ends))


@pytest.mark.parametrize("algorithm", EXACT)
def test_every_algorithm_ends_as_if_it_had_not_been_stopped(algorithm, tmp_path):
    ends_alike("KeysChests-v0", settings_of(algorithm), tmp_path)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("stop", [0, STEPS // 2], ids=["at once", "halfway"])
def test_trainings_of_all_kinds_end_as_if_they_had_not_been_stopped(variant, stop, tmp_path):
    task_id, more = VARIANTS[variant]
    ends_alike(task_id, settings_of("recurrent-ppo", **more), tmp_path, stop)


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
    model.learn(STEPS // 2, reset_num_timesteps=False)
    resumed.learn(STEPS // 2, reset_num_timesteps=False)
    ours, theirs = weights(resumed), weights(model)
    assert any((ours[name] != theirs[name]).any() for name in ours)


@pytest.mark.parametrize("algorithm", sorted(set(ALGORITHMS) - {"ensemble"}))
def test_what_is_put_back_is_what_was_captured(algorithm):
    task, settings = mesabench.get_task("KeysChests-v0"), settings_of(algorithm, num_levels=9)
    model = build_model(task, settings)
    model.learn(512)
    standing = capture(model)
    kept = copy.deepcopy(standing)
    model.learn(512, reset_num_timesteps=False)
    np.testing.assert_equal(as_arrays(standing), as_arrays(kept))
    again = build_model(task, settings)
    assert put_back(again, standing)
    np.testing.assert_equal(as_arrays(capture(again)), as_arrays(kept))


@pytest.mark.parametrize("name", ["worlds", "torch", "numpy", "episodes"])
def test_what_another_version_captured_begins_new_episodes(name):
    task, settings = mesabench.get_task(TOY), settings_of("recurrent-ppo")
    model = build_model(task, settings)
    model.learn(256)
    standing = capture(model)
    for broken in (standing | {name: 7}, {k: v for k, v in standing.items() if k != name}):
        fresh = build_model(task, settings)
        assert not put_back(fresh, broken)
        fresh.learn(256)


def test_worlds_in_a_wrapper_that_keeps_its_state_to_itself_are_refused():
    """It would lend the methods of the worlds that it wraps."""
    model = build_model(mesabench.get_task(TOY), settings_of("recurrent-ppo"))
    model.env = VecMonitor(model.env)
    with pytest.raises(MesaBenchError, match="VecMonitor has no get_state"):
        capture(model)


@pytest.mark.skipif(th.cuda.is_available(), reason="there is a GPU")
def test_checkpoints_and_snapshots_of_a_gpu_are_read_without_one(tmp_path, monkeypatch):
    task, settings = mesabench.get_task(TOY), settings_of("recurrent-ppo", steps=256)
    monkeypatch.setattr(th.serialization, "location_tag", lambda storage: "cuda:0")
    train(task, settings, tmp_path, quiet())
    monkeypatch.undo()
    assert load_model(tmp_path).num_timesteps == 256
    model = build_model(task, settings)
    found = load_checkpoint(model, tmp_path / "checkpoints", settings.fingerprint(task.id), print)
    assert found == 256


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
    with pytest.raises(LevelError, match="no snapshot of 3 worlds"):
        Engine(task, batch=3).restore(engine.snapshot())


def test_worlds_of_another_task_are_refused_also_where_they_are_as_large():
    found: dict[int, np.ndarray] = {}
    for engine in (Engine(mesabench.get_task(name)) for name in mesabench.task_ids(None)):
        other = found.setdefault(len(engine.snapshot()), engine.snapshot())
        if np.array_equal(other, engine.snapshot()):
            continue
        with pytest.raises(LevelError, match=f"no snapshot of 1 worlds of {engine.task.id}"):
            engine.restore(other)
    assert len(found) < len(mesabench.task_ids(None))
