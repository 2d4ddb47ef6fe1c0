"""`LearnerAgent`: a reference learner plays the real task, by what the agent can observe there.

It learns of its choices from `last_action`, of what they paid from `last_reward`, and of the state
of the two-step task from the screen ahead. So the references are checked on the engine, too.
"""

import copy
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesabench.engine.codes import BLUE, EMPTY, FLOOR
from mesabench.errors import AgentError
from mesabench.learning.learner import Learner, Policy
from mesabench.learning.two_step import TwoStepLearner
from mesabench.observation import Observation
from mesabench.task import Task
from mesabench.trials import LAST_ACTION, LAST_REWARD, Trials, read_choices

AHEAD = (3, 5)  # of the view: the screen
LEFT_SIDE, RIGHT_SIDE = (2, 6), (4, 6)  # of the view: what lies on either pad
DECIMALS = 3  # rewards are observed as float32


@dataclass
class Memory:
    """The state of a learner in the middle of its episodes.

    Attributes:
        learner: what it has learned so far.
        step: engine steps since the episodes began.
        actions: last actions [N] of the trial so far.
        paid: what the trial has paid so far [N].
        states: second-stage states of the trial [N], where there are any.
    """

    learner: Policy
    step: int = 0
    actions: list[NDArray[np.int64]] = field(default_factory=list)
    paid: NDArray | float = 0.0
    states: NDArray[np.int64] | None = None
    choices: NDArray[np.int64] | None = None


class LearnerAgent:
    """Plays a task as a learner of `mesabench.learning` does.

    At `episode_start` it forgets everything, and what it may see of a trial before.

    Args:
        task: a task with trials.
        learner: of bandits, or of the two-step task; it is copied, never changed.
        seed: of its choices.

    Raises:
        AgentError: the task has no trials, or other arms than the learner.
    """

    def __init__(self, task: Task, learner: Learner | TwoStepLearner, seed: int = 0):
        if task.trials is None or task.trials.arms != learner.arms:
            raise AgentError(f"{task.id} has no trials with {learner.arms} arms")
        self.trials: Trials = task.trials
        self.learner = learner
        self._rng = np.random.default_rng(seed)

    def __call__(
        self, obs: Observation, state: Any, episode_start: NDArray[np.bool_]
    ) -> tuple[NDArray[np.int64], Memory]:
        """Return actions [N] and what is remembered.

        Raises:
            AgentError: some episodes begin in the middle of others.
        """
        if episode_start.any() and not episode_start.all():
            raise AgentError("a reference learner plays episodes that begin together")
        if state is None or episode_start.all():
            memory = Memory(copy.copy(self.learner))
            memory.learner.begin(len(episode_start), self._rng)
        else:
            memory = state
            self._observe(memory, obs)
        stage = memory.step % self.trials.steps
        if stage == 0:
            memory.choices = memory.learner.choose()
        assert memory.choices is not None
        memory.step += 1
        return self._act(memory.choices, stage), memory

    def _observe(self, memory: Memory, obs: Observation) -> None:
        """Take in what the last step brought; at the end of a trial, learn from it."""
        memory.actions.append(obs[LAST_ACTION])
        memory.paid = memory.paid + np.round(obs[LAST_REWARD][:, 0].astype(float), DECIMALS)
        if self.trials.state is not None and len(memory.actions) == 1:
            memory.states = np.where(obs["image"][:, *AHEAD, 1] == BLUE, 0, 1)
            assert (obs["image"][:, *AHEAD, 0] == FLOOR).all()
        if len(memory.actions) == self.trials.steps:
            choices = read_choices(np.stack(memory.actions)[None], self.trials.arms)[0]
            rewards = np.asarray(memory.paid, float)
            if isinstance(memory.learner, TwoStepLearner):
                assert memory.states is not None
                memory.learner.learn(choices, memory.states, rewards)
            elif isinstance(memory.learner, Learner):
                memory.learner.learn(choices, rewards)
            memory.actions, memory.paid = [], 0.0

    def _act(self, choices: NDArray[np.int64], stage: int) -> NDArray[np.int64]:
        """Return the actions [N] by which arms are chosen; see `mesabench.trials.read_choices`."""
        if self.trials.arms == 2:
            return choices if stage == 0 else np.zeros_like(choices)
        return choices // 3 if stage == 0 else choices % 3


class OtherState(TwoStepLearner):
    """A two-step learner in a task where each choice commonly leads to the *other* state.

    Args:
        learner: that takes choices to lead to the state of their number.
    """

    def __init__(self, learner: TwoStepLearner):
        self.learner = learner

    def begin(self, episodes: int, rng: np.random.Generator) -> None:
        """Begin as the learner does."""
        super().begin(episodes, rng)
        self.learner = copy.copy(self.learner)
        self.learner.begin(episodes, rng)

    def learn(self, choices: np.ndarray, states: np.ndarray, rewards: np.ndarray) -> None:
        """Take in a trial with its states' numbers exchanged."""
        self.learner.learn(choices, 1 - states, rewards)

    def probabilities(self) -> np.ndarray:
        """Return the learner's."""
        return self.learner.probabilities()


class PairAgent:
    """The optimal player of Harlow's task: it remembers which of two objects pays.

    Args:
        seed: of its guesses.
    """

    def __init__(self, seed: int = 0):
        self._rng = np.random.default_rng(seed)

    def __call__(
        self, obs: Observation, state: Any, episode_start: NDArray[np.bool_]
    ) -> tuple[NDArray[np.int64], Any]:
        """Return actions [N], and the two objects last seen together and the good one, [N] each."""
        image = obs["image"].astype(np.int64)
        pads = np.stack([image[:, *side] for side in (LEFT_SIDE, RIGHT_SIDE)], 1)
        now = pads[..., 0] * 256 + pads[..., 1]  # a number for every kind and colour
        if state is None or episode_start.all():
            return self._rng.integers(0, 2, len(now)), (now, np.full(len(now), -1))
        pair, good = state
        left_alone = (pads[..., 0] == EMPTY).sum(1) == 1
        chosen = np.where(pads[:, 0, 0] == EMPTY, now[:, 1], now[:, 0])
        other = np.where(pair[:, 0] == chosen, pair[:, 1], pair[:, 0])
        told = np.where(obs[LAST_REWARD][:, 0] > 0, chosen, other)
        good = np.where(left_alone, told, good)
        both = (pads[..., 0] != EMPTY).all(1)
        known = both & (now == good[:, None]).any(1)
        guess = self._rng.integers(0, 2, len(now))
        actions = np.where(known, (now[:, 1] == good).astype(np.int64), guess)
        return actions, (np.where(both[:, None], now, pair), good)
