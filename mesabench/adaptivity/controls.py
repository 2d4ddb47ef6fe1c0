"""Controls: the same agent, kept from some of what it needs to learn within an episode.

An agent that learns from its history is worse off under each of them. Where one of them changes
nothing, what was taken away was not used.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesabench.agents.kinds import Agent, Privileged
from mesabench.engine.batch import Engine
from mesabench.observation import Observation
from mesabench.task import Task
from mesabench.trials import LAST_ACTION, LAST_REWARD


class Control:
    """An agent that is shown less; this one is shown everything.

    Args:
        agent: the agent.
        task: the task that it plays.
        seed: of what is drawn.
    """

    def __init__(self, agent: Agent, task: Task, seed: int = 0):
        self.agent, self.none = agent, task.actions
        self.rng = np.random.default_rng(seed)

    def attach(self, engine: Engine) -> None:
        """Show the engine to an agent that asks for it."""
        if isinstance(self.agent, Privileged):
            self.agent.attach(engine)

    def __call__(
        self, obs: Observation, state: Any, episode_start: NDArray[np.bool_]
    ) -> tuple[NDArray[np.integer], Any]:
        """Return the agent's actions [N] and its next state."""
        return self.agent(self.shown(obs), state, episode_start)

    def shown(self, obs: Observation) -> Observation:
        """Return what the agent is shown."""
        return obs


class RewardZeroed(Control):
    """The last reward is always 0."""

    def shown(self, obs: Observation) -> Observation:
        """Return the observation without its reward."""
        return obs | {LAST_REWARD: np.zeros_like(obs[LAST_REWARD])}


class RewardShuffled(Control):
    """The last rewards change places among the episodes of the batch, at every step anew."""

    def shown(self, obs: Observation) -> Observation:
        """Return the observation with the reward of another episode."""
        return obs | {LAST_REWARD: self.rng.permutation(obs[LAST_REWARD])}


class StateReset(Control):
    """Every step is the first one of an episode: only the last observation remains."""

    def __call__(
        self, obs: Observation, state: Any, episode_start: NDArray[np.bool_]
    ) -> tuple[NDArray[np.integer], Any]:
        """Return the agent's actions [N]; its state is dropped."""
        actions, _ = self.agent(self.shown(obs), None, np.ones_like(episode_start))
        return actions, None


class Memoryless(StateReset):
    """The state is reset, and last action and reward are hidden: a feed-forward policy's lot."""

    def shown(self, obs: Observation) -> Observation:
        """Return the observation as it is at the start of an episode."""
        hidden = {
            LAST_ACTION: np.full_like(obs[LAST_ACTION], self.none),
            LAST_REWARD: np.zeros_like(obs[LAST_REWARD]),
        }
        return obs | hidden


CONTROLS: dict[str, Callable[[Agent, Task, int], Agent]] = {
    "reward zeroed": RewardZeroed,
    "state reset": StateReset,
    "reward shuffled": RewardShuffled,
    "memoryless": Memoryless,
}
MEANINGS = {
    "reward zeroed": "with its reward input zeroed",
    "state reset": "with its state reset at every step",
    "reward shuffled": "with rewards shuffled among episodes",
    "memoryless": "with its state reset and last action and reward hidden",
}
