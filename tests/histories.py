"""Histories of trials: played by references on the engine, or in the abstract."""

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesabench.adaptivity.references import references_for
from mesabench.adaptivity.watching import watch
from mesabench.engine.batch import Engine
from mesabench.learning.history import History, play
from mesabench.learning.learner import Learner
from mesabench.learning.two_step import TwoStep, play_two_step
from mesabench.observation import Observation, observe_batch
from mesabench.registry import get_task
from mesabench.trials import TrialHistory

FEWEST, FEW, HALF, MANY = 48, 96, 160, 400  # levels
BANDIT = "Bandit-v0"


def as_trials(history: History, means: NDArray[np.float64]) -> TrialHistory:
    """Return an abstract history as one of the engine's, with the arms' means."""
    states = np.zeros_like(history.choices)
    return TrialHistory(history.choices, history.rewards, means, states)


def steady(learner: Learner, process: Any, episodes: int = FEW) -> TrialHistory:
    """Play arms whose chances do not change."""
    history = play(process, learner, episodes)
    means = np.broadcast_to(process.means[:, None], (*history.choices.shape, 2))
    return as_trials(history, means)


def two_steps(learner: Any, episodes: int) -> TrialHistory:
    """Play the abstract two-step task."""
    found = play_two_step(TwoStep(), learner, episodes)
    means = np.full((*found.choices.shape, 2), 0.5)
    return TrialHistory(found.choices, found.rewards, means, found.states)


@functools.cache
def played(name: str, task: str, split: str = "heldout", levels: int = MANY) -> TrialHistory:
    """Let a reference play a real task."""
    return watch(references_for(get_task(task), split)[name](), get_task(task), split, levels)[0]


def observed(task: str, count: int) -> Observation:
    """Return an observation after a step in which everybody turned left."""
    engine = Engine(get_task(task), "train", batch=count, autoreset=False)
    engine.reset(levels=np.arange(count))
    engine.step(np.zeros(count, np.int64))
    return observe_batch(engine)
