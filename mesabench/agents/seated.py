"""Seated: an agent that plays the other agents of a world, each from what that one sees."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from mesabench.agents.kinds import Agent, Privileged, RowWise
from mesabench.engine.batch import Engine
from mesabench.errors import AgentError
from mesabench.observation import observe_batch


class Seated:
    """What an engine takes as its `partners`, made of an agent without memory.

    Planners ask it what the others do in states that nobody has played, so it has to do the same
    whenever it sees the same.

    Args:
        agent: an agent that keeps no state and does nothing by chance.
        name: what it is called in results.

    Raises:
        AgentError: the agent acts on the worlds themselves instead of what it sees, or it draws.
    """

    def __init__(self, agent: Agent, name: str = "agent"):
        if isinstance(agent, Privileged):
            raise AgentError("an agent that is shown the worlds cannot be seated as another one")
        if isinstance(agent, RowWise) and not agent.row_wise:
            raise AgentError(
                "an agent that draws its actions cannot be seated as another one; export it with "
                "the greedy action"
            )
        self.agent, self.name = agent, name

    def __call__(self, engine: Engine, worlds: int) -> NDArray[np.int64]:
        """Return the actions [n, A − 1] in the first n worlds of an engine.

        Raises:
            AgentError: the agent keeps a state.
        """
        engine.look_again(worlds)
        chosen = []
        for a in range(1, engine.task.agents):
            seen = {name: value[:worlds] for name, value in observe_batch(engine, a).items()}
            actions, state = self.agent(seen, None, np.ones(worlds, np.bool_))
            if not (state is None or (isinstance(state, Mapping) and not state)):
                raise AgentError("an agent that remembers cannot be seated: its next action does")
            chosen.append(actions)
        return np.stack(chosen, 1)
