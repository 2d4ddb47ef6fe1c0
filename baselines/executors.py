"""Where the runs of a sweep are executed: in processes of this machine."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from subprocess import Popen
from typing import Protocol

from mesabench.baselines import child
from mesabench.baselines.grid import Job


@dataclass(frozen=True)
class Ended:
    """A run that has ended.

    Attributes:
        job: the run.
        reason: why it failed; None where it did not.
    """

    job: Job
    reason: str | None = None


class Executor(Protocol):
    """Executes runs; it is asked again and again what has become of them."""

    def submit(self, jobs: Iterable[Job]) -> None:
        """Take runs, to be started in this order as there is room."""
        ...

    def poll(self) -> list[Ended]:
        """Return at once the runs that have ended since the last call."""
        ...

    def stop(self) -> None:
        """Stop what is running; every run keeps its state."""
        ...


class LocalExecutor:
    """Executes runs in processes of this machine.

    Args:
        most: how many run at once.
    """

    def __init__(self, most: int):
        self.most = most
        self._waiting: deque[Job] = deque()
        self._running: dict[Popen[bytes], Job] = {}

    def submit(self, jobs: Iterable[Job]) -> None:
        """Take runs, to be started in this order as there is room."""
        self._waiting.extend(jobs)

    def poll(self) -> list[Ended]:
        """Start what there is room for, and return the runs that have ended."""
        ended = []
        for process, job in [*self._running.items()]:
            if (code := process.poll()) is not None:
                del self._running[process]
                child.stop([process])
                ended.append(Ended(job, child.reason(job.folder, code)))
        while self._waiting and len(self._running) < self.most:
            job = self._waiting.popleft()
            try:
                process = child.start(job.arguments, job.folder, job.settings.threads)
            except OSError as error:
                ended.append(Ended(job, f"it could not be started: {error}"))
            else:
                self._running[process] = job
        return ended

    def stop(self) -> None:
        """Stop what is running; every run keeps its state."""
        self._waiting.clear()
        child.stop([*self._running])
        self._running.clear()
