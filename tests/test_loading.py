"""A run's network in Python: it plays as the run's file does, and as it did along the training."""

import io
import random
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch as th
from rich.console import Console
from tiny_runs import TINY, TOY, weights

from mesabench import get_task
from mesabench.agents.onnx_agent import OnnxAgent
from mesabench.agents.sb3_agent import Sb3Agent
from mesabench.baselines.loading import load_model
from mesabench.baselines.train import train
from mesabench.errors import MesaBenchError
from mesabench.observation import observation_space
from mesabench.rollout import rollout

TASK = get_task(TOY)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    train(TASK, replace(TINY, steps=1024), folder, Console(file=io.StringIO()))
    return folder


def test_the_model_of_a_run_plays_as_its_file_does(run: Path) -> None:
    kept = OnnxAgent.load(run / "agent.onnx", observation_space(TASK), TASK.actions)
    played = rollout(kept, TASK, "heldout", 32)
    same = rollout(Sb3Agent(load_model(str(run))), TASK, "heldout", 32)
    np.testing.assert_array_equal(played.actions, same.actions)


def test_snapshots_along_the_training_differ(run: Path) -> None:
    first, middle, last = (weights(load_model(run, steps)) for steps in (0, 512, None))
    for one, other in ((first, middle), (middle, last)):
        assert any((one[name] != other[name]).any() for name in one)
    assert load_model(run).num_timesteps == 1024


def test_random_numbers_go_on_as_if_nothing_had_been_loaded(run: Path) -> None:
    def drawn() -> list[float]:
        return [float(th.rand(1)), np.random.rand(), random.random()]  # noqa: NPY002

    load_model(run)
    first = drawn()
    load_model(run)
    assert all(now != before for now, before in zip(drawn(), first, strict=True))


def test_a_step_without_a_snapshot_is_refused_with_the_nearest(run: Path) -> None:
    with pytest.raises(MesaBenchError, match=r"no snapshot at step 600.*did you mean 512"):
        load_model(run, 600)


def test_a_damaged_snapshot_is_named(run: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(run, tmp_path / "copy")
    broken = sorted((copy / "snapshots").glob("*.pt"))[0]
    broken.write_bytes(broken.read_bytes()[:-1])
    with pytest.raises(MesaBenchError, match=rf"{broken.name}.*is damaged"):
        load_model(copy)
    broken.unlink()
    assert load_model(copy).num_timesteps == 1024


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MesaBenchError, match=r"no config\.json"):
        load_model(tmp_path)
