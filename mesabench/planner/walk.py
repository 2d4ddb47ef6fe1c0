"""Follow an agent through a chart: which state it is in, and which one an action leads to."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mesabench.engine.cache import inner, kernel
from mesabench.engine.codes import FORWARD, LEFT, RIGHT
from mesabench.errors import PlannerError
from mesabench.planner.chart import BUMP, OVER, WALK, Chart
from mesabench.planner.ground import AHEAD, ECHO, FATAL, FRONT, turned
from mesabench.planner.things import EVENTS, PASSABLE


def locate(chart: Chart, x: int, y: int, way: int) -> int:
    """Return the number of the pose at cell (x, y) in direction `way`.

    Raises:
        PlannerError: nobody can stand there.
    """
    width, height = chart.cells.shape
    if not (0 <= x < width and 0 <= y < height) or chart.cells[x, y] < 0:
        raise PlannerError(f"no pose at {(int(x), int(y))}: the cell can never be entered")
    return 4 * int(chart.cells[x, y]) + int(way)


@inner
def step_pose(chart, s, pose):
    """Return the pose after a step forward in set `s`, whatever else the step does."""
    thing = chart.poses[pose, FRONT]
    if thing < 0:
        return chart.poses[pose, AHEAD]
    outcome = chart.outcome[s, thing]
    if outcome == BUMP or (outcome != WALK and not chart.things[thing, PASSABLE]):
        return pose
    return chart.poses[pose, AHEAD]


@kernel
def advance(chart, s, pose, action):
    """Play one action.

    Args:
        chart: the level.
        s: number of the set of touched things.
        pose: number of the pose.
        action: left, right or forward; any other action does nothing.

    Returns:
        The set number and the pose afterwards, the mask of the events emitted, and whether the
        episode ended (the set then is the one before).
    """
    if action == LEFT:
        return s, turned(pose, 3), 0, False
    if action == RIGHT:
        return s, turned(pose, 1), 0, False
    if action != FORWARD:
        return s, pose, 0, False
    after = step_pose(chart, s, pose)
    thing = chart.poses[pose, FRONT]
    if thing < 0:
        echo = chart.poses[pose, ECHO]
        ended = chart.poses[pose, FATAL] != 0 or (echo != 0 and chart.spent[s])
        return s, after, echo, ended
    outcome = np.int64(chart.outcome[s, thing])
    if outcome < OVER:
        return s, after, 0, False
    events = chart.things[thing, EVENTS]
    if outcome == OVER:
        return s, after, events, True
    return outcome, after, events, False


@kernel
def follow_actions(chart, s, pose, actions):
    """See `follow`."""
    touched, poses = np.empty(len(actions) + 1, np.int64), np.empty(len(actions) + 1, np.int64)
    events = np.zeros(len(actions), np.int64)
    touched[0], poses[0] = s, pose
    for t in range(len(actions)):
        s, pose, events[t], ended = advance(chart, s, pose, actions[t])
        touched[t + 1], poses[t + 1] = s, pose
        if ended:
            return touched[: t + 2], poses[: t + 2], events[: t + 1], True
    return touched, poses, events, False


def follow(
    chart: Chart, touched: int, pose: int, actions: ArrayLike
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], bool]:
    """Play actions from a state until they, or the episode, come to an end after T steps.

    Args:
        chart: the level.
        touched: number of the set of touched things.
        pose: number of the pose.
        actions: whole numbers [at least T].

    Returns:
        Set numbers [T + 1], poses [T + 1], event masks [T], and whether the episode ended.
    """
    actions = np.ascontiguousarray(actions, np.int64)
    return follow_actions(chart, int(touched), int(pose), actions)
