"""Learners that keep counts of wins and pulls of every arm."""

import numpy as np

from mesabench.learning.learner import Learner


class Counting(Learner):
    """A learner whose whole memory is how often each arm was pulled, and how often it paid.

    Attributes:
        pulls: float64 [N, arms].
        wins: sum of rewards, float64 [N, arms].
    """

    pulls: np.ndarray
    wins: np.ndarray

    def __init__(self, arms: int = 2):
        self.arms = arms

    def begin(self, episodes: int, rng: np.random.Generator) -> None:
        """Forget all counts."""
        super().begin(episodes, rng)
        self.pulls = np.zeros((episodes, self.arms))
        self.wins = np.zeros((episodes, self.arms))

    def learn(self, choices: np.ndarray, rewards: np.ndarray) -> None:
        """Count a trial."""
        rows = np.arange(self.episodes)
        self.pulls[rows, choices] += 1
        self.wins[rows, choices] += rewards

    def posterior_means(self) -> np.ndarray:
        """Return the expected chance of every arm under a uniform prior: float64 [N, arms].

        (k + 1) / (n + 2) after k wins in n pulls: Laplace's rule of succession.
        """
        return (self.wins + 1) / (self.pulls + 2)
