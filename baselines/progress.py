"""What a training run shows and keeps while it runs."""

import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.utils import safe_mean

from mesabench.baselines.checkpoints import save_checkpoint
from mesabench.baselines.config import OnPolicy, Settings
from mesabench.baselines.snapshots import save_snapshot
from mesabench.baselines.standing import capture

QUIET_LINES = 10  # lines that a run prints where there is no terminal


class EntropySchedule(BaseCallback):
    """Sets the weight of the entropy, which Stable-Baselines3 can only hold, before each update."""

    def __init__(self, first: float, last: float):
        super().__init__()
        self.first, self.last = first, last

    def _on_training_start(self) -> None:
        # A resumed model takes itself for an untrained one until it has been updated.
        model = self.model
        model._update_current_progress_remaining(model.num_timesteps, model._total_timesteps)

    def _on_rollout_end(self) -> None:
        assert isinstance(self.model, OnPolicyAlgorithm)
        left = self.model._current_progress_remaining
        self.model.ent_coef = self.last + (self.first - self.last) * left

    def _on_step(self) -> bool:
        return True


def schedules(config: Settings) -> list[BaseCallback]:
    """Return the callbacks that change settings in the course of a training."""
    if isinstance(config, OnPolicy) and config.last_entropy is not None:
        return [EntropySchedule(config.entropy, config.last_entropy)]
    return []


class RunProgress(BaseCallback):
    """Shows a bar with steps per second and return, and writes checkpoints and snapshots.

    Attributes:
        learnt: environment steps of which the policy has learnt. What was played since is lost when
            a training is stopped, and is not of its steps when it goes on.
        standing: where the training stood then (`capture`).
        stopping: whether to stop at the next step, which is after an update and not within one.
    """

    def __init__(
        self,
        config: Settings,
        checkpoints: Path,
        fingerprint: str,
        console: Console,
        learnt: int,
        standing: dict[str, Any],
    ):
        super().__init__()
        self.config, self.checkpoints, self.fingerprint = config, checkpoints, fingerprint
        self.console = console
        self.learnt, self.standing, self.stopping = learnt, standing, False
        self.bar = Progress(
            TextColumn("training"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[speed]:>8,.0f} steps/s"),
            TextColumn("return {task.fields[gain]:.2f}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )

    def _on_training_start(self) -> None:
        self._began, self._first = time.perf_counter(), self.num_timesteps
        self._saved = self._told = self.num_timesteps
        if self.num_timesteps == 0:
            self._keep_snapshot()
        self.bar.start()
        self._row = self.bar.add_task(
            "training",
            total=self.config.steps,
            completed=self.num_timesteps,
            speed=0.0,
            gain=0.0,
        )

    def _on_rollout_start(self) -> None:
        self._note()
        if self.num_timesteps - self._saved >= self.config.checkpoint_every:
            self._saved = self.num_timesteps
            save_checkpoint(self.model, self.checkpoints, self.fingerprint, self.standing)
            self._keep_snapshot()

    def _on_rollout_end(self) -> None:
        seconds = max(time.perf_counter() - self._began, 1e-9)
        speed = (self.num_timesteps - self._first) / seconds
        gain = safe_mean([info["r"] for info in self.model.ep_info_buffer or ()])
        self.logger.record("time/steps_per_second", speed)
        self.bar.update(self._row, completed=self.num_timesteps, speed=speed, gain=gain)
        quiet = not self.console.is_terminal
        if quiet and self.num_timesteps - self._told >= self.config.steps / QUIET_LINES:
            self._told = self.num_timesteps
            self.console.print(
                f"step {self.num_timesteps:>10,}  {speed:,.0f} steps/s  return {gain:.2f}"
            )

    def _on_training_end(self) -> None:
        self._note()
        self.bar.stop()
        self._keep_snapshot()

    def _note(self) -> None:
        self.learnt, self.standing = self.num_timesteps, capture(self.model)

    def _keep_snapshot(self) -> None:
        save_snapshot(self.model, self.checkpoints.parent, self.fingerprint)

    def _on_step(self) -> bool:
        if self.stopping:
            raise KeyboardInterrupt
        return True
