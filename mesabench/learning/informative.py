"""The best play of eleven arms of which the last one tells which is the target."""

import numpy as np

from mesabench.learning.learner import Learner, greedily


class InformativeFirst(Learner):
    """The optimal learner: ask the last arm, then stay with the target.

    From the first trial on that is worth .55 + 4 · 5 = 20.55. Asking beats trying an arm at any
    trial but the last one, when there is nothing left to use the answer for.

    Args:
        trials: length of an episode.
    """

    arms = 11

    def __init__(self, trials: int = 5):
        self.trials = trials

    def begin(self, episodes: int, rng: np.random.Generator) -> None:
        """Know of no target."""
        super().begin(episodes, rng)
        self.left = self.trials
        self.target = np.full(episodes, -1)
        self.tried = np.zeros((episodes, self.arms), bool)

    def learn(self, choices: np.ndarray, rewards: np.ndarray) -> None:
        """Note the target, if the last arm told it or a trial hit it."""
        told = choices == self.arms - 1
        named = np.where(told, np.rint(rewards * 10).astype(int) - 1, choices)
        self.target = np.where(told | (rewards > 1), named, self.target)
        self.tried[np.arange(self.episodes), choices] = True
        self.left -= 1

    def probabilities(self) -> np.ndarray:
        """Return the target where it is known, else the last arm (at the end, an untried one)."""
        wanted = np.where(self.tried, 0.0, 1.0)
        wanted[:, -1] = 2 if self.left > 1 else 0
        known = self.target >= 0
        wanted[known, self.target[known]] = 3
        return greedily(wanted)
