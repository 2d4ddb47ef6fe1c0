"""Bayes-optimal play of two arms of which one pays exactly when the other would not.

Whichever arm is chosen, the trial tells the same: a reward of one is a failure of the other. What
is known at the end of a trial thus does not depend on the choice, there is nothing to explore for,
and to choose the arm with the higher posterior mean is optimal.
"""

import numpy as np
from scipy.stats import binom

from mesabench.learning.learner import Learner, greedily
from mesabench.learning.processes import PAIRS, Prior
from mesabench.learning.quadrature import quadrature


class DependentBayes(Learner):
    """The optimal learner of arms that pay with chances p and 1 - p.

    Args:
        prior: what p is drawn from. All of these priors are symmetric, so it changes what is
            believed of p, and not what is chosen: the arm with more trials in its favour.
    """

    def __init__(self, prior: Prior = "uniform"):
        self.prior: Prior = prior

    def begin(self, episodes: int, rng: np.random.Generator) -> None:
        """Forget all trials."""
        super().begin(episodes, rng)
        self.votes = np.zeros((episodes, 2))

    def learn(self, choices: np.ndarray, rewards: np.ndarray) -> None:
        """Count a trial in favour of the arm that paid, or whose fellow did not."""
        favoured = np.where(rewards > 0, choices, 1 - choices)
        self.votes[np.arange(self.episodes), favoured] += 1

    def posterior_mean(self) -> np.ndarray:
        """Return the expected chance p of the first arm: float64 [N]."""
        first, second = self.votes.T
        if self.prior == "uniform":
            return (first + 1) / (first + second + 2)
        low, high = PAIRS[self.prior]
        return low + (high - low) / (1 + (low / high) ** (first - second))

    def probabilities(self) -> np.ndarray:
        """Return the arm with the higher posterior mean."""
        mean = self.posterior_mean()
        return greedily(np.stack([mean, 1 - mean], 1))


def majority_regret(chance: np.ndarray, trials: int) -> np.ndarray:
    """Return the expected regret of the optimal learner where the better arm pays with a chance.

    It errs at trial t if most of the t trials before spoke for the worse arm, and in half of the
    cases where they tie: (2p - 1) Σ P(B(t, p) < t/2) + P(B(t, p) = t/2) / 2.

    Args:
        chance: p of the better arm, float64 [M].
        trials: length of an episode.

    Returns:
        float64 [M].
    """
    before = np.arange(trials)
    p = np.asarray(chance)[:, None]
    fewer = binom.cdf((before - 1) // 2, before, p)
    tied = np.where(before % 2 == 0, binom.pmf(before // 2, before, p), 0)
    return (2 * p[:, 0] - 1) * (fewer + tied / 2).sum(1)


def optimal_regret(prior: Prior, trials: int = 100) -> float:
    """Return the least expected regret under a prior, exactly."""
    if prior != "uniform":
        return float(majority_regret(np.array(PAIRS[prior][1:]), trials)[0])
    nodes, weights = quadrature(trials // 2 + 1)
    return float(majority_regret((1 + nodes) / 2, trials) @ weights)
