"""Figures with 95 % intervals: bootstrap over episodes of whatever is read from sums over them."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mesabench.beside.resampling import TAILS, level_counts
from mesabench.scorers.returns import Estimate

Read = Callable[[NDArray[np.float64]], NDArray[np.float64]]


@dataclass(frozen=True)
class Curve:
    """A figure at every trial (or lag), with its interval."""

    mean: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


@dataclass(frozen=True)
class Shown:
    """What somebody showed on one split.

    Attributes:
        figures: by name.
        curves: figures by trial, by name.
        samples: single values that a plot shows, by name.
        notes: what could not be measured, and why.
    """

    figures: dict[str, Estimate] = field(default_factory=dict)
    curves: dict[str, Curve] = field(default_factory=dict)
    samples: dict[str, tuple[float, ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __or__(self, other: "Shown") -> "Shown":
        """Return both together."""
        return Shown(
            self.figures | other.figures,
            self.curves | other.curves,
            self.samples | other.samples,
            self.notes + other.notes,
        )


class Resampling:
    """Bootstrap resamples of N episodes; all figures are read from the same ones.

    Args:
        episodes: N.
        seed: of the draws.
    """

    def __init__(self, episodes: int, seed: int = 0):
        self._drawn = level_counts(episodes, np.random.default_rng(seed))

    def read(self, columns: NDArray, read: Read) -> Estimate:
        """Estimate what is read from sums over episodes.

        Args:
            columns: [N, C] numbers of each episode.
            read: function of their sums [..., C] → the figure [...].
        """
        columns = np.asarray(columns, float)
        with np.errstate(divide="ignore", invalid="ignore"):
            return interval(float(read(columns.sum(0))), read(self._drawn @ columns))

    def mean(self, values: NDArray) -> Estimate:
        """Estimate the mean of values [N]."""
        return self.ratio(values, np.ones(len(values)))

    def ratio(self, over: NDArray, under: NDArray) -> Estimate:
        """Estimate Σ over / Σ under, each [N], paired by episode."""
        return self.read(np.stack([over, under], 1), lambda s: s[..., 0] / s[..., 1])

    def curve(self, values: NDArray) -> Curve:
        """Estimate the mean of every column of values [N, T]."""
        often = self._drawn @ np.asarray(values, float) / len(values)
        low, high = np.quantile(often, TAILS, axis=0)
        return Curve(*(tuple(map(float, v)) for v in (values.mean(0), low, high)))


def interval(value: float, resampled: NDArray[np.float64]) -> Estimate:
    """Return a figure with the interval that its resamples [R] span; NaN where it is none."""
    if not np.isfinite(value):
        return Estimate(np.nan, np.nan, np.nan)
    low, high = np.nanquantile(resampled, TAILS)
    return Estimate(value, float(low), float(high))
