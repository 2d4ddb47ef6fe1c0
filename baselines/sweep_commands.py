"""The command `mesabench sweep`. What it needs is imported when it is called."""

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro
from rich.console import Console

from mesabench.baselines.algorithms import FLAGSHIP
from mesabench.baselines.grid import Grid
from mesabench.errors import MesaBenchError
from mesabench.knobs import check_evaluation

if TYPE_CHECKING:
    from mesabench.baselines.executors import Executor


def sweep(
    tasks: Annotated[tuple[str, ...], tyro.conf.Positional],
    /,
    algorithms: tuple[str, ...] = (FLAGSHIP,),
    seeds: tuple[int, ...] = (0,),
    alphas: tuple[float, ...] = (),
    num_levels: tuple[int | Literal["none"], ...] = (),
    steps: int | None = None,
    changes: Annotated[tuple[str, ...], tyro.conf.arg(name="set", metavar="KEY=VALUE...")] = (),
    tuned: bool = True,
    levels: int = 1024,
    out: Path = Path("runs/sweep"),
    jobs: int | None = None,
    executor: Literal["local", "ray"] = "local",
    address: str | None = None,
    timeout: float = 30.0,
    only_list: Annotated[bool, tyro.conf.arg(name="list"), tyro.conf.FlagCreatePairsOff] = False,
) -> None:
    """Train and evaluate over tasks × algorithms × seeds × alphas × numbers of levels.

    Settings are those of baselines/configs/<task>.yaml, or the defaults. Each run is a process that
    does `mesabench run`, in a folder of its own: out/<task>/<algorithm>-seed<seed>. The same
    command goes on where a stopped one was; runs that are finished are left as they are. The exit
    status is 1 where a run failed.

    Args:
        tasks: ids of tasks; `tier-a`, `objective`, `learning` and `all` stand for several.
        algorithms: names of algorithms.
        seeds: of the runs.
        alphas: shares of test-like levels in training.
        num_levels: numbers of levels that are trained on; none for all levels.
        steps: environment steps of each run; those of the settings where it is not given.
        changes: settings to change in every run.
        tuned: begin from the tuned settings; from the algorithm's defaults with --no-tuned.
        levels: levels of each split on which agents are evaluated; finished runs keep theirs.
        out: folder of the sweep.
        jobs: runs at once on this machine; as many as it has processors where it is not given.
        executor: where the runs are executed: by processes of this machine or on a Ray cluster.
        address: of the Ray cluster: HOST:PORT, ray://HOST:PORT or auto.
        timeout: seconds that the Ray cluster has to answer.
        only_list: print the command of every run, one a line, finished or not, and do nothing.
    """
    check_evaluation(levels)
    if (executor == "ray") != (address is not None):
        raise MesaBenchError("--executor ray and --address HOST:PORT go together")
    numbers = [None if number == "none" else number for number in num_levels]
    grid = Grid(tasks, algorithms, seeds, alphas, numbers, steps, changes, tuned)
    runs = grid.jobs(out.resolve() if executor == "ray" else out, levels)
    if only_list:
        for job in runs:
            print(shlex.join(["mesabench", *job.arguments]))
        return
    from mesabench.baselines.sweep import report
    from mesabench.baselines.sweep import sweep as do_all

    console = Console()
    searched, pairs = grid.tuned_pairs()
    if 0 < searched < pairs:  # of which a table of algorithms says nothing
        console.print(
            f"{searched} of {pairs} pairs of task and algorithm begin from tuned settings, the "
            "others from defaults; --no-tuned compares algorithms at their defaults",
            soft_wrap=True,
            highlight=False,
        )
    try:
        failed = do_all(runs, out, lambda: choose(executor, jobs, address, timeout), console)
    except KeyboardInterrupt:
        console.print("stopped; the runs kept their state. To go on, give the same command again:")
        again = shlex.join(["mesabench", *sys.argv[1:]])
        console.print("  " + again, soft_wrap=True, markup=False, highlight=False)
        raise
    report(failed, console)
    if failed:
        sys.exit(1)


def choose(
    executor: Literal["local", "ray"], jobs: int | None, address: str | None, timeout: float
) -> "Executor":
    """Return what executes the runs; arguments as those of the command.

    Raises:
        MesaBenchError: no Ray cluster answers.
    """
    if executor == "ray":
        from mesabench.baselines.ray_executor import RayExecutor

        return RayExecutor(address or "auto", timeout)
    from mesabench.baselines.executors import LocalExecutor

    return LocalExecutor(max(jobs or os.cpu_count() or 1, 1))
