"""Fingerprints: short hashes of what results on a task are about, its levels and its objectives."""

import hashlib
import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesabench.engine.batch import Engine
from mesabench.engine.rng import stream_key
from mesabench.task import Task

LEVELS = 32
STEPS = 64


def describe(task: Task) -> dict[str, Any]:
    """Return what is paid for in a task, and the hashes of every split."""
    wanted = task.candidates
    return {
        "discount": task.discount,
        "horizon": task.horizon,
        "objectives": {
            o.name: {"weights": dict(o.weights), "kind": o.kind, "discount": discount}
            for o, discount in zip(wanted, task.discounts(*wanted).tolist(), strict=True)
        },
        "planner": task.planner,
        "splits": {split: hashes(task, split) for split in task.splits},
    }


def fingerprint(task: Task) -> str:
    """Return a hash of `describe`."""
    text = json.dumps(describe(task), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def hashes(task: Task, split: str) -> dict[str, str]:
    """Return a hash of a split's first levels, and one of what a fixed course of actions shows."""
    engine = Engine(task, split, batch=LEVELS)
    engine.reset(seed=0, levels=np.arange(LEVELS))
    world = engine.world
    levels, observations = hashlib.sha256(), hashlib.sha256()
    for name in ("grid", "inside", "marks", "pose", "memory"):
        levels.update(portable(world[name]))
    shown = ["image", "pose", "inventory", "events", "terminated", "truncated"]
    shown += ["gauges"] if task.gauges else []
    declared = {
        "inventory": len(task.items),
        "events": len(task.events),
        "gauges": len(task.gauges),
    }
    for actions in fixed_actions(task):
        engine.step(actions)
        for name in shown:
            array = world[name]
            observations.update(portable(array[..., : declared.get(name)]))
    return {"levels": levels.hexdigest()[:16], "observations": observations.hexdigest()[:16]}


def portable(array: NDArray) -> bytes:
    """Return the same bytes on every machine."""
    return np.ascontiguousarray(array, "<i8").tobytes()


def fixed_actions(task: Task) -> list[list[int]]:
    """Return actions [STEPS, LEVELS], every second one a step forward."""
    choices = [2] * task.actions + list(range(task.actions))
    return [
        [choices[stream_key("golden", t, b) % len(choices)] for b in range(LEVELS)]
        for t in range(STEPS)
    ]
