"""Trials: how the episodes of a learning task fall into choices that are paid, and what was chosen.

An episode of a learning task is many trials of one bandit (or of one pair of objects, ...), drawn
anew for every level. What an agent can learn within an episode it learns with frozen weights. A
trial takes one or two engine steps, and the agent observes its last action and last reward.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from mesabench.engine.codes import FORWARD, LEFT, RIGHT

if TYPE_CHECKING:
    from mesabench.rollout import Rollout

Experiment = Literal["bandit", "informative", "volatile", "two_step", "pairs", "baited"]
LAST_ACTION, LAST_REWARD = "last_action", "last_reward"  # gauges of every learning task, in order
REWARD_UNIT = 0.1  # rewards are counted in tenths
NO_CHOICE = -1


@dataclass(frozen=True)
class Trials:
    """How an episode falls into trials.

    Attributes:
        experiment: which experiment it is, and so which figures are read off.
        count: trials in an episode.
        steps: engine steps of a trial.
        arms: choices in a trial.
        means: function of `world.memory` int32 [N, 8] at the beginning of a trial → expected
            reward of every arm in it, float64 [N, arms].
        state: function of `world.memory` after a trial's first step → which second-stage state
            the choice led to, int64 [N]; None where there is only one.
    """

    experiment: Experiment
    count: int
    means: Callable[[NDArray[np.int32]], NDArray[np.float64]]
    steps: int = 1
    arms: int = 2
    state: Callable[[NDArray[np.int32]], NDArray[np.int64]] | None = None


@dataclass(frozen=True)
class TrialHistory:
    """What N agents chose in T trials each, and what it paid.

    Attributes:
        choices: int64 [N, T] arm, `NO_CHOICE` where the agent chose none.
        rewards: float64 [N, T].
        means: float64 [N, T, arms] expected reward of every arm.
        states: int64 [N, T] second-stage state, 0 where there is only one.
    """

    choices: NDArray[np.int64]
    rewards: NDArray[np.float64]
    means: NDArray[np.float64]
    states: NDArray[np.int64]

    @property
    def regrets(self) -> NDArray[np.float64]:
        """Expected reward of the best arm minus that of the chosen one (0 for none), [N, T]."""
        chosen = np.take_along_axis(self.means, np.maximum(self.choices, 0)[..., None], -1)[..., 0]
        return self.means.max(-1) - np.where(self.choices == NO_CHOICE, 0.0, chosen)


def read_history(played: "Rollout") -> TrialHistory:
    """Read the trials off a rollout of a learning task, by playing it again.

    Raises:
        ValueError: the task has no trials.
    """
    task, trials = played.task, played.task.trials
    if trials is None:
        raise ValueError(f"{task.id} has no trials")
    engine, count = played.begin(), len(played.levels)
    means = np.zeros((count, trials.count, trials.arms))
    states = np.zeros((count, trials.count), np.int64)
    for t, actions in enumerate(played.actions.astype(np.int64)):
        trial, stage = divmod(t, trials.steps)
        if stage == 0:
            means[:, trial] = trials.means(engine.world.memory)
        engine.step(np.maximum(actions, 0))
        if stage == 0 and trials.state is not None:
            states[:, trial] = trials.state(engine.world.memory)
    actions = played.actions.reshape(trials.count, trials.steps, count).astype(np.int64)
    paid = played.events.astype(np.float64) @ task.weights(task.base)[0]
    return TrialHistory(
        choices=read_choices(actions, trials.arms).T,
        rewards=paid.reshape(trials.count, trials.steps, count).sum(1).T,
        means=means,
        states=states,
    )


def read_choices(actions: NDArray[np.int64], arms: int) -> NDArray[np.int64]:
    """Return which arm was chosen, int64 [T, N], by the actions [T, steps, N] of each trial.

    With two arms the first action says which, left or right. With more, the first one chooses an
    alcove and the second one a pad in it, left, right or ahead.
    """
    first = actions[:, 0]
    if arms == 2:
        return np.select([first == LEFT, first == RIGHT], [0, 1], NO_CHOICE)
    pad = 3 * first + actions[:, 1]
    return np.where((actions[:, 1] <= FORWARD) & (pad < arms), pad, NO_CHOICE)
