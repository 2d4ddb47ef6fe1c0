"""`mesabench bench`: how fast things are, each beside its peer in the same run.

Machines differ and are noisy, so ratios matter more than absolute figures. Other packages add
measurements as entry points ``mesabench.benchmarks``: functions from a number of repeats to rows.
"""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import entry_points
from pathlib import Path

import gymnasium as gym
import numpy as np
from rich.console import Console
from rich.table import Table

from mesabench.engine.batch import Engine
from mesabench.errors import MesaBenchError, unknown
from mesabench.planner import plan, survey
from mesabench.registry import get_task

GROUP = "mesabench.benchmarks"
TASK, MAZE = "KeysChests-v0", 13
PEER_BATCH, PEER_SINGLE = "MiniGrid-SimpleCrossingS11N5-v0", "MiniGrid-DoorKey-8x8-v0"
SECONDS = 0.5  # that one repeat of a short measurement takes


@dataclass(frozen=True)
class Row:
    """One measurement.

    Attributes:
        name: what was measured.
        ours: our figure, the median over the repeats.
        unit: its unit.
        peer: the peer's figure in the same unit, None where there is none.
        ratio: how many times better ours is, None without a peer.
        target: the floor below which it is not good enough, and the goal.
    """

    name: str
    ours: float
    unit: str
    peer: float | None = None
    ratio: float | None = None
    target: str = ""


def measure(only: tuple[str, ...], repeats: int, out: Path | None, console: Console) -> None:
    """Run the measurements and print them; write them to `out` as JSON if it is given.

    Raises:
        MesaBenchError: there is no measurement of a name in `only`.
    """
    jobs = measurements()
    if "tasks" in only:
        from mesabench.bench_tasks import task_rows

        jobs["tasks"] = task_rows
    for name in only:
        if name not in jobs:
            raise MesaBenchError(unknown("measurement", name, jobs))
    table = Table("measurement", "ours", "peer", "ratio", "floor / goal", title="mesabench bench")
    rows: list[Row] = []
    for name in only or jobs:
        with console.status(f"measuring {name}"):
            found = jobs[name](repeats)
        for row in found:
            console.print(f"{row.name}: {cells(row)[0]}")
        rows += found
        for row in found:
            table.add_row(row.name, *cells(row), row.target)
    console.print(table)
    if out is not None:
        from mesabench.files import versions, write_atomically

        result = {"versions": versions(), "repeats": repeats, "rows": [asdict(r) for r in rows]}
        write_atomically(out, json.dumps(result, indent=2))


def cells(row: Row) -> tuple[str, str, str]:
    """Return a row's figures as text."""
    peer = "" if row.peer is None else f"{row.peer:,.3g} {row.unit}"
    ratio = "" if row.ratio is None else f"{row.ratio:.1f} x"
    ours = f"{row.ours:,.0f}" if row.ours >= 1000 else f"{row.ours:.3g}"
    return f"{ours} {row.unit}", peer, ratio


def measurements() -> dict[str, Callable[[int], list[Row]]]:
    """Return every measurement by name."""
    own = {
        "engine": engine_rows,
        "single": single_rows,
        "planner": planner_rows,
        "import": import_rows,
    }
    return own | {entry.name: entry.load() for entry in sorted(entry_points(group=GROUP))}


def engine_rows(repeats: int) -> list[Row]:
    """Measure the engine with random actions, its view and a fresh 13 x 13 maze at each end."""
    cases = ((64, 1, "1.5 / 5 M"), (1024, 1, "1.5 / 5 M"), (1024, 2, "3 / 10 M"))
    ours = [engine_runner(batch, threads) for batch, threads, _ in cases]
    peer = peer_runner(64)
    speeds = [[run() for run in (*ours, peer)] for _ in range(repeats)]
    *medians, minigrid = (statistics.median(column) for column in zip(*speeds, strict=True))
    rows = []
    for (batch, threads, target), speed in zip(cases, medians, strict=True):
        beside = batch == 64
        rows.append(
            Row(
                f"engine, batch {batch}, {threads} thread{'s' * (threads > 1)}",
                speed,
                "steps/s",
                minigrid if beside else None,
                speed / minigrid if beside else None,
                target + (", 50 / 200 x" if beside else ""),
            )
        )
    return rows


