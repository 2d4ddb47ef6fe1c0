"""Simple learners of bandits: what an agent that learned to learn has to beat.

Thompson sampling, UCB and greedy choice learn, but not optimally; win-stay/lose-shift remembers a
single trial, and the random learner none.
"""

import numpy as np
from scipy.special import betainc, betaln, xlog1py, xlogy

from mesabench.learning.counts import Counting
from mesabench.learning.learner import Learner, greedily
from mesabench.learning.quadrature import quadrature


class Random(Counting):
    """Chooses any arm alike."""

    def probabilities(self) -> np.ndarray:
        """Return even chances."""
        return np.full((self.episodes, self.arms), 1 / self.arms)


class Greedy(Counting):
    """Chooses the arm with the highest posterior mean, under uniform priors on each arm."""

    def probabilities(self) -> np.ndarray:
        """Return the arm with the highest posterior mean."""
        return greedily(self.posterior_means())


class UCB(Counting):
    """Chooses the arm with the highest upper confidence bound: mean + √(χ ln t / n).

    The mean is that of the rewards seen, t is the number of the coming trial (from 1), and an arm
    that was never pulled comes first. χ = 2 is UCB1 (Auer et al. 2002, Machine Learning 47).

    Args:
        scale: χ, how much uncertainty is worth.
        arms: how many arms there are.
    """

    def __init__(self, scale: float = 1.0, arms: int = 2):
        super().__init__(arms)
        self.scale = scale

    def probabilities(self) -> np.ndarray:
        """Return the arm with the highest bound."""
        pulls = np.maximum(self.pulls, 1)
        trial = self.pulls.sum(1, keepdims=True) + 1
        bound = self.wins / pulls + np.sqrt(self.scale * np.log(trial) / pulls)
        return greedily(np.where(self.pulls > 0, bound, np.inf))


class Thompson(Counting):
    """Chooses each arm as often as it is the best, under Beta(1, 1) priors (Thompson 1933)."""

    def choose(self) -> np.ndarray:
        """Draw a chance for every arm from its posterior, and choose the highest: int64 [N]."""
        return self.rng.beta(self.wins + 1, self.pulls - self.wins + 1).argmax(1)

    def probabilities(self) -> np.ndarray:
        """Return each arm's chance to be the best: Σ over nodes x of f(x) Π F(x) of the others.

        With whole counts the integrand is a polynomial, and the quadrature exact.
        """
        nodes, weights = quadrature(int(self.pulls.sum(1).max()) // 2 + self.arms)
        won, lost = self.wins[:, :, None], (self.pulls - self.wins)[:, :, None]
        log_density = xlogy(won, nodes) + xlog1py(lost, -nodes) - betaln(won + 1, lost + 1)
        below = betainc(won + 1, lost + 1, nodes)
        chances = np.empty((self.episodes, self.arms))
        for arm in range(self.arms):
            others = np.delete(below, arm, 1).prod(1)
            chances[:, arm] = (np.exp(log_density[:, arm]) * others) @ weights
        return chances


class WinStay(Learner):
    """Repeats a choice that paid, else turns to any of the other arms; begins anywhere.

    Args:
        arms: how many arms there are.
        winning: a reward above this is a win.
    """

    def __init__(self, arms: int = 2, winning: float = 0.5):
        self.arms, self.winning = arms, winning

    def begin(self, episodes: int, rng: np.random.Generator) -> None:
        """Forget the last trial."""
        super().begin(episodes, rng)
        self.policy = np.full((episodes, self.arms), 1 / self.arms)

    def learn(self, choices: np.ndarray, rewards: np.ndarray) -> None:
        """Stay, or shift."""
        stay = choices[:, None] == np.arange(self.arms)
        win = rewards[:, None] > self.winning
        self.policy = np.where(win, stay, ~stay / (self.arms - 1))

    def probabilities(self) -> np.ndarray:
        """Return where to stay or to shift to."""
        return self.policy
