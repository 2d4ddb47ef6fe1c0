"""The interface of a learner: it plays many episodes at once, and learns within each of them.

Nothing is carried from one episode to the next. A learner learns from any choices, its own or
those of another agent, so that its policy can be read along somebody else's history.
"""

from abc import ABC, abstractmethod

import numpy as np

from mesabench.errors import MesaBenchError

#: Values that differ by less count as equal, however their sums were ordered.
TIE = 1e-9


class LearningError(MesaBenchError, ValueError):
    """A learner is asked for what it cannot say."""


class Policy(ABC):
    """A distribution over the next choice in each of N episodes.

    Attributes:
        arms: how many choices there are, numbered from 0.
        episodes: N, known once `begin` was called.
        rng: draws the choices.
    """

    arms: int = 2
    episodes: int
    rng: np.random.Generator

    def begin(self, episodes: int, rng: np.random.Generator) -> None:
        """Forget everything, and start `episodes` new ones."""
        self.episodes, self.rng = episodes, rng

    @abstractmethod
    def probabilities(self) -> np.ndarray:
        """Return the chance of every next choice: float64 [N, arms], rows sum to 1."""

    def choose(self) -> np.ndarray:
        """Draw the next choice of every episode: int64 [N]."""
        return draw(self.probabilities(), self.rng)


class Learner(Policy):
    """A policy for bandits: it learns from what its choices pay."""

    @abstractmethod
    def learn(self, choices: np.ndarray, rewards: np.ndarray) -> None:
        """Take in one trial: choices int64 [N], rewards float64 [N]."""


def draw(probabilities: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw an index per row of float64 [N, arms] probabilities: int64 [N]."""
    bounds = probabilities.cumsum(1)[:, :-1]
    return (rng.random(len(probabilities))[:, None] >= bounds).sum(1)


def greedily(values: np.ndarray) -> np.ndarray:
    """Return the policy that takes the highest of float64 [N, arms] values, and splits ties."""
    best = values >= values.max(1, keepdims=True) - TIE
    return best / best.sum(1, keepdims=True)


def softly(values: np.ndarray, inverse_temperature: float) -> np.ndarray:
    """Return the softmax policy of float64 [N, arms] values; greedy where β is infinite."""
    if np.isinf(inverse_temperature):
        return greedily(values)
    weights = np.exp(inverse_temperature * (values - values.max(1, keepdims=True)))
    return weights / weights.sum(1, keepdims=True)
