"""Plans of whole levels, by whichever planner a task has: what agents and scorers ask for."""

from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mesabench.engine.batch import Engine
from mesabench.engine.world import DIR, X, Y
from mesabench.errors import PlannerError
from mesabench.planner.chart import Chart, survey
from mesabench.planner.plans import Plan, plan
from mesabench.planner.states import StatePlan, explore, follow_states, plan_states
from mesabench.planner.walk import advance, follow, locate


class LevelPlan(Protocol):
    """The optimal values of n objectives on one level, from where it was planned on."""

    def q(self) -> NDArray[np.float64]:
        """Return Q* now, float64 [n, A]."""
        ...

    def play(self, action: int) -> None:
        """Take note of an action."""
        ...

    def q_along(self, actions: ArrayLike) -> NDArray[np.float64]:
        """Return Q* before each of the T actions, played from where the level was planned.

        float64 [T, n, A].
        """
        ...


class TouchLevel:
    """A level planned on the sets of things that have been touched."""

    def __init__(self, solved: Plan, pose: int):
        self.solved = solved
        self._start = self._now = (0, pose)

    def q(self) -> NDArray[np.float64]:
        """Return Q* now, float64 [n, A]."""
        return self.solved.q(*self._now)

    def play(self, action: int) -> None:
        """Take note of an action."""
        touched, pose, _, _ = advance(self.solved.chart, *self._now, action)
        self._now = (int(touched), int(pose))

    def q_along(self, actions: ArrayLike) -> NDArray[np.float64]:
        """Return Q* before each of the actions [T], float64 [T, n, A]."""
        actions = np.asarray(actions, np.int64)
        touched, poses, _, _ = follow(self.solved.chart, *self._start, actions)
        return self.solved.q_along(touched[: len(actions)], poses[: len(actions)])


class StateLevel:
    """A level planned on all of its states."""

    def __init__(self, solved: StatePlan):
        self.solved = solved
        self._now = 0

    def q(self) -> NDArray[np.float64]:
        """Return Q* now, float64 [n, A]."""
        return self.solved.q_along([self._now])[0]

    def play(self, action: int) -> None:
        """Take note of an action."""
        later = int(self.solved.graph.after[self._now, action])
        self._now = later if later >= 0 else self._now  # the last state before the end is kept

    def q_along(self, actions: ArrayLike) -> NDArray[np.float64]:
        """Return Q* before each of the actions [T], float64 [T, n, A]."""
        actions = np.asarray(actions, np.int64)
        return self.solved.q_along(follow_states(self.solved.graph.after, actions)[:-1])


def plan_worlds(engine: Engine, weights: ArrayLike, discounts: ArrayLike) -> list[LevelPlan]:
    """Plan every world of an engine, from its state now, for n objectives.

    Args:
        engine: the worlds.
        weights: [n, E] reward per event.
        discounts: [n] or one, per step. A touch planner takes one.

    Raises:
        PlannerError: the planner of the task refuses a level.
    """
    if engine.task.trials is not None:
        raise PlannerError(f"{engine.task.id} pays by chance: there is nothing to plan")
    if engine.task.planner == "states":
        return [StateLevel(plan_states(graph, weights, discounts)) for graph in explore(engine)]
    (discount,) = np.unique(discounts)
    found: list[LevelPlan] = []
    for b in range(engine.batch):
        chart, pose = chart_world(engine, b), engine.world.pose[b, 0]
        solved = plan(chart, weights, float(discount))
        found.append(TouchLevel(solved, locate(chart, *(int(pose[i]) for i in (X, Y, DIR)))))
    return found


def chart_world(engine: Engine, b: int) -> Chart:
    """Chart world `b` as it is now, without marks that only measure."""
    world = engine.world
    marks = world.marks[b] & engine.task.planned_marks
    start = tuple(world.pose[b, 0, [X, Y]].tolist())
    return survey(world.grid[b], marks, engine.rules, world.inventory[b, 0], start)


def best_values(engine: Engine, weights: ArrayLike, discounts: ArrayLike) -> NDArray[np.float64]:
    """Return the optimal value of every world now under n objectives, float64 [B, n]."""
    plans = plan_worlds(engine, weights, discounts)
    return np.array([level.q().max(1) for level in plans])
