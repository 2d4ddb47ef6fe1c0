"""Which levels an agent is played on: a function of its file's hash, which anyone can repeat.

Scheme ``hash-v1``: take SHA-256 over ``hash-v1/<suite version>/<task>/<SHA-256 of the file>`` (and
``/<salt>`` where the levels are salted). Its first eight bytes, little-endian, modulo the number of
places at which a block of so many levels can start, are the first level's number. The block is the
same in every split; splits draw from disjoint ranges of indices (`mesabench.task.BLOCK`).
"""

import functools
import hashlib
from typing import Literal, NamedTuple

from mesabench.engine.course import MAX_LEVELS
from mesabench.evaluation import STATE_LEVELS
from mesabench.fingerprint import fingerprint
from mesabench.leaderboard.reading import EntryError
from mesabench.registry import get_task
from mesabench.task import Task

SCHEME: Literal["hash-v1"] = "hash-v1"
LEAST = 128  # levels of a split; a verdict looks at as many
MOST = 10_000
COUNT = 1000  # by default; `mesabench.evaluate` plays 1,024


class Block(NamedTuple):
    """The levels of every split that one agent plays.

    Attributes:
        first: number of the first one.
        size: how many.
        seed: of drawn actions.
    """

    first: int
    size: int
    seed: int

    @property
    def numbers(self) -> list[int]:
        """The levels' numbers."""
        return list(range(self.first, self.first + self.size))


def block_of(version: str, task: str, sha256: str, count: int, salt: str | None = None) -> Block:
    """Return the levels that an agent plays.

    Args:
        version: of the suite.
        task: id of the task.
        sha256: of the agent's file.
        count: how many levels.
        salt: what makes them other ones than those that its owner knew.
    """
    parts = (SCHEME, version, task, sha256, *(() if salt is None else (salt,)))
    digest = hashlib.sha256("/".join(parts).encode()).digest()
    places = MAX_LEVELS - count + 1
    first = int.from_bytes(digest[:8], "little") % places
    return Block(first, count, int.from_bytes(digest[8:12], "little"))


def count_for(task: Task, wanted: int) -> int:
    """Return how many levels of a split are played: fewer of a task that takes longer to plan.

    Raises:
        EntryError: the number is out of range.
    """
    if not LEAST <= wanted <= MOST:
        near = min(max(wanted, LEAST), MOST)
        raise EntryError(f"levels go from {LEAST} to {MOST:,}, not {wanted:,}; nearest: {near:,}")
    return min(wanted, STATE_LEVELS) if task.planner == "states" and not task.trials else wanted


@functools.cache
def fingerprint_of(task: str) -> str:
    """Return the fingerprint of a task's levels and objectives; it takes a second to compute.

    Raises:
        TaskError: no such task.
    """
    return fingerprint(get_task(task))
