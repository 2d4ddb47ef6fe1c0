"""`load_model`: the network that a run trained, for a look inside it."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch as th
from stable_baselines3.common.base_class import BaseAlgorithm

from mesabench.baselines.runs import read_settings
from mesabench.baselines.snapshots import list_snapshots, load_snapshot
from mesabench.baselines.train import build_model
from mesabench.errors import MesaBenchError
from mesabench.registry import get_task


def load_model(run: Path | str, steps: int | None = None, *, device: str = "cpu") -> BaseAlgorithm:
    """Build the Stable-Baselines3 model of a run, with the weights that it had at a snapshot.

    Nothing is unpickled. The batch of worlds (`model.env`) is the one that training began with.

    Args:
        run: the run's folder.
        steps: environment steps after which the snapshot was taken; the last one where None.
        device: where the network is to be.

    Raises:
        MesaBenchError: the folder holds no run, or no snapshot of so many steps.
    """
    task_id, settings = read_settings(Path(run))
    files = list_snapshots(Path(run), settings.fingerprint(task_id))
    with random_numbers_as_they_were():  # a model begins with those of the run's seed
        model = build_model(get_task(task_id), replace(settings, device=device))
    taken = {int(file.stem): file for file in files}
    wanted = max(taken) if steps is None else steps
    if wanted not in taken:
        there = ", ".join(map(str, taken))
        nearest = min(taken, key=lambda at: abs(at - wanted))
        raise MesaBenchError(
            f"{str(run)!r} has no snapshot at step {wanted}; it has those at {there}; did you mean"
            f" {nearest}?"
        )
    load_snapshot(model, taken[wanted])
    return model


@contextmanager
def random_numbers_as_they_were() -> Iterator[None]:
    """Let the generators of Python, NumPy and PyTorch go on as if nothing had seeded them."""
    python, arrays, tensors = random.getstate(), np.random.get_state(), th.get_rng_state()  # noqa: NPY002
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(arrays)  # noqa: NPY002
        th.set_rng_state(tensors)
