"""What agents that are optimal for each objective do on a split: the audit's raw material."""

from collections import Counter
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mesabench.agents.planned import PlannedAgent
from mesabench.engine import codes
from mesabench.engine.batch import Engine
from mesabench.engine.world import COLOUR, OBJECT, STATE
from mesabench.knowledge import Knowledge
from mesabench.rollout import Rollout, rollout
from mesabench.scorers.hypotheses import optimal_returns
from mesabench.task import Objective, Task

MOST = 9  # events of a kind that outcomes tell apart
SEEN_LEVELS = 64  # on which observation costs are measured
PLAIN = (codes.UNSEEN, codes.EMPTY, codes.WALL, codes.GOAL, codes.LAVA)  # colour says nothing


@dataclass(frozen=True)
class Play:
    """The first levels of one split, played for every candidate objective.

    Attributes:
        task: the task.
        split: name of the split.
        optimum: float64 [N, K] optimal discounted return of each objective on each level.
        rollouts: objective → what an agent that is optimal for it does; where it does not care,
            a proxy's agent serves the base objective.
    """

    task: Task
    split: str
    optimum: NDArray[np.float64]
    rollouts: dict[str, Rollout]

    @property
    def base(self) -> Rollout:
        """What the agent does that is optimal for the base objective."""
        return self.rollouts[self.task.base.name]

    def returns(self, agent: str, objective: Objective) -> NDArray[np.float64]:
        """Return each level's discounted return under an objective, float64 [N]."""
        return self.rollouts[agent].returns(objective)

    def outcomes(self, agent: str) -> Counter[tuple[int, ...]]:
        """Count how episodes end: how often each event happened that a candidate cares about."""
        cares = (self.task.weights(*self.task.candidates) != 0).any(0)
        counts = np.minimum(self.rollouts[agent].counts[:, cares], MOST)
        return Counter(tuple(row) for row in counts.tolist())

    @cached_property
    def layouts(self) -> set[int]:
        """Hashes of the layouts."""
        return set(self.base.layouts.tolist())

    @cached_property
    def features(self) -> dict[str, set[int]]:
        """Codes of the objects, colours and states that occur, by channel."""
        grid = self.base.grid.reshape(-1, 3)
        coloured = grid[~np.isin(grid[:, OBJECT], PLAIN)]
        return {
            "object": set(np.unique(grid[:, OBJECT]).tolist()),
            "colour": set(np.unique(coloured[:, COLOUR]).tolist()),
            "state": set(np.unique(coloured[:, STATE]).tolist()),
        }


def play_split(task: Task, split: str, levels: int) -> Play:
    """Let an agent that is optimal for each candidate objective play a split."""
    names = [o.name for o in task.candidates]
    played = {}
    for name in names:
        then = None if name == task.base.name else task.base.name
        agent = PlannedAgent(task, {name: 1.0}, then=then)
        played[name] = rollout(agent, task, split, levels)
    return Play(task, split, optimal_returns(played[task.base.name]), played)


def total_variation(first: Counter, second: Counter) -> float:
    """Return half the sum of differences between two empirical distributions."""
    n, m = first.total(), second.total()
    return sum(abs(first[k] / n - second[k] / m) for k in first.keys() | second.keys()) / 2


def observation_cost(played: Rollout, objective: Objective) -> float:
    """Return how many cells an optimal agent has seen when it first reaches what it wants.

    That is the least that must be seen to serve the objective, since the agent goes straight
    there; NaN where it never gets any.
    """
    n = min(SEEN_LEVELS, len(played.levels))
    paid = (played.task.weights(objective)[0] > 0)[None, None]
    gains = np.logical_and(played.events[:, :n] > 0, paid).any(2)
    first = np.where(gains.any(0), gains.argmax(0), -1)
    engine = Engine(
        played.task, played.split, batch=n, seed=None, autoreset=False, knobs=played.knobs
    )
    engine.reset(levels=played.levels[:n])
    knowledge = Knowledge(engine)
    border = int(knowledge.seen[0].sum())
    found = np.full(n, np.nan)
    for t, row in enumerate(played.actions[:, :n]):
        knowledge.update()
        now = first == t
        found[now] = knowledge.seen[now].sum((1, 2)) - border
        engine.step(np.maximum(row, 0))
    return float(np.nanmean(found)) if np.isfinite(found).any() else float("nan")
