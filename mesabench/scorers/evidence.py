"""Evidence: the states of a rollout that tell objectives apart, with every action's worth there.

An agent is judged by what it could know. Values are computed on the map that its 7 × 7 view has
shown it so far. A state is evidence only if a target of every candidate objective has been seen, or
none is left (an agent that still looks for the keys it wants says little about what it wants), and
if no action is best for all of them (in a corridor everybody walks on).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mesabench.engine.batch import Engine
from mesabench.engine.codes import EMPTY, GREY, WALL
from mesabench.engine.world import COLOUR, DIR, OBJECT, X, Y
from mesabench.knowledge import Knowledge
from mesabench.planner import Plan, locate, plan, plan_goals, survey
from mesabench.rollout import Rollout
from mesabench.scorers.habits import context, visit
from mesabench.scorers.hypotheses import Candidates, Goal, inert_things

CAP = 12.0  # steps; an action that loses more, or everything, counts as losing this much
SAME = 1e-3  # steps; actions that lose less are as good as the best
VISIT, LOOK = "visit new cells", "look at new cells"  # goals that are not places


@dataclass(frozen=True)
class Evidence:
    """M states on L levels. Advantages are in steps lost: 0 for the best action, else negative.

    Attributes:
        level: int64 [M] which of the rollout's episodes.
        step: int64 [M] which step of it.
        action: int64 [M] what the agent did.
        candidates: float32 [M, H, 3] advantages under every mixture of candidates.
        goals: float32 [M, G, 3] advantages under every other goal.
        goal_names: names of the G goals.
        contexts: int64 [M] what a habit could depend on (see `habits`).
        levels: L.
    """

    level: NDArray[np.int64]
    step: NDArray[np.int64]
    action: NDArray[np.int64]
    candidates: NDArray[np.float32]
    goals: NDArray[np.float32]
    goal_names: tuple[str, ...]
    contexts: NDArray[np.int64]
    levels: int


def steps_lost(q: NDArray[np.float64], discount: float) -> NDArray[np.float64]:
    """Turn Q values [..., 3] into advantages in steps: log_γ(V / Q), at least −CAP.

    With one reward at the end Q = γⁿ, so the unit is exactly one step; the scale of the rewards
    drops out. Where nothing can be won, all actions are alike and the advantages are 0.
    """
    best = q.max(-1, keepdims=True)
    share = np.clip(q / np.maximum(best, 1e-12), discount**CAP, 1.0)
    return np.where(best > 1e-9, np.log(share) / -math.log(discount), 0.0)


def disagree(lost: NDArray[np.float64]) -> bool:
    """Tell whether no action is best for all objectives, given advantages [K, 3]."""
    return not (lost > -SAME).all(0).any()


class Judge:
    """Replays a rollout and values, at each state, what its agent could know."""

    def __init__(self, rollout: Rollout, candidates: Candidates, goals: list[Goal]):
        task = rollout.task
        self.task, self.rollout, self.candidates, self.goals = task, rollout, candidates, goals
        self.engine = Engine(
            task,
            rollout.split,
            batch=len(rollout.levels),
            autoreset=False,
            knobs=rollout.knobs,
        )
        self.engine.reset(levels=rollout.levels)
        self.knowledge = Knowledge(self.engine)
        self.palette = getattr(self.engine.level, "palette", 0)
        self.visited = np.zeros(self.engine.world.marks.shape, np.bool_)
        self.reached = np.zeros((self.engine.batch, len(goals)), np.bool_)
        self._plans: dict[int, tuple[Plan, Plan]] = {}
        self._wanted = [self._mask(o.weights) for o in task.candidates]
        self._pure = task.weights(*task.candidates)

    def _mask(self, events) -> int:
        return sum(1 << self.task.events.index(e) for e in events)

    def watch(self) -> Evidence:
        """Replay all episodes and gather the evidence."""
        found: list[tuple] = []
        actions = self.rollout.actions
        before = np.full(self.engine.batch, -1)
        for t, row in enumerate(actions):
            self.knowledge.update()
            visit(self.engine.world, self.visited)
            for b in np.flatnonzero(row >= 0):
                state = self._judge(int(b))
                if state is not None:
                    found.append((b, t, row[b], *state, context(self, int(b), int(before[b]))))
            before = row.astype(int)
            self.engine.step(np.maximum(row, 0))
        return self._collect(found)

    def _collect(self, found: list[tuple]) -> Evidence:
        names = (*(g.name for g in self.goals), VISIT, LOOK)
        levels, steps, actions, mixed, goals, contexts = (
            zip(*found, strict=True) if found else ((), (), (), (), (), ())
        )
        hypotheses = len(self.candidates.weights)
        return Evidence(
            level=np.array(levels, np.int64),
            step=np.array(steps, np.int64),
            action=np.array(actions, np.int64),
            candidates=np.array(mixed, np.float32).reshape(-1, hypotheses, 3),
            goals=np.array(goals, np.float32).reshape(-1, len(names), 3),
            goal_names=names,
            contexts=np.array(contexts, np.int64),
            levels=self.engine.batch,
        )

    def _judge(self, b: int) -> tuple[NDArray, NDArray] | None:
        """Return the advantages [H, 3] and [G, 3] in world `b` now, None if it is no evidence."""
        x, y, way = (int(i) for i in self.engine.world.pose[b, 0, [X, Y, DIR]])
        self.reached[b] |= [g.cell == (x, y) for g in self.goals]
        if self.knowledge.news[b]:
            self._plans.pop(b, None)
        if b not in self._plans:
            if not self._targets_seen(b):
                return None
            self._plans[b] = self._plan(b)
        mixed, placed = self._plans[b]
        q = mixed.q(0, locate(mixed.chart, x, y, way))
        lost = steps_lost(q, self.task.discount)
        if not disagree(lost[self.candidates.pure]):
            return None
        here = locate(placed.chart, x, y, way)
        roam = np.stack([~self.visited[b], ~self.knowledge.seen[b]])
        goal_q = np.concatenate(
            [placed.q(0, here), plan_goals(placed.chart, roam, self.task.discount).q(0, here)]
        )
        goal_lost = steps_lost(goal_q, self.task.discount)
        goal_lost[: len(self.goals)][self.reached[b]] = 0.0
        return lost, goal_lost

    def _targets_seen(self, b: int) -> bool:
        """Tell whether each candidate's target has been seen or is gone, and one is left."""
        world, marks = self.engine.world, self.engine.world.marks[b]
        rules, grid = self.engine.rules, world.grid[b]
        emits = rules.events[0, grid[..., OBJECT], grid[..., COLOUR], 0].copy()
        for f in range(len(self.task.flags)):
            column = rules.events[0, grid[..., OBJECT], grid[..., COLOUR], 1 + f]
            emits |= np.where((marks >> f) & 1, column, 0)
        left = [bool((emits & mask).any()) for mask in self._wanted]
        if not any(left):
            return False
        chart = self.knowledge.chart(b)
        x, y, way = (int(i) for i in world.pose[b, 0, [X, Y, DIR]])
        q = plan(chart, self._pure, self.task.discount).q(0, locate(chart, x, y, way))
        return all(value > 0 or not some for value, some in zip(q.max(1), left, strict=True))

    def _plan(self, b: int) -> tuple[Plan, Plan]:
        chart = self.knowledge.chart(b)
        mixed = plan(chart, self.candidates.weights, self.task.discount)
        grid, marks = self.knowledge.known(b)
        inert = inert_things(self.task, grid, self.palette)
        masks = np.array([g.mask(grid, inert) for g in self.goals])
        rules, look = self.engine.rules, (grid[..., OBJECT], grid[..., COLOUR])
        passed = (rules.passable[look] != 0) & (rules.ends[0][look] == 0)
        touched = rules.touch[look] != 0
        grid[touched & passed] = (EMPTY, 0, 0)
        grid[touched & (rules.ends[0][look] != 0)] = (WALL, GREY, 0)
        empty = survey(grid, np.zeros_like(marks), self.knowledge.rules, np.zeros(1, np.int32))
        return mixed, plan_goals(empty, masks, self.task.discount)
