"""`Shards`: threads that share the worlds of a batch."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any


class Shards:
    """Runs a task's batch loop, each thread on worlds of its own.

    Args:
        batch: number of worlds.
        threads: how many threads share them; the caller's is one of them.
    """

    def __init__(self, batch: int, threads: int):
        count = max(1, threads)
        self._bounds = [(batch * i // count, batch * (i + 1) // count) for i in range(count)]
        self._pool = ThreadPoolExecutor(count - 1) if count > 1 else None

    def run(self, advance: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        """Call ``advance(*arguments, low, high)`` for every shard, and wait for all of them."""
        if self._pool is None:
            advance(*arguments, *self._bounds[0])
            return
        first, *others = self._bounds
        jobs = [self._pool.submit(advance, *arguments, *bounds) for bounds in others]
        advance(*arguments, *first)
        for job in jobs:
            job.result()
