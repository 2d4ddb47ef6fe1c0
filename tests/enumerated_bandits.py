"""Bandits as hidden Markov chains, whose every story is enumerated, and trials of them."""

import itertools

import numpy as np

from mesabench.learning.history import policy_along
from mesabench.learning.learner import Learner
from mesabench.learning.processes import (
    Prior,
)

EPISODES = 4000
NODES, WEIGHTS = np.polynomial.legendre.leggauss(8)
NODES, WEIGHTS = (NODES + 1) / 2, WEIGHTS / 2  # exact for the polynomials of a few trials


class Hidden:
    """A bandit as a hidden Markov chain: prior [S], chance of a reward [S, 2], moves [S, S]."""

    def __init__(self, prior: np.ndarray, pays: np.ndarray, moves: np.ndarray | None = None):
        self.prior, self.pays = prior, pays
        self.moves = np.eye(len(prior)) if moves is None else moves

    def after(self, weights: np.ndarray, arm: int, reward: int) -> np.ndarray:
        """Unnormalised weights of hidden states after a trial."""
        paid = self.pays[:, arm]
        return (weights * (paid if reward else 1 - paid)) @ self.moves

    def best(self, trials: int, weights: np.ndarray | None = None) -> float:
        """Highest expected reward that any rule can have: the maximum over all of its choices."""
        weights = self.prior if weights is None else weights
        if trials == 0:
            return 0.0
        return max(
            float(weights @ self.pays[:, arm])
            + sum(self.best(trials - 1, self.after(weights, arm, reward)) for reward in (0, 1))
            for arm in (0, 1)
        )

    def earned(self, learner: Learner, trials: int) -> float:
        """Expected reward of a learner, by enumerating all that may happen."""
        stories = np.array(list(itertools.product((0, 1), repeat=2 * trials)))
        choices, rewards = stories[:, :trials], stories[:, trials:]
        policy = policy_along(learner, choices, rewards.astype(float))
        chances = np.take_along_axis(policy, choices[:, :, None], 2)[:, :, 0].prod(1)
        total = 0.0
        for story, chance in enumerate(chances):
            weights = self.prior * chance
            for arm, reward in zip(choices[story], rewards[story], strict=True):
                weights = self.after(weights, arm, reward)
            total += weights.sum() * rewards[story].sum()
        return total


def independent() -> Hidden:
    pairs = np.array(list(itertools.product(NODES, NODES)))
    return Hidden(np.outer(WEIGHTS, WEIGHTS).ravel(), pairs)


def mirrored(prior: Prior) -> Hidden:
    support = {"easy": [0.1, 0.9], "medium": [0.25, 0.75], "hard": [0.4, 0.6]}
    chances = NODES if prior == "uniform" else np.array(support[prior])
    weights = WEIGHTS if prior == "uniform" else np.array([0.5, 0.5])
    return Hidden(weights, np.stack([chances, 1 - chances], 1))


def volatile(hazards: tuple[float, ...]) -> Hidden:
    pays = np.array([[0.8, 0.2], [0.2, 0.8]] * len(hazards))
    moves = np.zeros((len(pays), len(pays)))
    for i, hazard in enumerate(hazards):
        moves[2 * i : 2 * i + 2, 2 * i : 2 * i + 2] = [[1 - hazard, hazard], [hazard, 1 - hazard]]
    return Hidden(np.full(len(pays), 1 / len(pays)), pays, moves)


def some_trials(episodes: int, trials: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 2, (episodes, trials)), rng.integers(0, 2, (episodes, trials)) * 1.0


def after_trials(learner: Learner, choices: np.ndarray, rewards: np.ndarray) -> None:
    learner.begin(len(choices), np.random.default_rng(0))
    for chosen, paid in zip(choices.T, rewards.T, strict=True):
        learner.learn(chosen, paid)


def close(figures: np.ndarray, expected: float, tolerance: float = 0.0) -> bool:
    """Whether a mean is an expected one, but for four standard errors and a tolerance."""
    error = figures.std(ddof=1) / len(figures) ** 0.5
    return abs(figures.mean() - expected) <= tolerance + 4 * error
