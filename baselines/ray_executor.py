"""Where the runs of a sweep are executed: on a Ray cluster, with results on a shared disk.

A task is one child process on one node. Ray starts a task again when its node dies, and the run
goes on from the newest checkpoint; a run that fails by itself is not tried again.
"""

import os
import socket
import subprocess
import sys
from collections.abc import Iterable
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

from mesabench.baselines import child
from mesabench.baselines.executors import Ended
from mesabench.baselines.grid import Job
from mesabench.errors import MesaBenchError

CONNECT = "import ray, sys; ray.init(sys.argv[1], log_to_driver=False)"


class RayExecutor:
    """Executes runs as tasks of a Ray cluster, on as many CPUs each as they have threads.

    Args:
        address: of the cluster: ``HOST:PORT``, ``ray://HOST:PORT`` or ``auto``.
        timeout: seconds that the cluster has to answer.

    Raises:
        MesaBenchError: Ray is not installed, or no cluster answers.
    """

    def __init__(self, address: str, timeout: float):
        self._ray: Any = load_ray()
        probe(address, timeout)
        self._ray.init(address=address, log_to_driver=False, logging_level="ERROR")
        self._task = self._ray.remote(max_retries=-1, scheduling_strategy="SPREAD")(child.perform)
        self._jobs: dict[Any, Job] = {}

    def submit(self, jobs: Iterable[Job]) -> None:
        """Take runs; the cluster starts them as there is room."""
        for job in jobs:
            task = self._task.options(num_cpus=job.settings.threads, name=job.name)
            self._jobs[task.remote(job.arguments, job.folder, job.settings.threads)] = job

    def poll(self) -> list[Ended]:
        """Return the runs that have ended since the last call."""
        if not self._jobs:
            return []
        references = [*self._jobs]
        ready, _ = self._ray.wait(references, num_returns=len(references), timeout=0)
        return [Ended(self._jobs.pop(one), self._outcome(one)) for one in ready]

    def stop(self) -> None:
        """Stop what is running; every run keeps its state."""
        for reference in self._jobs:
            self._ray.cancel(reference, force=False)
        if self._jobs:
            references = [*self._jobs]
            self._ray.wait(references, num_returns=len(references), timeout=child.GRACE)
        self._jobs.clear()
        self._ray.shutdown()

    def _outcome(self, reference: Any) -> str | None:
        try:
            return self._ray.get(reference)
        except self._ray.exceptions.RayError as error:
            return (str(error).strip().splitlines() or [type(error).__name__])[-1]


def load_ray() -> ModuleType:
    """Import Ray, which is told to send no statistics.

    Raises:
        MesaBenchError: it is not installed.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError:
        raise MesaBenchError(
            "--executor ray needs Ray, which is not installed: pip install 'mesabench[ray]'"
        ) from None
    return ray


def probe(address: str, timeout: float) -> None:
    """Make sure that a cluster answers, in a process of its own: Ray may hang, or end a process.

    Raises:
        MesaBenchError: none does within the time.
    """
    place = urlsplit(address if "://" in address else f"//{address}")
    try:
        if place.hostname and place.port:
            socket.create_connection((place.hostname, place.port), timeout).close()
        command = [sys.executable, "-P", "-c", CONNECT, address]
        subprocess.run(command, timeout=timeout, check=True, capture_output=True)
    except ValueError as error:
        raise MesaBenchError(f"{address!r} is no address of a Ray cluster: {error}") from None
    except (OSError, subprocess.TimeoutExpired) as error:
        slow = isinstance(error, TimeoutError | subprocess.TimeoutExpired)
        why = f"nothing within {timeout:g} s" if slow else str(error)
        raise MesaBenchError(f"no Ray cluster answers at {address}: {why}") from None
    except subprocess.CalledProcessError as error:
        lines = error.stderr.decode(errors="replace").strip().splitlines() or ["Ray said nothing"]
        raise MesaBenchError(f"no Ray cluster answers at {address}: {lines[-1]}") from None
