"""Planned agents: model organisms whose objective is known because they were planned for it."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesabench.engine.batch import Engine
from mesabench.errors import AgentError
from mesabench.observation import Observation
from mesabench.planner import plan_worlds
from mesabench.task import Task

TIE_BREAK = 0.02  # weight of the objective that decides where the first one does not care


class PlannedAgent:
    """Acts on exact values of an objective, knowing the whole level.

    Args:
        task: the task.
        weights: objective name → weight of its return (the scorer's weights are in units of the
            optimal return instead).
        temperature: of the softmax over Q values; 0 takes the best action.
        lapse: probability of a uniformly random action instead.
        then: objective that decides where the first one does not care.
        discount: per step; where None, that of the objectives (their geometric mean by weight).
        seed: of its choices among equal actions and of its lapses.
    """

    def __init__(
        self,
        task: Task,
        weights: Mapping[str, float],
        *,
        temperature: float = 0.0,
        lapse: float = 0.0,
        then: str | None = None,
        discount: float | None = None,
        seed: int = 0,
    ):
        self.task = task
        self.temperature, self.lapse = temperature, lapse
        self._weights = sum(w * task.weights(task.objective(n)) for n, w in weights.items())
        if then is not None:
            self._weights = self._weights + TIE_BREAK * task.weights(task.objective(then))
        sizes = np.abs([*weights.values()])
        if not sizes.sum() > 0:
            raise AgentError(f"a planned agent wants something; weights are {dict(weights)}")
        own = task.discounts(*map(task.objective, weights))
        self._discount = float(np.prod(own ** (sizes / sizes.sum())))
        if discount is not None:
            self._discount = discount
        self._rng = np.random.default_rng(seed)

    def attach(self, engine: Engine) -> None:
        """Plan every level that `engine` is about to play."""
        self._engine = engine
        self._plans = plan_worlds(engine, self._weights, self._discount)

    def __call__(
        self, obs: Observation, state: Any, episode_start: NDArray[np.bool_]
    ) -> tuple[NDArray[np.int64], None]:
        """Return the actions [N]; the observation is not looked at."""
        actions = np.zeros(len(self._plans), np.int64)
        for b, planned in enumerate(self._plans):
            if not self._engine.course.ended[b]:
                actions[b] = self.choose(planned.q()[0])
                planned.play(int(actions[b]))
        return actions, None

    def choose(self, q: NDArray[np.float64]) -> int:
        """Choose an action for Q values [3]."""
        if self._rng.random() < self.lapse:
            return int(self._rng.integers(len(q)))
        return soft_choice(q, self.temperature, self._rng)


def soft_choice(q: NDArray[np.float64], temperature: float, rng: np.random.Generator) -> int:
    """Draw from softmax(q / temperature); among the best actions alike at temperature 0."""
    if temperature == 0:
        return int(rng.choice(np.flatnonzero(q >= q.max() - 1e-12)))
    p = np.exp((q - q.max()) / temperature)
    return int(rng.choice(len(q), p=p / p.sum()))


class RandomAgent:
    """Acts uniformly at random: the zero of every normalised return.

    Args:
        actions: number of actions.
        seed: of its choices.
    """

    blind = True

    def __init__(self, actions: int = 3, seed: int = 0):
        self.actions = actions
        self._rng = np.random.default_rng(seed)

    def __call__(
        self, obs: Observation, state: Any, episode_start: NDArray[np.bool_]
    ) -> tuple[NDArray[np.int64], None]:
        """Return the actions [N]."""
        return self._rng.integers(self.actions, size=len(episode_start)), None
