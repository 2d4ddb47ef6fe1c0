"""Watching an agent: its evidence, by the planner that the task has."""

import numpy as np
from numpy.typing import NDArray

from mesabench.planner.decisions import part
from mesabench.planner.states import explore, follow_states, plan_states
from mesabench.rollout import Rollout
from mesabench.scorers.evidence import Evidence, Values
from mesabench.scorers.hypotheses import Candidates, Goal
from mesabench.scorers.judging import Judge, goal_plans
from mesabench.scorers.replay import Replay, Stretch


class StateJudge(Judge):
    """The same for tasks that are planned on all states of a level.

    What an agent could know of moving things is no map, so both views are the whole level's, and
    states are evidence only once everything in the level has been seen.
    """

    def __init__(self, rollout: Rollout, candidates: Candidates, goals: list[Goal]):
        super().__init__(rollout, candidates, goals)
        self._graphs = explore(rollout.begin())

    def _level(
        self, replayed: Replay, stretches: list[Stretch]
    ) -> list[tuple[NDArray[np.int64], NDArray[np.int64], Values, Values]]:
        b = stretches[0].level
        complete = [s.start for s in stretches if s.complete]
        if not complete:
            return []
        graph = self._graphs[b]
        states = follow_states(graph.after, self.rollout.actions[: self.rollout.lengths[b], b])[:-1]
        pures = self.task.discounts(*self.task.candidates)
        pure = plan_states(graph, self._pure, pures).q_along(states)
        _, first = np.unique(states, return_index=True)  # a state is evidence once
        steps = np.sort(first[part(pure)[first]])
        steps = steps[steps >= complete[0]]
        mixed = plan_states(graph, self.candidates.weights, self.candidates.discounts)
        q = mixed.q_along(states[steps])
        found = []
        ends = [*(s.start for s in stretches[1:]), len(states)]
        for stretch, end in zip(stretches, ends, strict=True):
            within = (steps >= stretch.start) & (steps < end)
            if within.any():
                grid = self.rollout.grid[b]
                goals = self._goals(goal_plans(self, replayed, grid), stretch, steps[within])
                here = np.full(within.sum(), b)
                both = (np.stack([values, values], 1) for values in (q[within], goals))
                found.append((here, steps[within], *both))
        return found


def watch(rollout: Rollout, candidates: Candidates, goals: list[Goal]) -> Evidence:
    """Gather the evidence of a rollout, by the planner that its task has."""
    kind = StateJudge if rollout.task.planner == "states" else Judge
    return kind(rollout, candidates, goals).watch()
