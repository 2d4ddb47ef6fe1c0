"""Sweeps of runs that are over in seconds, and what is seen of them."""

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from mesabench.baselines.config import TrainConfig
from mesabench.baselines.progress import RunProgress

HANGS = 900.0  # seconds after which a process that is waited for will never be done
LONG = 16_384  # steps of a run that is still going on when it is stopped, however fast
TOY = "DeceptiveToy-v0"
SMALL = ["num_envs=8", "rollout=16", "minibatches=2", "lstm=8", "hidden=8", "checkpoint_every=256"]
TINY = TrainConfig(
    num_envs=8, rollout=16, minibatches=2, lstm=8, hidden=8, checkpoint_every=256, threads=1
)


def command(out: Path, *more: str, steps: int = 512) -> list[str]:
    settings = ["--set", *SMALL, "--steps", str(steps)]
    return ["sweep", *more, "--no-tuned", *settings, "--levels", "16", "--out", str(out)]


def text_of(capsys) -> str:
    out = capsys.readouterr()
    return re.sub(r"\x1b\[[0-9;]*m", "", out.out + out.err)


def weights(model: Any) -> dict[str, np.ndarray]:
    """Return copies of a model's weights by name."""
    return {name: value.numpy().copy() for name, value in model.policy.state_dict().items()}


def until(happens: Callable[[], Any], seconds: float = HANGS) -> None:
    end = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < end, "it has not happened"
        time.sleep(0.05)


def checkpoints(out: Path) -> list[Path]:
    return sorted(out.glob("**/checkpoints/*.pt"))


def stopped_after(steps: int) -> Callable[[RunProgress], bool]:
    """Return what stops a training, in the place of `RunProgress._on_step`."""

    def stop(progress: RunProgress) -> bool:
        if progress.num_timesteps > steps:
            raise KeyboardInterrupt
        return True

    return stop
