"""What an agent is: a batched policy with explicit state, and three special kinds of it."""

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from mesabench.engine.batch import Engine
from mesabench.observation import Observation

Agent = Callable[[Observation, Any, NDArray[np.bool_]], tuple[NDArray[np.integer], Any]]


@runtime_checkable
class Privileged(Protocol):
    """An agent that is shown the worlds themselves, as planned agents are."""

    def attach(self, engine: Engine) -> None:
        """Take note of the engine that the agent is about to play in."""

    def __call__(
        self, obs: Observation, state: Any, episode_start: NDArray[np.bool_]
    ) -> tuple[NDArray[np.integer], Any]:
        """Return the actions [N] and the next state."""
        ...


@runtime_checkable
class RowWise(Protocol):
    """An agent for which every level stands for itself, as for a network that draws nothing.

    Its state is arrays by name, [N, ...] each. It need not be asked about levels that are over.
    """

    row_wise: bool

    def __call__(
        self, obs: Observation, state: Any, episode_start: NDArray[np.bool_]
    ) -> tuple[NDArray[np.integer], Any]:
        """Return the actions [N] and the next state."""
        ...


@runtime_checkable
class Blind(Protocol):
    """An agent that does not look at what it is shown: no views need be drawn for it."""

    blind: bool

    def __call__(
        self, obs: Observation, state: Any, episode_start: NDArray[np.bool_]
    ) -> tuple[NDArray[np.integer], Any]:
        """Return the actions [N] and the next state."""
        ...
