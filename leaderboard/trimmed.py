"""`Trimmed`: an agent that is asked only where episodes still go on, which saves most of the work.

In a batch of levels a few episodes last long, and the others wait for them.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesabench.engine.batch import Engine
from mesabench.errors import NonFiniteLogits
from mesabench.observation import Observation
from mesabench.rollout import Agent


class Trimmed:
    """Acts as `agent` does in worlds whose episode goes on, and does anything in the others.

    Args:
        agent: an agent whose state is None or a mapping of arrays, batch axis first.
    """

    def __init__(self, agent: Agent):
        self.agent = agent
        self._playing = np.zeros(0, np.int64)

    def attach(self, engine: Engine) -> None:
        """Take note of the engine whose episodes are about to begin."""
        self._engine = engine
        self._playing = np.arange(engine.batch)

    def __call__(
        self, obs: Observation, state: Any, episode_start: NDArray[np.bool_]
    ) -> tuple[NDArray[np.int64], Any]:
        """Return the actions [N], and the state of the worlds that play."""
        goes_on = ~self._engine.course.ended[self._playing]
        self._playing = self._playing[goes_on]
        if isinstance(state, Mapping):
            state = {name: rows[goes_on] for name, rows in state.items()}
        shown = {name: values[self._playing] for name, values in obs.items()}
        try:
            chosen, state = self.agent(shown, state, episode_start[self._playing])
        except NonFiniteLogits as error:
            rows = self._playing[list(error.rows)]
            raise NonFiniteLogits(str(error), rows) from error
        actions = np.zeros(self._engine.batch, np.int64)
        actions[self._playing] = chosen
        return actions, state
