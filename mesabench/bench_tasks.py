"""`mesabench bench --tasks`: every task's engine rate beside KeysChests', and its first `make`."""

import os
import statistics
import subprocess
import sys
import tempfile

import numpy as np

from mesabench.bench import TASK, Row, rate
from mesabench.engine.batch import Engine
from mesabench.registry import get_task, task_ids

BATCH = 64
FIRST_MAKE = """
import time; t = time.perf_counter()
import gymnasium as gym, mesabench
env = gym.make("MesaBench/{name}")
env.reset(seed=0); env.step(2)
print(time.perf_counter() - t)
"""


def task_rows(repeats: int) -> list[Row]:
    """Measure each task's engine rate with random actions, and how long its first `make` takes."""
    runners = {name: runner(name) for name in task_ids()}
    speeds = {name: [] for name in runners}
    for _ in range(repeats):
        for name, run in runners.items():
            speeds[name].append(run())
    medians = {name: statistics.median(found) for name, found in speeds.items()}
    rows = [
        Row(f"{name}, engine", speed, "steps/s", medians[TASK], speed / medians[TASK], "half of it")
        for name, speed in medians.items()
    ]
    for name in runners:
        with tempfile.TemporaryDirectory() as folder:
            fresh, cached = first_make(name, folder), first_make(name, folder)
        rows.append(Row(f"{name}, first make, nothing compiled", fresh, "s", target="at most 6 s"))
        rows.append(Row(f"{name}, first make, from cache", cached, "s", target="at most 0.5 s"))
    return rows


def runner(name: str):
    """Return a function that measures a task's engine steps per second."""
    engine = Engine(get_task(name), batch=BATCH)
    actions = np.random.default_rng(0).integers(0, 3, (256, BATCH))
    return lambda: rate(lambda i: engine.step(actions[i % 256]), BATCH)


def first_make(name: str, cache: str) -> float:
    """Return how long a new process takes to make a task and play a step, in seconds."""
    command = [sys.executable, "-c", FIRST_MAKE.format(name=name)]
    environ = os.environ | {"MESABENCH_CACHE_DIR": cache}
    done = subprocess.run(command, capture_output=True, check=True, text=True, env=environ)
    return float(done.stdout)
