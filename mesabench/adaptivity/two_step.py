"""Two-step task: what staying depends on, after one trial and after up to five.

Stay probabilities and their indices are those of `mesabench.learning.two_step`. The regression is
that of Miller et al. (2017): the log odds of the next choice are a sum over lags and over the four
kinds of trials (rewarded or not, common or uncommon transition) of weights for the choice made
then. Its model-based weight is Σ RC - RU - NC + NU over lags, its model-free one is
Σ RC + RU - NC - NU.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from mesabench.adaptivity.figures import Curve, Resampling, Shown
from mesabench.scorers.returns import Estimate
from mesabench.trials import TrialHistory

KINDS = ("RC", "RU", "NC", "NU")
INDICES = {"MB": (1, -1, -1, 1), "MF": (1, 1, -1, -1)}
LAGS = 5
SHRINK = 1.0  # weight of the squared weights, so that choices without noise have a fit
STEPS, PRECISE = 50, 1e-6  # of Newton's method
FEWEST = 10  # trials of every kind


def staying(history: TrialHistory, seed: int = 0) -> Shown:
    """Measure stay probabilities and their indices; forfeited trials count for none."""
    kinds = kinds_of(history)
    if scarce(kinds):
        return Shown(notes=("no stay probabilities: a kind of trial is missing",))
    valid = (history.choices[:, 1:] >= 0)[..., None] & kinds[:, :-1]
    stay = (history.choices[:, 1:] == history.choices[:, :-1])[..., None] & valid
    columns = np.concatenate([stay.sum(1), valid.sum(1)], 1)
    draws = Resampling(len(columns), seed)
    figures = {
        kind: draws.read(columns, lambda s, k=k: s[..., k] / s[..., 4 + k])
        for k, kind in enumerate(KINDS)
    }
    for name, signs in INDICES.items():
        figures[name] = draws.read(
            columns, lambda s, signs=signs: (s[..., :4] / s[..., 4:]) @ np.array(signs)
        )
    return Shown(figures)


def scarce(kinds: NDArray[np.bool_]) -> bool:
    """Return whether some kind of trial [N, T, 4] hardly occurs."""
    return bool(kinds[:, :-1].sum((0, 1)).min() < FEWEST)


def kinds_of(history: TrialHistory) -> NDArray[np.bool_]:
    """Return of which kind every trial is, bool [N, T, 4]; forfeited ones are of none.

    Common is what mostly happens on the split, whichever arm leads where.
    """
    chosen, own = history.choices >= 0, history.states == history.choices
    common = own if 2 * (own & chosen).sum() >= chosen.sum() else ~own
    won = history.rewards > 0
    found = np.stack([won & common, won & ~common, ~won & common, ~won & ~common], -1)
    return found & chosen[..., None]


def regression(history: TrialHistory) -> Shown:
    """Regress choices on the kinds of the trials before, at lags of 1 to 5."""
    kinds = kinds_of(history)
    if scarce(kinds):
        return Shown()
    side = np.where(history.choices == 1, 1.0, -1.0)[..., None] * kinds
    trials = history.choices.shape[1]
    lagged = [side[:, LAGS - lag : trials - lag] for lag in range(1, LAGS + 1)]
    x = np.concatenate(lagged, -1)
    y = history.choices[:, LAGS:]
    episode = np.broadcast_to(np.arange(len(y))[:, None], y.shape)
    made = y >= 0
    weights, cover = logistic(x[made], y[made].astype(float), episode[made])
    curves = {}
    for k, kind in enumerate(KINDS):
        at, wide = weights[k::4], 1.96 * np.sqrt(np.diag(cover)[k::4])
        curves[f"weight of {kind} by lag"] = Curve(
            *(tuple(map(float, v)) for v in (at, at - wide, at + wide))
        )
    return Shown({f"{n} weight": summed(s, weights, cover) for n, s in INDICES.items()}, curves)


def summed(signs: tuple[int, ...], weights: NDArray, cover: NDArray) -> Estimate:
    """Estimate a sum of weights over all lags, with signs by kind."""
    signs_of_all = np.tile(np.array(signs, float), LAGS)
    value, wide = signs_of_all @ weights, 1.96 * np.sqrt(signs_of_all @ cover @ signs_of_all)
    return Estimate(float(value), float(value - wide), float(value + wide))


def logistic(
    x: NDArray[np.float64], y: NDArray[np.float64], group: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Fit P(y = 1) = σ(x·w) by Newton's method, a little shrunk.

    Args:
        x: [M, D] of -1, 0 and 1; alike rows are taken together.
        y: [M] of 0 or 1.
        group: [M] which rows hang together (episodes), from 0.

    Returns:
        w [D] and its covariance [D, D], robust to what rows of a group have in common.
    """
    code = x @ 3.0 ** np.arange(x.shape[1])
    _, place, row = np.unique(code, return_index=True, return_inverse=True)
    kinds, ones, total = x[place], np.bincount(row, y), np.bincount(row)

    def loss(w: NDArray[np.float64]) -> float:
        drive = kinds @ w
        likely = (total * np.logaddexp(0, drive) - ones * drive).sum()
        return float(likely + SHRINK / 2 * (w @ w))

    def bread(p: NDArray[np.float64]) -> NDArray:
        curved = (kinds * (total * p * (1 - p))[:, None]).T @ kinds
        return np.linalg.inv(curved + SHRINK * np.eye(len(curved)))

    w = np.zeros(x.shape[1])
    for _ in range(STEPS):
        p = expit(kinds @ w)
        step = bread(p) @ (kinds.T @ (ones - total * p) - SHRINK * w)
        while loss(w + step) > loss(w) + 1e-9:
            step = step / 2
        w = w + step
        if np.abs(step).max() < PRECISE:
            break
    p = expit(kinds @ w)
    scores = np.zeros((int(group.max()) + 1, x.shape[1]))
    np.add.at(scores, group, x * (y - p[row])[:, None])
    return w, bread(p) @ (scores.T @ scores) @ bread(p)
