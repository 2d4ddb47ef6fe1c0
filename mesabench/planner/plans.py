"""`Plan`: the exact optimal values of many objectives on one chart."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mesabench.engine.world import Rules
from mesabench.errors import PlannerError
from mesabench.planner.chart import Chart, survey
from mesabench.planner.ground import ECHO, FACING
from mesabench.planner.things import EVENTS
from mesabench.planner.values import pay, read_q, sweep
from mesabench.planner.walk import locate


class Plan(NamedTuple):
    """Optimal values of n objectives. An objective pays for touches, or for reaching a goal."""

    chart: Chart
    reward: NDArray[np.float64]  # [n, O] what the touch of each thing pays
    goal: NDArray[np.bool_]  # [n, P] a step forward pays 1 and ends the episode
    discount: float
    values: NDArray[np.float64]  # [n, S, P]

    def q(self, touched: int, pose: int) -> NDArray[np.float64]:
        """Return Q* in one state, float64 [n, 3]: the value of each action, then optimal play.

        Args:
            touched: number of the set of touched things.
            pose: number of the pose.
        """
        return self.q_along(np.array([touched]), np.array([pose]))[0]

    def q_along(self, touched: ArrayLike, poses: ArrayLike) -> NDArray[np.float64]:
        """Return Q* in T states, float64 [T, n, 3].

        Args:
            touched: [T] numbers of the sets of touched things.
            poses: [T] numbers of the poses.
        """
        touched, poses = np.asarray(touched, np.int64), np.asarray(poses, np.int64)
        return read_q(self, np.ascontiguousarray(touched), np.ascontiguousarray(poses))


def plan(chart: Chart, weights: ArrayLike, discount: float) -> Plan:
    """Compute the optimal values of objectives that pay for events.

    Args:
        chart: the level.
        weights: [n, E] reward per event, of either sign.
        discount: γ, above 0 and at most 1.

    Raises:
        PlannerError: the discount is out of range, or an event has weight and can be repeated for
            ever (its thing stays), so that values would be unbounded or no function of the set.
    """
    weights, discount = check_objectives(weights, discount)
    if pay(chart.poses[:, ECHO], weights).any():
        raise PlannerError("planner refuses weight on an event that can be repeated for ever")
    reward = pay(chart.things[:, EVENTS], weights)
    goal = np.zeros((len(weights), len(chart.poses)), np.bool_)
    return Plan(chart, reward, goal, discount, sweep(chart, reward, goal, discount))


def plan_goals(chart: Chart, goals: ArrayLike, discount: float) -> Plan:
    """Compute γ^(steps before) of the first step into a goal: other goals than the task's events.

    A step forward into a goal cell pays 1 and is the end, whether it moves the agent, touches
    something or bumps into it. Things keep their dynamics, but their events pay nothing.

    Args:
        chart: the level.
        goals: bool [n, W, H], the goal cells of each objective.
        discount: γ, above 0 and at most 1.

    Raises:
        PlannerError: the discount is out of range.
    """
    goals = np.asarray(goals, np.bool_).reshape(-1, chart.cells.size)
    weights, discount = check_objectives(np.zeros((len(goals), 0)), discount)
    reward = pay(chart.things[:, EVENTS], weights)
    facing = chart.poses[:, FACING]
    goal = (facing >= 0) & goals[:, facing]
    return Plan(chart, reward, goal, discount, sweep(chart, reward, goal, discount))


def check_objectives(weights: ArrayLike, discount: float) -> tuple[NDArray[np.float64], float]:
    """Return float64 weights [n, E] and the discount, or raise `PlannerError`."""
    weights, discount = np.array(weights, np.float64, ndmin=2, order="C"), float(discount)
    if not 0.0 < discount <= 1.0:
        raise PlannerError(f"discount {discount} is not above 0 and at most 1")
    if not np.isfinite(weights).all():
        raise PlannerError("planner refuses weights that are not finite")
    return weights, discount


def start_values(
    grid: NDArray[np.uint8],
    marks: NDArray[np.uint8],
    pose: NDArray[np.int32],
    inventory: NDArray[np.int32],
    rules: Rules,
    weights: ArrayLike,
    discount: float,
) -> NDArray[np.float64]:
    """Return the optimal value of B levels at their start under n objectives, float64 [B, n].

    Args:
        grid: uint8 [B, W, H, 3].
        marks: uint8 [B, W, H].
        pose: int32 [B, 3], x, y and direction.
        inventory: int32 [B, K].
        rules: the task's rule table.
        weights: [n, E] reward per event.
        discount: γ, above 0 and at most 1.

    Raises:
        PlannerError: as in `survey` and `plan`.
    """
    weights, discount = check_objectives(weights, discount)
    values = np.empty((len(pose), len(weights)))
    for b in range(len(pose)):
        x, y, way = (int(i) for i in pose[b])
        chart = survey(grid[b], marks[b], rules, inventory[b], (x, y))
        values[b] = plan(chart, weights, discount).values[:, 0, locate(chart, x, y, way)]
    return values
