"""`AskedAgent`: an agent that is asked what to do, step by step, and whose answers are checked."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesabench.agents.kinds import Agent, RowWise
from mesabench.engine.batch import Engine
from mesabench.errors import AgentError, NonFiniteLogits
from mesabench.observation import Observation, observe_batch

FEWER = 0.75  # share of the levels asked about that are still played when the others are left out


class AskedAgent:
    """An agent with its state, and the levels [M] about which it is asked.

    Most levels are over long before the last one: where the agent allows it, those are left out
    from time to time.
    """

    def __init__(self, agent: Agent, engine: Engine):
        self.agent, self.engine = agent, engine
        self.rows = np.arange(engine.batch)
        self.row_wise = isinstance(agent, RowWise) and agent.row_wise
        self.state: Any = None

    def choose(self, playing: NDArray[np.bool_], step: int) -> NDArray[np.int64]:
        """Return the action of every level, int64 [N], 0 where it was not asked for."""
        if self.row_wise and playing.sum() <= FEWER * len(self.rows):
            self._leave_out(~playing[self.rows])
        obs = observe_batch(self.engine)
        if len(self.rows) < self.engine.batch:
            obs = {name: array[self.rows] for name, array in obs.items()}
        answer = self._ask(obs, np.full(len(self.rows), step == 0), step)
        chosen = np.zeros(self.engine.batch, np.int64)
        chosen[self.rows] = self._checked(answer, step)
        return chosen

    def _leave_out(self, over: NDArray[np.bool_]) -> None:
        self.rows = self.rows[~over]
        if self.state is not None:
            self.state = {name: np.asarray(part)[~over] for name, part in self.state.items()}

    def _ask(self, obs: Observation, first: NDArray[np.bool_], step: int) -> Any:
        try:
            answer, self.state = self.agent(obs, self.state, first)
        except NonFiniteLogits as error:
            rows = self.rows[np.asarray(error.rows, np.int64)]
            where = f"{self.engine.level_name(int(rows[0]) if len(rows) else 0)}, step {step}"
            raise NonFiniteLogits(f"{error} (at {where})", rows) from error
        return answer

    def _checked(self, answer: Any, step: int) -> NDArray[np.int64]:
        """Return an answer as actions [M]."""
        actions, number = np.asarray(answer), self.engine.task.actions
        if actions.shape != self.rows.shape or not np.issubdtype(actions.dtype, np.integer):
            raise AgentError(
                f"an agent returns {len(self.rows)} whole numbers, one for each level; "
                f"found {actions.dtype} {list(actions.shape)}"
            )
        wrong = (actions < 0) | (actions >= number)
        if wrong.any():
            k = int(np.flatnonzero(wrong)[0])
            raise AgentError(
                f"action {actions[k]} at {self.engine.level_name(int(self.rows[k]))}, step {step}, "
                f"is not in 0 to {number - 1}"
            )
        return actions.astype(np.int64)
