"""Play a learner in a process, and read a learner's policy along a history of another."""

from dataclasses import dataclass

import numpy as np

from mesabench.learning.learner import Learner
from mesabench.learning.processes import Process


@dataclass(frozen=True)
class History:
    """What happened in N episodes of T trials.

    Attributes:
        choices: chosen arms, int64 [N, T].
        rewards: what they paid, float64 [N, T].
        regrets: what the best arm of the trial pays on average more than the chosen one,
            float64 [N, T].
    """

    choices: np.ndarray
    rewards: np.ndarray
    regrets: np.ndarray


def play(process: Process, learner: Learner, episodes: int, seed: int = 0) -> History:
    """Play `episodes` episodes of a process.

    Learner and process draw from streams of their own: with one seed, all learners meet the same
    arms. (What these pay is the same only as long as the choices are.)
    """
    shape = (process.trials, episodes)
    choices, rewards, regrets = np.zeros(shape, np.int64), np.zeros(shape), np.zeros(shape)
    ours, theirs = np.random.default_rng(seed).spawn(2)
    process.begin(episodes, theirs)
    learner.begin(episodes, ours)
    for t in range(process.trials):
        choices[t] = learner.choose()
        regrets[t] = process.means.max(1) - process.means[np.arange(episodes), choices[t]]
        rewards[t] = process.pay(choices[t])
        learner.learn(choices[t], rewards[t])
    return History(choices.T, rewards.T, regrets.T)


def policy_along(learner: Learner, choices: np.ndarray, rewards: np.ndarray) -> np.ndarray:
    """Return what a learner would choose at every trial of a history that it did not make.

    Args:
        learner: whose policy is asked for.
        choices: int64 [N, T], made by any agent.
        rewards: float64 [N, T], what they paid.

    Returns:
        float64 [N, T, arms]: chances of choices *before* the trial is known.
    """
    learner.begin(len(choices), np.random.default_rng(0))
    policy = np.zeros((*choices.shape, learner.arms))
    for t in range(choices.shape[1]):
        policy[:, t] = learner.probabilities()
        learner.learn(choices[:, t], rewards[:, t])
    return policy
