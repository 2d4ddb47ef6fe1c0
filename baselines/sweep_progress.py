"""What a sweep shows: a bar over all its runs with the time left, and a bar for each at work.

How far a run is, its own log says, whichever process or machine writes it.
"""

import time
from collections.abc import Sequence
from datetime import timedelta
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn

from mesabench.baselines.child import LOG
from mesabench.baselines.executors import Ended
from mesabench.baselines.grid import Job
from mesabench.baselines.runs import steps_done

QUIET_LINES = 20  # shares of the work after which a line is printed where there is no terminal


class SweepProgress:
    """Shows how far a sweep is.

    Args:
        jobs: the runs that are to be done.
        console: where it is shown.
    """

    def __init__(self, jobs: Sequence[Job], console: Console):
        self.console = console
        self._steps = {job: min(steps_done(job.folder), job.steps) for job in jobs}
        self._logs = {job: log_time(job) for job in jobs}
        self._began, self._before = time.monotonic(), sum(self._steps.values())
        self._count, self._ended, self._told = len(jobs), 0, 0.0
        self._rows: dict[Job, TaskID] = {}
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[note]}"),
            console=console,
            disable=not console.is_terminal,
        )
        self._whole = self._bars.add_task(f"0/{len(jobs)} runs", total=1, note="")

    def __enter__(self) -> "SweepProgress":
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bars.stop()

    def update(self, ended: Sequence[Ended]) -> None:
        """Look at the runs again, and say which have ended."""
        for one in ended:
            self._close(one)
        for job in self._steps:
            if job in self._rows or log_time(job) != self._logs[job]:
                self._look(job)
        done, total = sum(self._steps.values()), sum(job.steps for job in self._steps)
        note = f"{self._time_left(done, total)} left"
        title = f"{self._ended}/{self._count} runs"
        self._bars.update(
            self._whole, description=title, total=total or 1, completed=done, note=note
        )
        share = done / total if total else 1.0
        if ended or share - self._told >= 1 / QUIET_LINES:
            self._told = share
            if not self.console.is_terminal:
                self.console.print(f"{title} ended, {share:.0%} of the steps done, {note}")

    def _close(self, ended: Ended) -> None:
        self._ended += 1
        job = ended.job
        if job in self._rows:
            self._bars.remove_task(self._rows.pop(job))
        if ended.reason is None:
            self._steps[job] = job.steps
            self.console.print(f"finished {job.name}", soft_wrap=True, highlight=False)
        else:  # what it would have trained is work no longer
            self._before -= min(self._before, self._steps.pop(job))
            self.console.print(
                f"FAILED {job.name}: {ended.reason}", soft_wrap=True, markup=False, highlight=False
            )

    def _look(self, job: Job) -> None:
        if self._steps[job] == job.steps and job not in self._rows:
            return
        if job not in self._rows:
            self._rows[job] = self._bars.add_task(job.name, total=job.steps, note="")
        self._steps[job] = min(steps_done(job.folder), job.steps)
        note = "evaluating" if self._steps[job] == job.steps else ""
        self._bars.update(self._rows[job], completed=self._steps[job], note=note)

    def _time_left(self, done: int, total: int) -> str:
        seconds, gained = time.monotonic() - self._began, done - self._before
        if done >= total:
            return "no training"
        if gained <= 0:
            return "some time"
        return str(timedelta(seconds=round(seconds * (total - done) / gained)))


def log_time(job: Job) -> int:
    """Return when a run's output was last written, in nanoseconds; 0 where there is none."""
    log = job.folder / LOG
    return log.stat().st_mtime_ns if log.is_file() else 0
