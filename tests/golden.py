"""Hashes of what every task's results are about: ``python tests/golden.py`` writes them anew.

Published results are about these very levels and objectives. Whoever changes them raises the
version suffix of the task's id before running this file.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

import mesabench
from mesabench.engine.batch import Engine, stream_key
from mesabench.registry import get_task
from mesabench.task import Task

FILE = Path(__file__).with_suffix(".json")
LEVELS = 32
STEPS = 64


def golden() -> dict[str, dict[str, Any]]:
    """Return, for every task, what is paid for, and the hashes of every split."""
    tasks = [get_task(name) for name in mesabench.task_ids()]
    return {
        task.id: {
            "discount": task.discount,
            "horizon": task.horizon,
            "objectives": {o.name: dict(o.weights) for o in task.candidates},
            "splits": {split: hashes(task, split) for split in task.splits},
        }
        for task in tasks
    }


def hashes(task: Task, split: str) -> dict[str, str]:
    """Return a hash of a split's first levels, and one of what a fixed course of actions shows."""
    engine = Engine(task, split, batch=LEVELS)
    engine.reset(seed=0, levels=np.arange(LEVELS))
    world = engine.world
    levels, observations = hashlib.sha256(), hashlib.sha256()
    for name in ("grid", "inside", "marks", "pose"):
        levels.update(portable(world[name]))
    for actions in fixed_actions(task):
        engine.step(actions)
        for name in ("image", "pose", "inventory", "events", "terminated", "truncated"):
            observations.update(portable(world[name]))
    return {"levels": levels.hexdigest()[:16], "observations": observations.hexdigest()[:16]}


def portable(array: np.ndarray) -> bytes:
    """Return the same bytes on every machine."""
    return np.ascontiguousarray(array, "<i8").tobytes()


def fixed_actions(task: Task) -> list[list[int]]:
    """Return actions [STEPS, LEVELS], every second one a step forward."""
    choices = [2] * task.actions + list(range(task.actions))
    return [
        [choices[stream_key("golden", t, b) % len(choices)] for b in range(LEVELS)]
        for t in range(STEPS)
    ]


if __name__ == "__main__":
    FILE.write_text(json.dumps(golden(), indent=2) + "\n")
