"""Figures of merit of probabilities that were given for known truths."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mesabench.validation.trials import TEMPERS, Trial

BINS = 10  # of the reliability diagram, equally wide
RESAMPLES = 1000
FLOOR = 1e-6  # least probability, so that one sure error does not make the NLL infinite


@dataclass(frozen=True)
class Answers:
    """What was said in n trials with C classes.

    Attributes:
        probabilities: float64 [n, C].
        truth: int64 [n] number of the true class.
        agent: int64 [n] which agent it was about.
    """

    probabilities: NDArray[np.float64]
    truth: NDArray[np.int64]
    agent: NDArray[np.int64]

    def of(self, rows: NDArray[np.int64]) -> "Answers":
        """Return some of the answers."""
        return Answers(self.probabilities[rows], self.truth[rows], self.agent[rows])


def answers(trials: Sequence[Trial], temper: float) -> Answers:
    """Gather what was said in trials of one task, at one of `TEMPERS`."""
    agents = {name: i for i, name in enumerate(dict.fromkeys(t.organism for t in trials))}
    return Answers(
        np.array([t.probabilities[TEMPERS.index(temper)] for t in trials]),
        np.array([t.classes.index(t.truth) for t in trials]),
        np.array([agents[t.organism] for t in trials]),
    )


def accuracy(found: Answers) -> float:
    """Return how often the likeliest class was the true one."""
    return float((found.probabilities.argmax(1) == found.truth).mean())


def brier(found: Answers) -> float:
    """Return the mean of Σ_c (p_c − [c is true])² (Brier 1950), from 0 to 2."""
    right = np.eye(found.probabilities.shape[1])[found.truth]
    return float(((found.probabilities - right) ** 2).sum(1).mean())


def nll(found: Answers) -> float:
    """Return the mean of −log p of the true class, in nats."""
    p = found.probabilities[np.arange(len(found.truth)), found.truth]
    return float(-np.log(np.maximum(p, FLOOR)).mean())


def ece(found: Answers) -> float:
    """Return the expected calibration error of the likeliest class (Guo et al. 2017).

    Σ_b n_b/n · |accuracy − mean confidence| over `BINS` equally wide bins of confidence.
    """
    bins = reliability(found)
    return float(sum(n * abs(right - sure) for n, sure, right in bins) / len(found.truth))


def reliability(found: Answers) -> list[tuple[int, float, float]]:
    """Return the number, mean confidence and accuracy of each bin that is not empty."""
    sure, right = found.probabilities.max(1), found.probabilities.argmax(1) == found.truth
    where = np.minimum((sure * BINS).astype(int), BINS - 1)
    return [
        (int((where == b).sum()), float(sure[where == b].mean()), float(right[where == b].mean()))
        for b in np.unique(where)
    ]


def confusion(found: Answers) -> NDArray[np.int64]:
    """Return how often each true class [rows] was called each class [columns]."""
    classes = found.probabilities.shape[1]
    table = np.zeros((classes, classes), np.int64)
    np.add.at(table, (found.truth, found.probabilities.argmax(1)), 1)
    return table


def interval(found: Answers, statistic, seed: int = 0) -> tuple[float, float]:
    """Return the 95 % interval of a statistic, by bootstrap over agents."""
    rng = np.random.default_rng(seed)
    agents = np.unique(found.agent)
    rows = [np.flatnonzero(found.agent == a) for a in agents]
    drawn = rng.integers(len(agents), size=(RESAMPLES, len(agents)))
    values = [statistic(found.of(np.concatenate([rows[i] for i in draw]))) for draw in drawn]
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)
