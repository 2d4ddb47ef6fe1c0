"""A sweep: do the runs that are not finished, each by itself, and say which failed and why."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from mesabench.baselines.child import LOG
from mesabench.baselines.executors import Ended, Executor
from mesabench.baselines.grid import Job
from mesabench.baselines.locks import hold
from mesabench.baselines.runs import EVALUATION, is_done, refuse_others
from mesabench.baselines.sweep_progress import SweepProgress

PAUSE = 0.5  # seconds between two looks at the runs


def sweep(
    jobs: Sequence[Job], folder: Path, employ: Callable[[], Executor], console: Console
) -> list[Ended]:
    """Do the runs that are not finished; those that were interrupted go on.

    Args:
        jobs: the runs.
        folder: the sweep's, which no other sweep may use at the same time.
        employ: makes what executes them; not called where nothing is left to do.
        console: where progress is shown.

    Returns:
        The runs that failed.

    Raises:
        MesaBenchError: another sweep holds the folder, or the folder of a run holds a run with
            other settings.
        KeyboardInterrupt: after the runs have been stopped and have kept their state.
    """
    with hold(folder):
        for job in jobs:
            refuse_others(job.folder, job.task, job.settings)
        missing = [j for j in jobs if not is_done(j.folder, j.task, j.settings)]
        console.print(f"{len(jobs)} runs, {len(jobs) - len(missing)} of them finished before")
        return execute(missing, employ(), console) if missing else []


def execute(jobs: Sequence[Job], executor: Executor, console: Console) -> list[Ended]:
    """Execute runs and wait for all of them; return those that failed."""
    left, failed = len(jobs), list[Ended]()
    try:
        with SweepProgress(jobs, console) as progress:
            executor.submit(jobs)
            while left:
                ended = [checked(one) for one in executor.poll()]
                left -= len(ended)
                failed += [one for one in ended if one.reason is not None]
                progress.update(ended)
                time.sleep(PAUSE * bool(left))
    finally:
        executor.stop()
    return failed


def checked(ended: Ended) -> Ended:
    """Return how a run ended; one that left nothing here to be seen has failed."""
    job = ended.job
    if ended.reason is not None or is_done(job.folder, job.task, job.settings):
        return ended
    why = f"it ended well, but there is no {EVALUATION}: is {job.folder} on a shared disk?"
    return replace(ended, reason=why)


def report(failed: Sequence[Ended], console: Console) -> None:
    """Say which runs failed, why, and where to read on."""
    for one in failed:
        console.print(f"[red]failed[/red] {one.job.name}", soft_wrap=True, highlight=False)
        for line in (one.reason or "", str(one.job.folder / LOG)):
            console.print("  " + line, soft_wrap=True, highlight=False, markup=False)
