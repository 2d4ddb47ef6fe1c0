"""The Rescorla-Wagner rule: learning at a fixed rate, however certain or volatile the arms are."""

from collections.abc import Callable, Sequence

import numpy as np

from mesabench.learning.history import play
from mesabench.learning.learner import Learner, softly
from mesabench.learning.processes import Process


class RescorlaWagner(Learner):
    """Moves the value of the chosen arm by a fixed share of the surprise: Q += α (r - Q).

    Args:
        rate: α, the learning rate.
        inverse_temperature: β of the softmax over values; infinite for the greedy choice.
        arms: how many arms there are.
        symmetric: for two arms of which one pays as the other does not: the value of the arm that
            was not chosen moves as well, by α (1 - r - Q).
    """

    def __init__(
        self,
        rate: float,
        inverse_temperature: float = np.inf,
        arms: int = 2,
        *,
        symmetric: bool = False,
    ):
        self.rate, self.inverse_temperature, self.arms = rate, inverse_temperature, arms
        self.symmetric = symmetric

    def begin(self, episodes: int, rng: np.random.Generator) -> None:
        """Value every arm at one half."""
        super().begin(episodes, rng)
        self.values = np.full((episodes, self.arms), 0.5)

    def learn(self, choices: np.ndarray, rewards: np.ndarray) -> None:
        """Move the value of what was chosen."""
        rows = np.arange(self.episodes)
        self.values[rows, choices] += self.rate * (rewards - self.values[rows, choices])
        if self.symmetric:
            other = 1 - choices
            self.values[rows, other] += self.rate * (1 - rewards - self.values[rows, other])

    def probabilities(self) -> np.ndarray:
        """Return the softmax of the values."""
        return softly(self.values, self.inverse_temperature)


def best_rate(
    learner: Callable[[float], Learner],
    process: Process,
    rates: Sequence[float],
    episodes: int = 1000,
    seed: int = 0,
) -> float:
    """Return the learning rate with the least regret, all tried on the same arms.

    Args:
        learner: makes a learner of a rate, such as `RescorlaWagner` itself.
        process: what it learns in.
        rates: the rates to try.
        episodes: how many episodes each is tried on.
        seed: draws the episodes.
    """
    return min(rates, key=lambda rate: play(process, learner(rate), episodes, seed).regrets.sum())
