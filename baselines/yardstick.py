"""The yardstick of a search: an agent's return on held-out levels, and on nothing else.

An evaluation reports held-out levels from number 0 on. A search looks at others, from `FIRST` on,
so that what is reported was not picked for being high there. Test levels play no part.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mesabench.adaptivity.outcome import scores
from mesabench.adaptivity.references import BAYES, RANDOM, references_for
from mesabench.agents.kinds import Agent
from mesabench.agents.planned import RandomAgent
from mesabench.evaluation import RANDOM_SEED, STATE_LEVELS
from mesabench.rollout import rollout
from mesabench.scorers.hypotheses import optimal_returns
from mesabench.task import Task
from mesabench.trials import read_history

FIRST = 1 << 16  # number of the first level; evaluations play few from 0 on
SPLIT = "heldout"


class Yardstick:
    """Measures the base return on held-out levels, between a random agent (0) and the best (1).

    The best is the planner; for tasks about learning it is the Bayes learner, and returns are the
    expected rewards of what was chosen.

    Args:
        task: the task.
        levels: how many levels are played; at most `STATE_LEVELS` of a task that is planned on
            all states.
        seed: of the references' choices.
        knobs: level knobs to change.
    """

    def __init__(self, task: Task, levels: int, *, seed: int = 0, **knobs: Any):
        count = min(levels, STATE_LEVELS) if task.planner == "states" else levels
        self.task, self.knobs = task, knobs
        self.levels: Sequence[int] = range(FIRST, FIRST + count)
        if task.trials is None:
            agent = RandomAgent(task.actions, RANDOM_SEED)
            self.floor = self._gained(agent)
            played = rollout(agent, task, SPLIT, self.levels, **knobs)
            self.best = float(optimal_returns(played)[:, 0].mean())
        else:
            others = references_for(task, SPLIT, seed)
            self.floor, self.best = (self._gained(others[name]()) for name in (RANDOM, BAYES))

    def share(self, agent: Agent) -> float:
        """Return (agent − random) / (best − random) of mean returns."""
        return (self._gained(agent) - self.floor) / (self.best - self.floor)

    def _gained(self, agent: Agent) -> float:
        played = rollout(agent, self.task, SPLIT, self.levels, **self.knobs)
        if self.task.trials is None:
            return float(played.returns(self.task.base).mean())
        return float(np.mean(scores(read_history(played)).sum(1)))
