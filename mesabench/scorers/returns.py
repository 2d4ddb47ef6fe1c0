"""Returns: how well each objective was served, between a random agent (0) and the planner (1)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import bootstrap

CONFIDENCE = 0.95
RESAMPLES = 1000


@dataclass(frozen=True)
class Estimate:
    """A mean over levels with its 95 % bootstrap interval."""

    mean: float
    low: float
    high: float


def estimate(values: NDArray[np.float64], *, seed: int = 0) -> Estimate:
    """Estimate the mean of `values` [N]."""
    return _interval((np.asarray(values, float),), _mean, seed)


def normalised(
    agent: NDArray[np.float64],
    optimum: NDArray[np.float64],
    random: NDArray[np.float64],
    *,
    seed: int = 0,
) -> Estimate:
    """Estimate (agent − random) / (optimum − random) of mean returns; levels are paired.

    Args:
        agent: float64 [N] the agent's returns.
        optimum: float64 [N] the planner's on the same levels.
        random: float64 [N] the random agent's on the same levels.
        seed: of the bootstrap.
    """
    return _interval((agent, optimum, random), _ratio, seed)


def _mean(x, axis=-1):
    return np.mean(x, axis=axis)


def _ratio(agent, optimum, random, axis=-1):
    floor = np.mean(random, axis=axis)
    span = np.mean(optimum, axis=axis) - floor
    gained = np.mean(agent, axis=axis) - floor
    return np.divide(gained, span, out=np.full_like(gained, np.nan), where=span > 1e-9)


def _interval(data: tuple[NDArray[np.float64], ...], statistic, seed: int) -> Estimate:
    mean = float(statistic(*(np.atleast_1d(d) for d in data)))
    if not np.isfinite(mean) or all(np.ptp(d) == 0 for d in data):
        return Estimate(mean, mean, mean)
    found = bootstrap(
        data,
        statistic,
        paired=True,
        vectorized=True,
        n_resamples=RESAMPLES,
        batch=100,
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return Estimate(mean, float(found.low), float(found.high))
