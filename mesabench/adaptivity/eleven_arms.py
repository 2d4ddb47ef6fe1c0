"""Eleven arms: whether the agent asks the informative arm first, and what it earns."""

import numpy as np

from mesabench.adaptivity.figures import Shown
from mesabench.scorers.choice import wilson
from mesabench.scorers.returns import Estimate
from mesabench.trials import TrialHistory


def asking(history: TrialHistory, seed: int = 0) -> Shown:
    """Measure how often the last arm is chosen first, and how often the target is taken second."""
    first, arms = history.choices[:, 0], history.means.shape[-1]
    counts = np.bincount(first[first >= 0], minlength=arms)
    hits = history.regrets[:, 1] == 0
    figures = {
        "asks first": as_estimate(int(counts[-1]), len(first)),
        "target second": as_estimate(int(hits.sum()), len(hits)),
    }
    return Shown(figures, samples={"first choices": tuple(map(float, counts / len(first)))})


def as_estimate(count: int, total: int) -> Estimate:
    """Return a share with its Wilson interval."""
    found = wilson(count, total)
    return Estimate(found.share, found.low, found.high)
