"""`Judge`: finds the evidence in a rollout (see `evidence`), by a planner that charts the map."""

import numpy as np
from numpy.typing import NDArray

from mesabench.engine.codes import EMPTY, GREY, ON_TOUCH, WALL
from mesabench.engine.world import COLOUR, OBJECT, Rules, X, Y
from mesabench.planner import (
    Chart,
    Plan,
    follow,
    locate,
    plan,
    plan_goals,
    survey,
)
from mesabench.planner.decisions import part
from mesabench.rollout import Rollout
from mesabench.scorers.evidence import Evidence, Values, read
from mesabench.scorers.habits import count
from mesabench.scorers.hypotheses import Candidates, Goal, goal_cells, inert_kinds
from mesabench.scorers.replay import Replay, Stretch, replay

VISIT, LOOK = "visit new cells", "look at new cells"  # goals that are not places


class Judge:
    """Values, at the states that tell candidates apart, what a rollout's agents did.

    Args:
        rollout: the episodes.
        candidates: the mixtures of candidate objectives.
        goals: the places and things that might be goals instead.
    """

    def __init__(self, rollout: Rollout, candidates: Candidates, goals: list[Goal]):
        self.task, self.rollout = rollout.task, rollout
        self.candidates, self.goals = candidates, goals
        self.inert = inert_kinds(rollout)
        self._pure = self.task.weights(*self.task.candidates)

    def watch(self) -> Evidence:
        """Replay all episodes and gather the evidence."""
        replayed = replay(self.rollout)
        by_level: dict[int, list[Stretch]] = {}
        for stretch in replayed.stretches:
            by_level.setdefault(stretch.level, []).append(stretch)
        found = [
            part for stretches in by_level.values() for part in self._level(replayed, stretches)
        ]
        return self._collect(replayed, found)

    def _collect(self, replayed: Replay, found: list[tuple]) -> Evidence:
        names = (*(g.name for g in self.goals), VISIT, LOOK)
        nothing = (np.zeros(0, np.int64), np.zeros(0, np.int64))
        mixtures = len(self.candidates.weights)
        none = (*nothing, np.zeros((0, 2, mixtures, 3)), np.zeros((0, 2, len(names), 3)))
        level, step, mixed, other = (np.concatenate(p) for p in zip(none, *found, strict=True))
        actions, levels = self.rollout.actions.astype(np.int64), len(self.rollout.levels)
        played = np.nonzero(actions >= 0)
        return Evidence(
            level=level,
            step=step,
            action=actions[step, level],
            candidates=read(mixed, self.candidates.discounts[:, None]),
            goals=read(other, self.task.discount),
            goal_names=names,
            contexts=replayed.contexts[step, level],
            habits=count(replayed.contexts[played], actions[played], played[1], levels),
            levels=levels,
        )

    def _level(
        self, replayed: Replay, stretches: list[Stretch]
    ) -> list[tuple[NDArray[np.int64], NDArray[np.int64], Values, Values]]:
        """Return level [n], steps [n], Q by view [n, 2, H, 3] and [n, 2, G, 3] by stretch."""
        b = stretches[0].level
        ends = [*(s.start for s in stretches[1:]), int(self.rollout.lengths[b])]
        found, whole = [], None
        for stretch, end in zip(stretches, ends, strict=True):
            steps = self._telling(stretch, first_times(self.rollout, b, stretch.start, end))
            if len(steps) == 0:
                continue
            whole = whole or WholeLevel(self, replayed, b)
            near = self._poses(stretch.chart, b, steps)
            assert stretch.chart is not None
            mixed = plan(stretch.chart, self.candidates.weights, self.task.discount)
            q = np.stack([mixed.q_along(np.zeros_like(near), near), whole.q(steps)], 1)
            known = goal_plans(self, replayed, stretch.grid)
            goals = [self._goals(view, stretch, steps) for view in (known, whole.goals)]
            found.append((np.full_like(steps, b), steps, q, np.stack(goals, 1)))
        return found

    def _poses(self, chart: Chart | None, b: int, steps: NDArray[np.int64]) -> NDArray[np.int64]:
        assert chart is not None
        return np.array([locate(chart, *map(int, self.rollout.poses[t, b])) for t in steps])

    def _telling(self, stretch: Stretch, steps: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return those of the steps at which the candidates, as far as one sees, disagree.

        None of them if a candidate has something left and none of that has been seen.
        """
        if not stretch.left.any():
            return steps[:0]
        poses = self._poses(stretch.chart, stretch.level, steps)
        assert stretch.chart is not None
        pure = plan(stretch.chart, self._pure, self.task.discount)
        q = pure.q_along(np.zeros_like(poses), poses)
        unseen = (stretch.left & (q[0].max(1) <= 0)).any()
        return steps[:0] if unseen else steps[part(q)]

    def _goals(self, view: Plan, stretch: Stretch, steps: NDArray[np.int64]) -> Values:
        """Return Q [n, G, 3] of all other goals, 0 for those that have been reached."""
        b, n = stretch.level, len(steps)
        near, nothing = self._poses(view.chart, b, steps), np.zeros(n, np.int64)
        been = first_visits(self.rollout, b)[None] <= steps[:, None, None]
        ground = view.chart.cells >= 0  # to bump into a wall is no visit
        roaming = np.concatenate([ground & ~been, ~stretch.seen[None]])
        roam = plan_goals(view.chart, roaming, self.task.discount).q_along(nothing, near)
        visit, look = roam[np.arange(n), np.arange(n)], roam[:, n]
        q = np.concatenate([view.q_along(nothing, near), visit[:, None], look[:, None]], 1)
        places = goal_cells(self.goals, stretch.grid, self.inert)
        q[:, : len(self.goals)][(been[:, None] & places).any((2, 3))] = 0.0
        return q


class WholeLevel:
    """Values in one level for an agent that knows all of it."""

    def __init__(self, judge: Judge, replayed: Replay, b: int):
        self.judge, self.replayed = judge, replayed
        task, rollout = judge.task, judge.rollout
        x, y, way = (int(i) for i in rollout.poses[0, b])
        marks = rollout.marks[b] & task.planned_marks
        chart = survey(rollout.grid[b], marks, replayed.rules, rollout.inventory[b], (x, y))
        self.plan = plan(chart, judge.candidates.weights, task.discount)
        played = rollout.actions[: rollout.lengths[b], b]
        self.touched, self.poses, _, _ = follow(chart, 0, locate(chart, x, y, way), played)
        self.goals = goal_plans(judge, replayed, rollout.grid[b])

    def q(self, steps: NDArray[np.int64]) -> Values:
        """Return Q [n, H, 3] of the mixtures at the given steps."""
        return self.plan.q_along(self.touched[steps], self.poses[steps])


def goal_plans(judge: Judge, replayed: Replay, grid: NDArray[np.uint8]) -> Plan:
    """Plan the ways to all goals in a grid on which nothing but walking matters."""
    masks = goal_cells(judge.goals, grid, judge.inert)
    rules = replayed.open_rules
    ground = open_ground(grid) if judge.task.planner == "states" else bare_ground(grid, rules)
    nothing = np.zeros(max(1, len(judge.task.items)), np.int32)
    chart = survey(ground, np.zeros(grid.shape[:2], np.uint8), rules, nothing)
    return plan_goals(chart, masks, judge.task.discount)


def bare_ground(grid: NDArray[np.uint8], rules: Rules) -> NDArray[np.uint8]:
    """Return a grid with floor where one can walk through, and walls where an episode ends."""
    look = grid[..., OBJECT], grid[..., COLOUR]
    touched, ends = rules.touch[look] != 0, rules.ends[ON_TOUCH][look] != 0
    through = ~ends & (rules.passable[look] != 0)
    ground = grid.copy()
    ground[touched & through] = (EMPTY, 0, 0)
    ground[touched & ~through] = (WALL, GREY, 0)
    return ground


def open_ground(grid: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a grid of walls and floor only, for levels in which things move."""
    return np.where(grid[..., :1] == WALL, grid, np.array([EMPTY, 0, 0], np.uint8))


def first_times(rollout: Rollout, b: int, start: int, end: int) -> NDArray[np.int64]:
    """Return the steps of [start, end) at which the agent is where it was not since `start`."""
    _, first = np.unique(rollout.poses[start:end, b], axis=0, return_index=True)
    return start + np.sort(first)


def first_visits(rollout: Rollout, b: int) -> NDArray[np.int64]:
    """Return the step at which each cell was first stood on, int64 [W, H]; T + 1 for never."""
    first = np.full(rollout.marks.shape[1:], len(rollout.poses), np.int64)
    steps = np.arange(rollout.lengths[b] + 1)
    x, y = rollout.poses[steps, b][:, [X, Y]].T
    np.minimum.at(first, (x, y), steps)
    return first
