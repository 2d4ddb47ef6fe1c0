"""Planned agents that know only what their view has shown them."""

import numpy as np
from numpy.typing import NDArray

from mesabench.agents.planned import PlannedAgent
from mesabench.engine.batch import Engine
from mesabench.engine.world import DIR, X, Y
from mesabench.knowledge import Knowledge
from mesabench.observation import Observation
from mesabench.planner import locate, plan, plan_goals


class LimitedAgent(PlannedAgent):
    """Plans on the map seen so far; goes where it has not looked yet while it sees no target."""

    def attach(self, engine: Engine) -> None:
        """Forget every map and take note of `engine`."""
        self._engine = engine
        self._knowledge = Knowledge(engine)

    def __call__(
        self, obs: Observation, state: object, episode_start: NDArray[np.bool_]
    ) -> tuple[NDArray[np.int64], None]:
        """Return the actions [N]."""
        self._knowledge.update()
        actions = np.zeros(self._engine.batch, np.int64)
        for b in np.flatnonzero(~self._engine.course.ended):
            actions[b] = self.choose(self._values(int(b)))
        return actions, None

    def _values(self, b: int) -> NDArray[np.float64]:
        """Return Q [3] of the objective, or of looking at an unseen cell where it is idle."""
        chart, pose = self._knowledge.chart(b), self._engine.world.pose[b, 0]
        here = locate(chart, int(pose[X]), int(pose[Y]), int(pose[DIR]))
        q = plan(chart, self._weights, self.task.discount).q(0, here)[0]
        unseen = ~self._knowledge.seen[b]
        if q.max() > 0 or not unseen.any():
            return q
        return plan_goals(chart, unseen[None], self.task.discount).q(0, here)[0]
