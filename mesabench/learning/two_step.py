"""The two-step task: a choice leads to one of two states, which pay differently, and switch.

In the variant of Wang et al. (2018), choice 0 leads to state 0 with chance .8 and else to state 1,
choice 1 the other way round; one state pays with chance .9, the other with .1, and between trials
they swap with chance .025. A learner that knows the transitions credits the *state* with a reward;
a model-free one credits the choice: after a reward in the state that it rarely leads to, the first
turns to the other choice, and the second stays (Daw et al. 2011).
"""

from abc import abstractmethod
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mesabench.learning.learner import Policy


@dataclass
class TwoStep:
    """The task in N episodes.

    Attributes:
        common: chance that a choice leads to the state of its number.
        paying: chance that the better state pays; the other one pays with the rest.
        reversal: chance that the states swap between two trials.
        trials: length of an episode.
        better: which state pays more at the next trial, int64 [N].
    """

    common: float = 0.8
    paying: float = 0.9
    reversal: float = 0.025
    trials: int = 100

    def begin(self, episodes: int, rng: np.random.Generator) -> None:
        """Start `episodes` new episodes; `rng` draws all that is random in them."""
        self.rng = rng
        self.better = rng.integers(0, 2, episodes)

    def pay(self, choices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the states reached, int64 [N], and what they paid, float64 [N]; then go on."""
        common, paid, swap = self.rng.random((3, len(choices)))
        states = np.where(common < self.common, choices, 1 - choices)
        good = np.where(states == self.better, self.paying, 1 - self.paying)
        self.better = np.where(swap < self.reversal, 1 - self.better, self.better)
        return states, (paid < good).astype(float)


class TwoStepLearner(Policy):
    """A policy for the first choice of the two-step task."""

    @abstractmethod
    def learn(self, choices: np.ndarray, states: np.ndarray, rewards: np.ndarray) -> None:
        """Take in one trial: choices and states int64 [N], rewards float64 [N]."""


@dataclass(frozen=True)
class TwoStepHistory:
    """What happened in N episodes of T trials.

    Attributes:
        choices: int64 [N, T].
        states: that the choices led to, int64 [N, T].
        rewards: float64 [N, T].
    """

    choices: np.ndarray
    states: np.ndarray
    rewards: np.ndarray


class Staying(NamedTuple):
    """How often a choice is repeated, by what came of it.

    After a reward (R) or none (N), in the state that the choice commonly (C) or uncommonly (U)
    leads to.
    """

    RC: float
    RU: float
    NC: float
    NU: float

    @property
    def model_based(self) -> float:
        """(RC - RU) - (NC - NU): staying depends on the reward and the transition together."""
        return (self.RC - self.RU) - (self.NC - self.NU)

    @property
    def model_free(self) -> float:
        """(RC + RU) - (NC + NU): staying depends on the reward alone."""
        return (self.RC + self.RU) - (self.NC + self.NU)


def stay_probabilities(history: TwoStepHistory) -> Staying:
    """Return how often choices are repeated, over all trials of a history but each first one."""
    stay = history.choices[:, 1:] == history.choices[:, :-1]
    rewarded = history.rewards[:, :-1] > 0
    common = (history.states == history.choices)[:, :-1]
    kinds = ((won, usual) for won in (rewarded, ~rewarded) for usual in (common, ~common))
    return Staying(*(float(stay[won & usual].mean()) for won, usual in kinds))


def play_two_step(
    task: TwoStep, learner: TwoStepLearner, episodes: int, seed: int = 0
) -> TwoStepHistory:
    """Play `episodes` episodes of the two-step task; learner and task draw from own streams."""
    shape = (task.trials, episodes)
    choices, states, rewards = np.zeros(shape, np.int64), np.zeros(shape, np.int64), np.zeros(shape)
    ours, theirs = np.random.default_rng(seed).spawn(2)
    task.begin(episodes, theirs)
    learner.begin(episodes, ours)
    for t in range(task.trials):
        choices[t] = learner.choose()
        states[t], rewards[t] = task.pay(choices[t])
        learner.learn(choices[t], states[t], rewards[t])
    return TwoStepHistory(choices.T, states.T, rewards.T)
