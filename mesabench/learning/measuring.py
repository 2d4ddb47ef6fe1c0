"""Figures of a learner, each with its standard error."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from mesabench.learning.baiting import matching_slope
from mesabench.learning.history import History, play
from mesabench.learning.learner import Learner
from mesabench.learning.processes import Process, VolatileArms
from mesabench.learning.rates import Trials, block_rates
from mesabench.learning.two_step import (
    TwoStep,
    TwoStepHistory,
    TwoStepLearner,
    play_two_step,
    stay_probabilities,
)

#: Fits take long: no more episodes than these are explained.
FITTED = 2000
#: Figures that are no means over episodes get their error from this many parts of the episodes.
PARTS = 20


class Estimate(NamedTuple):
    """A figure and its standard error; None where it is computed exactly, not sampled."""

    value: float
    error: float | None = None


#: Takes a number of episodes and a seed, and returns figures by name.
Experiment = Callable[[int, int], dict[str, Estimate]]


def mean(figures: np.ndarray) -> Estimate:
    """Return the mean of independent figures, float64 [M], of which there are at least two."""
    return Estimate(float(figures.mean()), float(figures.std(ddof=1)) / len(figures) ** 0.5)


def bandit(
    process: Callable[[], Process], learner: Callable[[], Learner], share: int = 1
) -> Experiment:
    """Measure regret and reward per episode, on one in `share` episodes where these are long."""

    def run(episodes: int, seed: int) -> dict[str, Estimate]:
        history = play(process(), learner(), max(episodes // share, 2), seed)
        sums = {"regret": history.regrets.sum(1), "reward": history.rewards.sum(1)}
        return {name: mean(figures) for name, figures in sums.items()}

    return run


def exact(quantity: str, value: Callable[[], float]) -> Experiment:
    """Compute a figure that needs no episodes."""
    return lambda _episodes, _seed: {quantity: Estimate(value())}


def matching(process: Callable[[], Process], learner: Callable[[], Learner]) -> Experiment:
    """Measure how choices follow rewards."""

    def run(episodes: int, seed: int) -> dict[str, Estimate]:
        history = play(process(), learner(), episodes, seed)
        return {"matching slope": mean(np.array([matching_slope(h) for h in parts(history)]))}

    return run


def parts(history: History) -> list[History]:
    """Cut a history's episodes into parts."""
    cuts = np.array_split(np.arange(len(history.choices)), PARTS)
    return [History(history.choices[c], history.rewards[c], history.regrets[c]) for c in cuts]


def fitted_rates(hazard: float, learner: Callable[[], Learner]) -> Experiment:
    """Measure the learning rate fitted to blocks of ten episodes: the mean over blocks."""

    def run(episodes: int, seed: int) -> dict[str, Estimate]:
        history = play(VolatileArms(hazard), learner(), min(episodes, FITTED), seed)
        rates = block_rates(Trials(history.choices, history.rewards))
        return {"fitted rate": mean(rates)}

    return run


def two_step(learner: Callable[[], TwoStepLearner]) -> Experiment:
    """Measure the reward per episode, and how staying depends on reward and transition."""

    def run(episodes: int, seed: int) -> dict[str, Estimate]:
        history = play_two_step(TwoStep(), learner(), episodes, seed)
        cuts = np.array_split(np.arange(episodes), PARTS)
        found = [staying(history, cut) for cut in cuts]
        figures = {name: mean(np.array([f[name] for f in found])) for name in found[0]}
        return figures | {"reward": mean(history.rewards.sum(1))}

    return run


def staying(history: TwoStepHistory, cut: np.ndarray) -> dict[str, float]:
    """Return stay probabilities and indices of some of the episodes."""
    some = TwoStepHistory(history.choices[cut], history.states[cut], history.rewards[cut])
    stay = stay_probabilities(some)
    return stay._asdict() | {"MB": stay.model_based, "MF": stay.model_free}
