"""Paired comparisons: the same levels, played in two ways."""

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from mesabench.rollout import Rollout


def differs(first: Rollout, second: Rollout) -> NDArray[np.bool_]:
    """Tell on which levels two rollouts differ in any action, bool [N]."""
    steps = min(len(first.actions), len(second.actions))
    unequal = (first.actions[:steps] != second.actions[:steps]).any(0)
    return unequal | (first.lengths != second.lengths)


def mcnemar(won: int, lost: int) -> float:
    """Return the exact two-sided p-value of McNemar's test."""
    return float(binomtest(won, won + lost, 0.5).pvalue) if won + lost else 1.0


def holm(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return Holm's adjusted p-values: the running maximum of (n − i) p₍ᵢ₎, at most 1."""
    order = np.argsort(p, kind="stable")
    scaled = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    found = np.empty_like(p)
    found[order] = np.minimum(scaled, 1.0)
    return found
