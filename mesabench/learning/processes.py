"""Bandits to learn in: what the arms pay, over many episodes at once.

The settings are those of "Learning to reinforcement learn" (Wang et al. 2016, arXiv 1611.05763)
and of "Prefrontal cortex as a meta-reinforcement learning system" (Wang et al. 2018). An episode
has 100 trials unless a process says otherwise.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal

import numpy as np

#: What the first arm may pay (its chance of a reward); the second arm pays with the rest.
PAIRS = {"easy": (0.1, 0.9), "medium": (0.25, 0.75), "hard": (0.4, 0.6)}
Prior = Literal["uniform", "easy", "medium", "hard"]


class Process(ABC):
    """A bandit in N episodes.

    Attributes:
        arms: how many arms there are, numbered from 0.
        trials: the length of an episode.
        means: expected reward of every arm at the next trial, float64 [N, arms].
    """

    arms: int = 2
    trials: int = 100
    means: np.ndarray
    rng: np.random.Generator

    def begin(self, episodes: int, rng: np.random.Generator) -> None:
        """Start `episodes` new episodes; `rng` draws all that is random in them."""
        self.rng = rng
        self.means = self.first(episodes)

    @abstractmethod
    def first(self, episodes: int) -> np.ndarray:
        """Draw the expected rewards of the first trial: float64 [N, arms]."""

    def pay(self, choices: np.ndarray) -> np.ndarray:
        """Pay the chosen arms, int64 [N], and go on to the next trial: float64 [N]."""
        chosen = self.means[np.arange(len(choices)), choices]
        rewards = self.sample(chosen)
        self.means = self.proceed(choices)
        return rewards

    def sample(self, chosen: np.ndarray) -> np.ndarray:
        """Draw rewards of 0 or 1 with the expectations float64 [N]."""
        return (self.rng.random(len(chosen)) < chosen).astype(float)

    def proceed(self, choices: np.ndarray) -> np.ndarray:
        """Return the means of the trial after the one with these choices, int64 [N]: the same."""
        return self.means


@dataclass
class IndependentArms(Process):
    """Arms that pay 1 with a chance drawn from U[0, 1], each for itself."""

    arms: int = 2
    trials: int = 100

    def first(self, episodes: int) -> np.ndarray:
        """Draw the arms' chances."""
        return self.rng.random((episodes, self.arms))


@dataclass
class DependentArms(Process):
    """Two arms of which one pays with chance p, the other with 1 - p."""

    prior: Prior = "uniform"
    trials: int = 100

    def first(self, episodes: int) -> np.ndarray:
        """Draw p from U[0, 1], or one of a pair of chances with even odds."""
        if self.prior == "uniform":
            chance = self.rng.random(episodes)
        else:
            chance = self.rng.choice(PAIRS[self.prior], episodes)
        return np.stack([chance, 1 - chance], 1)


@dataclass
class ElevenArms(Process):
    """Ten arms of which one, the target, pays 5 and the others 1, and an arm that tells which.

    The last arm pays a tenth of the target's number, counted from 1: less than any other arm.
    """

    arms: int = 11
    trials: int = 5

    def first(self, episodes: int) -> np.ndarray:
        """Draw the target among the first ten arms."""
        target = self.rng.integers(0, self.arms - 1, episodes)
        means = np.ones((episodes, self.arms))
        means[np.arange(episodes), target] = 5
        means[:, -1] = (target + 1) / 10
        return means

    def sample(self, chosen: np.ndarray) -> np.ndarray:
        """Pay exactly the expectation."""
        return chosen


@dataclass
class VolatileArms(Process):
    """Two arms that pay with chances .8 and .2, and swap with a fixed chance between trials."""

    hazard: float
    paying: float = 0.8
    trials: int = 100

    def first(self, episodes: int) -> np.ndarray:
        """Draw which arm is the better one."""
        chance = np.where(self.rng.random(episodes) < 0.5, self.paying, 1 - self.paying)
        return np.stack([chance, 1 - chance], 1)

    def proceed(self, choices: np.ndarray) -> np.ndarray:
        """Swap the arms in some episodes, whatever was chosen."""
        swap = self.rng.random(len(choices)) < self.hazard
        return np.where(swap[:, None], self.means[:, ::-1], self.means)
