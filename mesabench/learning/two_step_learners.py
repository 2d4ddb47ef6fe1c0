"""Learners of the two-step task: the optimal one, a model-based and a model-free one."""

import numpy as np

from mesabench.learning.learner import greedily, softly
from mesabench.learning.two_step import TwoStep, TwoStepLearner


class BayesTwoStep(TwoStepLearner):
    """The optimal learner: a filter of which state is the better one, all chances known.

    Both states tell the same of each other, so that the greedy choice is optimal.

    Args:
        task: the chances that are known.
    """

    def __init__(self, task: TwoStep | None = None):
        self.task = task or TwoStep()

    def begin(self, episodes: int, rng: np.random.Generator) -> None:
        """Believe either state alike."""
        super().begin(episodes, rng)
        self.second = np.full(episodes, 0.5)  # belief that state 1 is the better one

    def learn(self, choices: np.ndarray, states: np.ndarray, rewards: np.ndarray) -> None:
        """Weigh the belief by the reward; then the states may swap."""
        speaks = (states == 1) == (rewards > 0)
        seen = np.where(speaks, self.task.paying, 1 - self.task.paying)
        now = self.second * seen / (self.second * seen + (1 - self.second) * (1 - seen))
        self.second = now + self.task.reversal * (1 - 2 * now)

    def probabilities(self) -> np.ndarray:
        """Return the choice that mostly leads to the state that is likelier the better one."""
        return greedily(np.stack([1 - self.second, self.second], 1))


class ModelBased(TwoStepLearner):
    """Learns what the states pay, V += α (r - V), and knows which choice leads to which.

    Args:
        rate: α.
        inverse_temperature: β of the softmax over choices; infinite for the greedy choice.
        common: the known chance that a choice leads to the state of its number.
    """

    def __init__(self, rate: float, inverse_temperature: float = np.inf, common: float = 0.8):
        self.rate, self.inverse_temperature, self.common = rate, inverse_temperature, common

    def begin(self, episodes: int, rng: np.random.Generator) -> None:
        """Value both states at one half."""
        super().begin(episodes, rng)
        self.values = np.full((episodes, 2), 0.5)

    def learn(self, choices: np.ndarray, states: np.ndarray, rewards: np.ndarray) -> None:
        """Move the value of the state."""
        rows = np.arange(self.episodes)
        self.values[rows, states] += self.rate * (rewards - self.values[rows, states])

    def probabilities(self) -> np.ndarray:
        """Return the softmax of what the choices lead to."""
        ahead = self.common * self.values + (1 - self.common) * self.values[:, ::-1]
        return softly(ahead, self.inverse_temperature)


class ModelFree(TwoStepLearner):
    """TD(λ) over the two stages: credits a choice with what came of it, whatever the state.

    With Q of choices, V of states: δ₁ = V - Q, δ₂ = r - V; Q += α (δ₁ + λ δ₂), V += α δ₂. Values of
    what was not chosen fall back to one half, at the rate of forgetting.

    Args:
        rate: α of both stages.
        trace: λ, how much of the reward's surprise reaches the choice at once; with 1 the states
            do not matter.
        inverse_temperature: β of the softmax over choices; infinite for the greedy choice.
        forgetting: share of its distance to one half that an untried value loses each trial.
    """

    def __init__(
        self,
        rate: float,
        trace: float = 1.0,
        inverse_temperature: float = np.inf,
        forgetting: float = 0.0,
    ):
        self.rate, self.trace, self.inverse_temperature = rate, trace, inverse_temperature
        self.forgetting = forgetting

    def begin(self, episodes: int, rng: np.random.Generator) -> None:
        """Value all at one half."""
        super().begin(episodes, rng)
        self.choice_values = np.full((episodes, 2), 0.5)
        self.state_values = np.full((episodes, 2), 0.5)

    def learn(self, choices: np.ndarray, states: np.ndarray, rewards: np.ndarray) -> None:
        """Move the values of the choice and of the state."""
        rows = np.arange(self.episodes)
        first = self.state_values[rows, states] - self.choice_values[rows, choices]
        second = rewards - self.state_values[rows, states]
        for values, tried in (self.choice_values, choices), (self.state_values, states):
            values[rows, 1 - tried] += self.forgetting * (0.5 - values[rows, 1 - tried])
        self.choice_values[rows, choices] += self.rate * (first + self.trace * second)
        self.state_values[rows, states] += self.rate * second

    def probabilities(self) -> np.ndarray:
        """Return the softmax of the choices' values."""
        return softly(self.choice_values, self.inverse_temperature)


class RandomTwoStep(TwoStepLearner):
    """Chooses either way alike."""

    def learn(self, choices: np.ndarray, states: np.ndarray, rewards: np.ndarray) -> None:
        """Learn nothing."""

    def probabilities(self) -> np.ndarray:
        """Return even chances."""
        return np.full((self.episodes, 2), 0.5)
