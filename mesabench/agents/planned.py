"""Planned agents: model organisms whose objective is known because they were planned for it."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesabench.engine.batch import Engine
from mesabench.engine.world import DIR, X, Y
from mesabench.observation import Observation
from mesabench.planner import Chart, Plan, advance, locate, plan, survey
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
        seed: int = 0,
    ):
        self.task = task
        self.temperature, self.lapse = temperature, lapse
        self._weights = sum(w * task.weights(task.objective(n)) for n, w in weights.items())
        if then is not None:
            self._weights = self._weights + TIE_BREAK * task.weights(task.objective(then))
        self._rng = np.random.default_rng(seed)

    def attach(self, engine: Engine) -> None:
        """Plan every level that `engine` is about to play."""
        self._engine = engine
        self._plans = [self._plan(b) for b in range(engine.batch)]
        self._touched = [0] * engine.batch

    def _plan(self, b: int) -> Plan:
        chart = chart_world(self._engine, b)
        return plan(chart, self._weights, self.task.discount)

    def __call__(
        self, obs: Observation, state: Any, episode_start: NDArray[np.bool_]
    ) -> tuple[NDArray[np.int64], None]:
        """Return the actions [N]; the observation is not looked at."""
        engine, actions = self._engine, np.zeros(len(self._plans), np.int64)
        for b, planned in enumerate(self._plans):
            if engine.course.ended[b]:
                continue
            chart, pose = planned.chart, engine.world.pose[b, 0]
            here = locate(chart, int(pose[X]), int(pose[Y]), int(pose[DIR]))
            actions[b] = self.choose(planned.q(self._touched[b], here)[0])
            self._touched[b] = int(advance(chart, self._touched[b], here, int(actions[b]))[0])
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


def chart_world(engine: Engine, b: int) -> Chart:
    """Chart world `b` as it is now, without marks that only measure."""
    world = engine.world
    marks = world.marks[b] & engine.task.planned_marks
    start = tuple(world.pose[b, 0, [X, Y]].tolist())
    return survey(world.grid[b], marks, engine.rules, world.inventory[b, 0], start)


class RandomAgent:
    """Acts uniformly at random: the zero of every normalised return.

    Args:
        actions: number of actions.
        seed: of its choices.
    """

    def __init__(self, actions: int = 3, seed: int = 0):
        self.actions = actions
        self._rng = np.random.default_rng(seed)

    def __call__(
        self, obs: Observation, state: Any, episode_start: NDArray[np.bool_]
    ) -> tuple[NDArray[np.int64], None]:
        """Return the actions [N]."""
        return self._rng.integers(self.actions, size=len(episode_start)), None