def engine_runner(batch: int, threads: int) -> Callable[[], float]:
    """Return a function that measures the engine's steps per second."""
    engine = Engine(get_task(TASK), batch=batch, threads=threads, knobs={"size": MAZE, "chests": 6})
    actions = np.random.default_rng(0).integers(0, 3, (256, batch))
    return lambda: rate(lambda i: engine.step(actions[i % 256]), batch)


def peer_runner(batch: int) -> Callable[[], float]:
    """Return a function that measures MiniGrid's steps per second in a `SyncVectorEnv`."""
    import minigrid  # noqa: F401  (registers the peer)

    env = gym.make_vec(PEER_BATCH, batch, vectorization_mode="sync")
    env.reset(seed=0)
    actions = np.random.default_rng(0).integers(0, 3, (256, batch))
    return lambda: rate(lambda i: env.step(actions[i % 256]), batch)


def single_rows(repeats: int) -> list[Row]:
    """Measure `gym.make` beside MiniGrid's DoorKey-8x8."""
    import minigrid  # noqa: F401  (registers the peer)

    ours, peer = gym.make(f"MesaBench/{TASK}"), gym.make(PEER_SINGLE)
    speeds = [[rate(stepper(env), 1) for env in (ours, peer)] for _ in range(repeats)]
    mine, theirs = (statistics.median(column) for column in zip(*speeds, strict=True))
    return [Row("gym.make, one environment", mine, "steps/s", theirs, mine / theirs, "2 / 5 x")]


def stepper(env: gym.Env) -> Callable[[int], None]:
    """Return a function that plays a random action and begins a level when one has ended."""
    actions = np.random.default_rng(0).integers(0, 3, 256)
    env.reset(seed=0)

    def play(i: int) -> None:
        _, _, terminated, truncated, _ = env.step(int(actions[i % 256]))
        if terminated or truncated:
            env.reset()

    return play


def planner_rows(repeats: int) -> list[Row]:
    """Measure Q tables for five weightings of levels with eight things."""
    task = get_task(TASK)
    weights = np.array([[w, 1 - w, 0.0] for w in (0.0, 0.25, 0.5, 0.75, 1.0)])[:, [0, 1, 2]]
    rows = []
    for split in ("train", "test"):
        engine = Engine(task, split, batch=64)
        world = engine.world
        marks = world.marks & task.planned_marks

        def solve(i: int, engine=engine, world=world, marks=marks) -> None:
            b = i % 64
            chart = survey(world.grid[b], marks[b], engine.rules, world.inventory[b, 0])
            plan(chart, weights, task.discount)

        speeds = [rate(solve, 1) for _ in range(repeats)]
        name = f"planner, 5 weightings, 8 things ({split})"
        rows.append(Row(name, statistics.median(speeds), "levels/s", target="100 / 1,000"))
    return rows


def import_rows(repeats: int) -> list[Row]:
    """Measure `import mesabench` in new processes."""
    code = "import time; t = time.perf_counter(); import mesabench; print(time.perf_counter() - t)"
    seconds = [
        float(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)
        for _ in range(repeats)
    ]
    return [Row("import mesabench", statistics.median(seconds), "s", target="at most 1 s")]


def rate(step: Callable[[int], object], worth: int) -> float:
    """Call `step` for a while and return its calls per second, times `worth`."""
    for i in range(3):
        step(i)
    count, chunk, start = 0, 1, time.perf_counter()
    while (elapsed := time.perf_counter() - start) < SECONDS:
        for i in range(count, count + chunk):
            step(i)
        count, chunk = count + chunk, min(2 * chunk, 512)
    return count * worth / elapsed
