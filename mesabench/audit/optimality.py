"""Unchanged optimality: can one policy be optimal on train and on test (Irpan & Song 2019)?

States are grouped by what the agent observes, at the start of an episode and at decision points,
where objectives part. In each group the sets of base-optimal actions must have one in common. What
an action is worth is read on what the observation shows: unseen cells count as free, so that two
states in one group differ only if something decides that nobody can see, which is what a task must
not have. Tasks whose worlds move on their own are valued on the whole level instead, where
everything
in it is in view. What the whole level says in the same groups is reported beside it: there, states
also differ in what lies out of view, in training as at test.

Whole histories are nearly unique and would make the check empty, so a group is one observation;
where a task is about memory, the first observation of the episode belongs to it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mesabench.engine import codes
from mesabench.engine.batch import Engine
from mesabench.engine.codes import VIEW
from mesabench.engine.layout import step_x, step_y
from mesabench.engine.world import DIR, OBJECT, Rules, X, Y
from mesabench.observation import observe_batch
from mesabench.planner import locate, plan, plan_worlds, survey
from mesabench.planner.decisions import part
from mesabench.rollout import Rollout
from mesabench.task import Task

SAME = 1e-6  # value lost, relative to the best, by an action that is as good
UP = 3  # the direction in which the agent looks on a map made of its view


class Moment(NamedTuple):
    """A state at which the check looks.

    Attributes:
        split: name of the split.
        key: what the agent observes (and first observed, where memory matters).
        q: float64 [3] what the actions are worth to the base objective, by what is in view.
        whole: float64 [3] the same, by the whole level.
    """

    split: str
    key: bytes
    q: NDArray[np.float64]
    whole: NDArray[np.float64]


@dataclass(frozen=True)
class Optimality:
    """Result of the check.

    Attributes:
        groups: how many distinct observations there were.
        shared: how many of them occurred more than once.
        across: how many of them occurred in training and at test.
        violations: share of the shared ones without a common optimal action.
        regret: mean loss of the best common action, relative to the optimum.
        whole_violations, whole_regret: the same, by whole levels.
    """

    groups: int
    shared: int
    across: int
    violations: float
    regret: float
    whole_violations: float
    whole_regret: float


def check_optimality(plays: dict[str, Rollout]) -> Optimality:
    """Check rollouts of base-optimal agents on several splits."""
    groups: dict[bytes, list[Moment]] = {}
    for split, played in plays.items():
        for moment in moments(split, played):
            groups.setdefault(moment.key, []).append(moment)
    shared = [g for g in groups.values() if len(g) > 1]
    across = sum(len({m.split for m in group}) > 1 for group in shared)
    seen = [violation(np.array([m.q for m in group])) for group in shared]
    whole = [violation(np.array([m.whole for m in group])) for group in shared]
    return Optimality(len(groups), len(shared), across, *rates(seen), *rates(whole))


def rates(losses: list[float]) -> tuple[float, float]:
    """Return which share of losses is one, and their mean; 0 of nothing."""
    found = np.array(losses or [0.0])
    return float((found > SAME).mean()), float(found.mean())


def violation(q: NDArray[np.float64]) -> float:
    """Return the mean relative loss of the best common action, given Q [n, 3] of a group.

    It is 0 exactly where one action is optimal for all.
    """
    best = q.max(1, keepdims=True)
    lost = (best - q) / np.maximum(np.abs(best), 1e-12)
    return float(lost.mean(0).min())


def moments(split: str, played: Rollout) -> Iterator[Moment]:
    """Yield the first state of every level, and those at which the candidates part."""
    task = played.task
    engine = played.begin()
    wanted = task.candidates
    plans = plan_worlds(engine, task.weights(*wanted), task.discounts(*wanted))
    values = [
        level.q_along(played.actions[: played.lengths[b], b]) for b, level in enumerate(plans)
    ]
    parts = [part(q) for q in values]
    first: list[bytes] = []
    for t, row in enumerate(played.actions):
        obs = observe_batch(engine)
        for b in np.flatnonzero(row >= 0):
            key = b"".join(np.ascontiguousarray(value[b]).tobytes() for value in obs.values())
            if t == 0:
                first.append(key)
            if t > 0 and not parts[b][t]:
                continue
            q = worth(engine, int(b), obs["image"][b], values[b][t])
            if q is not None:
                key = (first[b] if task.memory else b"") + key
                yield Moment(split, key, q, values[b][t][0])
        engine.step(np.maximum(row, 0))


def worth(
    engine: Engine, b: int, image: NDArray[np.uint8], whole: NDArray[np.float64]
) -> NDArray[np.float64] | None:
    """Return what the actions are worth to the base objective, [3]; None where that is unclear."""
    task, world = engine.task, engine.world
    if task.planner == "states":
        things = ~np.isin(world.grid[b, ..., OBJECT], (codes.EMPTY, codes.WALL))
        bare = (codes.UNSEEN, codes.EMPTY, codes.WALL, codes.AGENT)
        in_view = ~np.isin(image[..., OBJECT], bare)
        return whole[0] if in_view.sum() >= things.sum() else None
    return view_values(task, engine.rules, *view_map(engine, b, image), world.inventory[b, 0])


def view_map(
    engine: Engine, b: int, image: NDArray[np.uint8]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return the agent's view as a level [9, 9, 3] with its marks [9, 9]; the agent looks up."""
    world = engine.world
    x, y, way = (int(i) for i in world.pose[b, 0, [X, Y, DIR]])
    ahead, right = (step_x(way), step_y(way)), (-step_y(way), step_x(way))
    grid = np.zeros((VIEW + 2, VIEW + 2, 3), np.uint8)
    grid[...] = (codes.WALL, codes.GREY, 0)
    marks = np.zeros((VIEW + 2, VIEW + 2), np.uint8)
    known = np.where(image[..., :1] == codes.UNSEEN, np.array([codes.EMPTY, 0, 0]), image)
    grid[1:-1, 1:-1] = known
    for i, j in np.argwhere(image[..., OBJECT] != codes.UNSEEN):
        side, far = int(i) - VIEW // 2, VIEW - 1 - int(j)
        wx = x + far * ahead[0] + side * right[0]
        wy = y + far * ahead[1] + side * right[1]
        if 0 <= wx < world.marks.shape[1] and 0 <= wy < world.marks.shape[2]:
            marks[i + 1, j + 1] = world.marks[b, wx, wy]
    return grid, marks & np.uint8(engine.task.planned_marks)


def view_values(
    task: Task,
    rules: Rules,
    grid: NDArray[np.uint8],
    marks: NDArray[np.uint8],
    inventory: NDArray[np.int32],
) -> NDArray[np.float64]:
    """Return what the actions are worth to the base objective on a map made of a view, [3]."""
    open_ended = rules.copy()
    open_ended.base = 0  # what is left may be out of view
    here = (VIEW // 2 + 1, VIEW)
    chart = survey(grid, marks, open_ended, inventory, here)
    solved = plan(chart, task.weights(task.base), task.discount)
    return solved.q(0, locate(chart, *here, UP))[0]
