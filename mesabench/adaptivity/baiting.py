"""Baited arms: whether shares of choices follow shares of rewards (the matching law)."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mesabench.adaptivity.figures import Resampling, Shown
from mesabench.learning.baiting import TRAIN
from mesabench.scorers.returns import Estimate
from mesabench.trials import TrialHistory

SEEN: Sequence[tuple[float, float]] = TRAIN  # base chances of the first arm in training


def matching(history: TrialHistory, seed: int = 0) -> Shown:
    """Measure the matching slope: least squares of shares of choices over shares of rewards.

    Episodes are those with any reward; shares are of the first arm. The base chances are the
    arms' means in the first trial, when neither has waited.

    Who takes one arm only earns from that arm only, and so matches perfectly, however poorly it
    chose: the slope over the arms' shares of the base chances tells such players apart.
    """
    first, chosen = history.choices == 0, history.choices >= 0
    earned, made = history.rewards.sum(1), chosen.sum(1)
    kept = (earned > 0) & (made > 0)
    rewards = (history.rewards * first).sum(1)[kept] / earned[kept]
    choices = first.sum(1)[kept] / made[kept]
    base = history.means[kept, 0]
    new = ~seen(base[:, 0])
    figures = {
        "matching slope": slope(rewards, choices, seed),
        "slope over base chances": slope(base[:, 0] / base.sum(1), choices, seed),
    }
    if new.sum() >= 10:
        figures["matching slope, new chances"] = slope(rewards[new], choices[new], seed)
    return Shown(figures, samples=logarithms(base, choices))


def seen(base: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which base chances of the first arm, [M], occur in training."""
    return np.logical_or.reduce([(base >= low) & (base <= high) for low, high in SEEN])


def slope(x: NDArray[np.float64], y: NDArray[np.float64], seed: int = 0) -> Estimate:
    """Estimate the least-squares slope of y [M] over x [M]."""
    columns = np.stack([np.ones(len(x)), x, y, x * x, x * y], 1)

    def read(s: NDArray[np.float64]) -> NDArray[np.float64]:
        n, sx, sy, sxx, sxy = np.moveaxis(s, -1, 0)
        return (n * sxy - sx * sy) / (n * sxx - sx**2)

    return Resampling(len(x), seed).read(columns, read)


def logarithms(
    base: NDArray[np.float64], choices: NDArray[np.float64]
) -> dict[str, tuple[float, ...]]:
    """Return log ratios of base chances and of choices, where both are finite, for a plot."""
    with np.errstate(divide="ignore"):
        x = np.log(base[:, 0]) - np.log(base[:, 1])
        y = np.log(choices) - np.log(1 - choices)
    kept = np.isfinite(x) & np.isfinite(y)
    points = {"log ratio of base chances": x, "log ratio of choices": y}
    return {name: tuple(map(float, values[kept])) for name, values in points.items()}
