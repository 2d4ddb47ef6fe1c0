"""Harlow: how often the good object is chosen at every trial with a new pair."""

import numpy as np

from mesabench.adaptivity.figures import Curve, Shown
from mesabench.scorers.choice import wilson
from mesabench.scorers.returns import Estimate
from mesabench.trials import TrialHistory

LATE = 2  # trials from this one on (from 0) should all be right


def accuracy(history: TrialHistory, seed: int = 0) -> Shown:
    """Measure accuracy by trial, with Wilson intervals; a forfeited trial is wrong.

    Trials of one episode hang together, so the interval of the late trials' mean is that of as
    many independent trials as there are episodes.
    """
    right = history.regrets == 0
    total = len(right)
    shares = [wilson(int(column.sum()), total) for column in right.T]
    figures = {f"trial {t + 1}": Estimate(s.share, s.low, s.high) for t, s in enumerate(shares)}
    late = float(right[:, LATE:].mean())
    ends = wilson(round(late * total), total)
    figures[f"trials {LATE + 1}–{right.shape[1]}"] = Estimate(late, ends.low, ends.high)
    mean, low, high = np.array([[s.share, s.low, s.high] for s in shares]).T
    curve = Curve(tuple(map(float, mean)), tuple(map(float, low)), tuple(map(float, high)))
    return Shown(figures, {"accuracy": curve})
