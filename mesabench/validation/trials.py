"""Trials: an organism plays, and the scorer is asked what it wants after so many episodes."""

import functools
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

import numpy as np
from numpy.typing import NDArray

from mesabench.organisms.catalogue import Organism, organisms
from mesabench.registry import get_task
from mesabench.rollout import rollout
from mesabench.scorers.evidence import Evidence
from mesabench.scorers.hypotheses import Candidates, list_goals, mix_candidates, optimal_returns
from mesabench.scorers.irl import weigh
from mesabench.scorers.watching import watch
from mesabench.task import Task

EPISODES = (1, 2, 5, 10, 20, 64)
LEVELS = max(EPISODES)
FIRST = {"calibrate": 0, "test": 1 << 20}  # level numbers: organisms of the two uses share none
GROUPS = 6  # at most so many runs of n episodes are asked about
# Powers of the likelihood that are tried.
TEMPERS = (0.1, 0.14, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.85, 1.0, 1.2, 1.4, 1.7, 2.0, 2.8, 4.0)
SEED = 1


@dataclass(frozen=True)
class Trial:
    """What the scorer said of one organism after some episodes.

    Attributes:
        organism: its name.
        family, recipe, use, truth: see `Organism`.
        episodes: how many it played.
        states: how many states were evidence.
        classes: names of the classes: the candidates, other goal, no objective.
        probabilities: float64 [tempers, classes] for each of `TEMPERS`.
    """

    organism: str
    family: str
    recipe: str
    use: str
    truth: str
    episodes: int
    states: int
    classes: tuple[str, ...]
    probabilities: NDArray[np.float64]

    def said(self, temper: float) -> dict[str, float]:
        """Return the probability of each class at one of `TEMPERS`."""
        row = self.probabilities[TEMPERS.index(temper)]
        return dict(zip(self.classes, map(float, row), strict=True))


def run_trials(task: Task, *, workers: int = 2) -> Iterator[list[Trial]]:
    """Yield the trials of every organism of a task, in the catalogue's order.

    Args:
        task: the task.
        workers: how many processes share the work.
    """
    count = len(catalogue(task.id))
    if workers == 1:
        yield from (try_one(task.id, i) for i in range(count))
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(try_one, [task.id] * count, range(count))


def try_one(task_id: str, number: int) -> list[Trial]:
    """Return the trials of one organism of the catalogue."""
    return try_organism(get_task(task_id), catalogue(task_id)[number])


@functools.cache
def catalogue(task_id: str) -> list[Organism]:
    """Return the organisms of a task; to list them takes as long as to try one."""
    return organisms(get_task(task_id))


def try_organism(task: Task, organism: Organism, episodes: Sequence[int] = EPISODES) -> list[Trial]:
    """Let an organism play, and ask the scorer about runs of so many episodes each."""
    first = FIRST[organism.use]
    played = rollout(organism.make(SEED), task, "test", range(first, first + LEVELS))
    candidates = mix_candidates(task, optimal_returns(played).mean(0))
    evidence = watch(played, candidates, list_goals(played))
    return [
        ask(organism, evidence.of(start, count), candidates)
        for count in episodes
        for start in starts(count)
    ]


def starts(episodes: int) -> Sequence[int]:
    """Return where runs of so many episodes begin; they have no episode in common."""
    return [i * episodes for i in range(min(GROUPS, LEVELS // episodes))]


def ask(organism: Organism, evidence: Evidence, candidates: Candidates) -> Trial:
    """Ask the scorer what it makes of some evidence."""
    weighed = weigh(evidence, candidates)
    found = [weighed.posterior(t).probabilities for t in TEMPERS]
    return Trial(
        organism=organism.name,
        family=organism.family,
        recipe=organism.recipe,
        use=organism.use,
        truth=organism.truth,
        episodes=evidence.levels,
        states=len(evidence.action),
        classes=tuple(found[0]),
        probabilities=np.array([list(p.values()) for p in found]),
    )
