"""Bayes-optimal play of two anti-correlated arms that swap now and then.

The trial tells the same whichever arm is chosen, so that to choose the arm which is more likely the
better one is optimal: there is nothing to explore for.
"""

from collections.abc import Sequence

import numpy as np

from mesabench.learning.learner import Learner, greedily


class VolatileBayes(Learner):
    """The optimal learner of two arms that swap with an unknown chance between trials.

    It holds a joint belief of which arm is the better one and of the hazard, which is one of a
    few, equally likely at first, and the same throughout an episode (Behrens et al. 2007).

    Args:
        hazards: the chances per trial that may be; with a single one the hazard is known.
        paying: chance that the better arm pays; the other one pays with the rest.

    Attributes:
        belief: float64 [N, hazards, 2], rows sum to 1.
    """

    belief: np.ndarray

    def __init__(self, hazards: Sequence[float] = (0.005, 0.06), paying: float = 0.8):
        self.hazards, self.paying = np.asarray(hazards, float), paying

    def begin(self, episodes: int, rng: np.random.Generator) -> None:
        """Believe any hazard and either arm alike."""
        super().begin(episodes, rng)
        size = len(self.hazards)
        self.belief = np.full((episodes, size, 2), 0.5 / size)

    def learn(self, choices: np.ndarray, rewards: np.ndarray) -> None:
        """Weigh the beliefs by what they said of the reward; then the arms may swap."""
        better = choices[:, None] == np.arange(2)
        chance = np.where(better, self.paying, 1 - self.paying)
        seen = np.where(rewards[:, None] > 0, chance, 1 - chance)
        weighed = self.belief * seen[:, None, :]
        weighed /= weighed.sum((1, 2), keepdims=True)
        hazard = self.hazards[:, None]
        self.belief = (1 - hazard) * weighed + hazard * weighed[:, :, ::-1]

    def probabilities(self) -> np.ndarray:
        """Return the arm that is more likely the better one."""
        return greedily(self.belief.sum(1))
