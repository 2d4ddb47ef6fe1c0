"""Bayes-optimal play of two independent arms, by dynamic programming over counts.

With a uniform prior on each arm's chance, what is known at trial t is (n, k, l): n pulls of the
first arm of which k paid, and t - n pulls of the second of which l paid. Backward induction over
these states gives the best expected reward exactly (Berry & Fristedt 1985, Bandit Problems).
"""

from collections.abc import Iterator

import numpy as np

from mesabench.learning.counts import Counting
from mesabench.learning.learner import TIE, LearningError

#: The better of two chances from U[0, 1] is 2/3 on average.
BEST_OF_TWO = 2 / 3


def backward(horizon: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the values of both arms at trials `horizon` - 1, …, 0.

    Each is float64 [t + 1, t + 1, t + 1], indexed by (n, k, l); cells with k > n or l > t - n are
    no states, and hold finite numbers that no state depends on.
    """
    ahead = np.zeros((horizon + 1,) * 3)
    for t in reversed(range(horizon)):
        count = np.arange(t + 1.0)
        first = np.minimum((count + 1) / (count[:, None] + 2), 1)[:, :, None]
        second = np.minimum((count + 1) / (t - count[:, None] + 2), 1)[:, None, :]
        lost = ahead[1:, :-1, :-1]
        one = lost + first * (1 + ahead[1:, 1:, :-1] - lost)
        lost = ahead[:-1, :-1, :-1]
        two = lost + second * (1 + ahead[:-1, :-1, 1:] - lost)
        yield one, two
        ahead = np.maximum(one, two)


def optimal_regret(horizon: int) -> float:
    """Return the least expected regret that any learner can have over `horizon` trials."""
    *_, (one, two) = backward(horizon)
    return horizon * BEST_OF_TWO - max(one.item(), two.item())


class Optimal(Counting):
    """The learner that follows the table of best choices; ties are split evenly.

    Args:
        horizon: how many trials an episode has. The table takes horizon⁴ / 4 bytes.
    """

    def __init__(self, horizon: int = 100):
        super().__init__(arms=2)
        tables = [compare(one, two) for one, two in backward(horizon)]
        self.tables = tables[::-1]

    def begin(self, episodes: int, rng: np.random.Generator) -> None:
        """Forget all counts, and begin at the first trial."""
        super().begin(episodes, rng)
        self.trial = 0

    def learn(self, choices: np.ndarray, rewards: np.ndarray) -> None:
        """Count a trial."""
        super().learn(choices, rewards)
        self.trial += 1

    def probabilities(self) -> np.ndarray:
        """Return the best choice.

        Raises:
            LearningError: if the episode has gone beyond the horizon.
        """
        if self.trial >= len(self.tables):
            raise LearningError(f"planned for {len(self.tables)} trials: raise Optimal(horizon)")
        pulled, (won, other) = self.pulls[:, 0].astype(int), self.wins.astype(int).T
        second = (self.tables[self.trial][pulled, won, other] + 1) / 2
        return np.stack([1 - second, second], 1)


def compare(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    """Return int8: -1 where the first arm is better, 1 where the second is, 0 where they tie."""
    return (two > one + TIE).astype(np.int8) - (one > two + TIE).astype(np.int8)
