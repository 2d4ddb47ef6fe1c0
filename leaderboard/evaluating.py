"""Evaluate many agents, each in a sandbox of its own, some at the same time."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, NamedTuple

from mesabench.agents.planned import RandomAgent
from mesabench.leaderboard.judge import assess
from mesabench.leaderboard.levels import Block
from mesabench.leaderboard.sandbox import Answer, Limits, evaluate_confined
from mesabench.registry import get_task

WARMING = 8  # levels that are played to have everything compiled


class Job(NamedTuple):
    """An agent's file, the levels that it plays, and what its owner says of its training."""

    task: str
    data: bytes
    block: Block
    zero_shot: bool


def evaluate_all(
    jobs: Iterable[Job],
    *,
    workers: int = 2,
    limits: Limits | None = None,
    tell: Callable[[Answer], Any] = lambda _: None,
) -> Iterator[Answer]:
    """Yield what comes of each agent, in order.

    Args:
        jobs: the agents.
        workers: how many are evaluated at the same time.
        limits: what each may use.
        tell: is told of each answer as soon as it is there.
    """

    def one(job: Job) -> Answer:
        found = evaluate_confined(job.data, job.task, job.block, limits, zero_shot=job.zero_shot)
        tell(found)
        return found

    jobs = list(jobs)
    for task in dict.fromkeys(job.task for job in jobs):
        warm(task)
    with ThreadPoolExecutor(max(1, workers)) as pool:
        yield from pool.map(one, jobs)


@cache
def warm(task: str) -> None:
    """Have a task's kernels compiled: a sandbox can read what is compiled, and keeps nothing."""
    found = get_task(task)
    assess(RandomAgent(found.actions), found, Block(0, WARMING, 0))
