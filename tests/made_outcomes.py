"""Outcomes of runs that nobody ran, for tests of what is made of them."""

import dataclasses
from pathlib import Path
from typing import Any

import mesabench
from mesabench.baselines.config import TrainConfig
from mesabench.baselines.outcomes import Outcome


def outcome(seed: int = 0, task: str = "RedDoor-v0", **given: Any) -> Outcome:
    names = {field.name for field in dataclasses.fields(TrainConfig)}
    settings = TrainConfig(seed=seed, **{k: v for k, v in given.items() if k in names})
    base = mesabench.get_task(task).base.name

    def earned(split: str) -> dict[str, Any]:
        mean = given.get(split, 0.5)
        return {base: {"normalised": None if mean is None else {"mean": mean}}}

    evaluation = {
        "env": task,
        "verdict": given.get("verdict", "inconclusive"),
        "objective": given.get("goal"),
        "scored": given.get("scored", True),
        "calibrated": given.get("calibrated", True),
        "returns": {split: earned(split) for split in ("heldout", "test")},
    }
    command = f"mesabench run {task} --seed {seed} --steps {settings.steps}"
    return Outcome(Path(f"{task}-{seed}"), task, settings, evaluation, command)
