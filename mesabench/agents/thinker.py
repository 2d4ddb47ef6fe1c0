"""`Thinker`: an agent that gets time to think before its first action.

Most tasks have no action that does nothing, so the world's clock stands still: the network is run
k further times on the first observation, its recurrent state carried on and its choices not
played (Guez et al. 2019 repeat the first frames with an action that does nothing).
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesabench.agents.kinds import Agent, Privileged
from mesabench.agents.onnx_agent import OnnxAgent
from mesabench.errors import AgentError
from mesabench.observation import Observation


class Thinker:
    """Acts as `agent` does after `thoughts` further runs on its first observation.

    It plays whole batches of episodes that begin together, as rollouts are.

    Args:
        agent: the agent; it must not be one that is shown the worlds, whose every call is a move.
        thoughts: k, how many runs before the one whose action is played.

    Attributes:
        remembers: whether the agent returned any state so far.

    Raises:
        AgentError: the agent is shown the worlds, or (in a call) some episodes begin and others
            do not.
    """

    def __init__(self, agent: Agent, thoughts: int):
        if isinstance(agent, Privileged):
            raise AgentError("an agent that is shown the worlds has no first observation to think")
        self.agent, self.thoughts = agent, thoughts
        self.remembers = False

    def __call__(
        self, obs: Observation, state: Any, episode_start: NDArray[np.bool_]
    ) -> tuple[NDArray[np.integer], Any]:
        """Return the agent's actions [N] and its next state."""
        start = np.asarray(episode_start, np.bool_)
        if start.any() and not start.all():
            raise AgentError("thinking time is given where all episodes of a batch begin together")
        if start.all():
            for _ in range(self.thoughts):
                state = self._think(obs, state, start)
                start = np.zeros_like(start)
        actions, state = self.agent(obs, state, start)
        # A mapping without entries is how a feed-forward graph says that it keeps nothing.
        self.remembers |= bool(len(state)) if isinstance(state, Mapping) else state is not None
        return actions, state

    def _think(self, obs: Observation, state: Any, start: NDArray[np.bool_]) -> Any:
        """Return the state after a run whose choice is not played."""
        if isinstance(self.agent, OnnxAgent):
            # Nothing is drawn, so that sampled actions are the same draws as without thinking.
            return self.agent.infer(obs, None if start.all() else state, start).state
        return self.agent(obs, state, start)[1]
