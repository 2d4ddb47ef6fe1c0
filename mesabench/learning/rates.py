"""How fast an agent learns: the learning rate that best explains its choices between two arms.

The model is a delta rule with a softmax, for arms of which one pays as the other does not: a
trial's reward moves both values, Q(chosen) += α (r - Q) and Q(other) += α (1 - r - Q). Only their
difference v matters, v += α (e - v), where e is 1 if the trial spoke for the second arm, else -1,
and v is 0 at the start of each episode; the second arm is chosen with chance σ(β v).

A rule that leaves the other arm's value alone fits an optimal learner of such arms badly (it finds
rates of about .22 and .50 where this one finds .17 and .25), since that learner takes a loss here
for a win there.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.signal import lfilter

#: Where a fit may look: learning rates, and logarithms of inverse temperatures.
RATES = (0.005, 1.0)
LOG_TEMPERATURES = (np.log(0.1), np.log(200.0))


@dataclass(frozen=True)
class Trials:
    """Choices to explain: int64 [N, T] of 0 or 1, and the rewards of 0 or 1, float64 [N, T]."""

    choices: np.ndarray
    rewards: np.ndarray

    def blocks(self, episodes: int) -> "list[Trials]":
        """Return the trials in blocks of some episodes; what is left over at the end is dropped."""
        starts = range(0, len(self.choices) - episodes + 1, episodes)
        cuts = [slice(start, start + episodes) for start in starts]
        return [Trials(self.choices[cut], self.rewards[cut]) for cut in cuts]


@dataclass(frozen=True)
class Fit:
    """The most likely parameters of one or several groups of trials that share a learning rate.

    Attributes:
        rate: α, the same in all groups.
        inverse_temperatures: β of each group.
        log_likelihood: of all choices, in nats.
    """

    rate: float
    inverse_temperatures: tuple[float, ...]
    log_likelihood: float


def log_likelihood(trials: Trials, rate: float, inverse_temperature: float) -> float:
    """Return the logarithm of the chance of all choices under the model."""
    spoken = np.where((trials.choices == 1) == (trials.rewards > 0), 1.0, -1.0)
    after = np.asarray(lfilter([rate], [1, rate - 1], spoken, axis=1))
    drive = inverse_temperature * after[:, :-1]
    for_chosen = np.where(trials.choices[:, 1:] == 1, drive, -drive)
    return float(-np.logaddexp(0, -for_chosen).sum() - len(trials.choices) * np.log(2))


def fit(groups: Sequence[Trials]) -> Fit:
    """Fit one learning rate to all groups, and an inverse temperature to each."""

    def loss(point: np.ndarray) -> float:
        scales = np.exp(point[1:])
        return -sum(log_likelihood(g, point[0], b) for g, b in zip(groups, scales, strict=True))

    grid = [
        np.array([rate, *[np.log(scale)] * len(groups)])
        for rate in np.linspace(0.05, 0.95, 10)
        for scale in (1.0, 3.0, 10.0, 30.0)
    ]
    bounds = [RATES, *[LOG_TEMPERATURES] * len(groups)]
    found = minimize(loss, min(grid, key=loss), method="Nelder-Mead", bounds=bounds)
    scales = tuple(float(b) for b in np.exp(found.x[1:]))
    return Fit(float(found.x[0]), scales, -float(found.fun))


def block_rates(trials: Trials, episodes: int = 10) -> np.ndarray:
    """Return the learning rate of every block of some episodes: float64 [blocks]."""
    return np.array([fit([block]).rate for block in trials.blocks(episodes)])


def evidence_for_own_rates(groups: Sequence[Trials]) -> float:
    """Return how much better the groups are explained by a rate each than by one for all.

    The difference in BIC = k ln n - 2 ln L, over n choices, with an inverse temperature for each
    group in both models; above 0 it speaks for rates that differ, above 10 very strongly.
    """
    shared = fit(groups).log_likelihood
    own = sum(fit([group]).log_likelihood for group in groups)
    choices = sum(group.choices.size for group in groups)
    return 2 * (own - shared) - (len(groups) - 1) * np.log(choices)
