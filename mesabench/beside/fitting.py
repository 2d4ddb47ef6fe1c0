"""The likeliest event weights, their intervals, and what to make of those nobody could tell.

The likelihood is maximised over w = softmax(z) from the best of many starts; after each round the
planner is asked for the exact values at the best w, until they are no news. Where behaviour leaves
a direction of weights open, the estimate is moved along it towards the events that candidate
objectives name, and intervals reach from one end of it to the other.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import logsumexp, softmax

from mesabench.beside.indifference import INTERVAL
from mesabench.beside.likelihood import Likelihood
from mesabench.beside.resampling import FEW, level_counts

CLIMBS = (8, 4, 4, 4)  # from how many starts each round of searching and planning goes
SETTLED = 0.01  # nats by which exact values may change the likelihood
BOUND = 8.0  # of z: weights above some e⁻⁸
SPREAD = 120  # weightings over the simplex among which resamples choose, and as many near the fit
SPARSE, CLOSE = 0.5, 20.0  # concentrations of the two
HOPELESS = 50.0  # nats behind the best, from which no resample is thought to choose it
PROFILE = 1.92  # half of the 95 % point of χ² with one degree of freedom
ALIKE = 1.0  # nats by which two ends of an open direction may differ

Values = NDArray[np.float64]


def search(chances: Likelihood, guesses: Sequence[Values] = (), *, seed: int = 0) -> Values:
    """Return the likeliest weights [K]; values are exact there afterwards.

    Args:
        chances: the likelihood.
        guesses: weights [K] to start from, beside every corner, the centre and others by chance;
            the search begins at the likeliest of them all.
        seed: of those others.
    """
    count = chances.values.supports.shape[1]
    spread = scatter(count, seed)
    starts = [np.full(count, 1 / count), *np.eye(count), *guesses, *spread]
    best = starts[0]
    for climbs in CLIMBS:
        found = [climb(chances, w) for w in likeliest(chances, starts)[:climbs]]
        starts = likeliest(chances, [*found, *guesses, *scatter_near(found[0], seed)])
        best = starts[0]
        guessed = chances.total(best)
        chances.values.add(best[None])
        if abs(chances.total(best) - guessed) < SETTLED:
            break
    return best


def scatter_near(weights: Values, seed: int) -> Values:
    """Return random weightings near one, [P, K]."""
    return np.random.default_rng(seed).dirichlet(CLOSE * weights + 0.2, SPREAD)


def likeliest(chances: Likelihood, weights: Sequence[Values]) -> list[Values]:
    """Return weights [K] in the order of their likelihood, best first."""
    return sorted(weights, key=chances.total, reverse=True)


def scatter(count: int, seed: int) -> Values:
    """Return random weightings all over the simplex, most of them near its edges, [P, K]."""
    return np.random.default_rng(seed).dirichlet(np.full(count, SPARSE), SPREAD)


def climb(chances: Likelihood, start: Values) -> Values:
    """Return the weights [K] at a local maximum of the likelihood."""

    def loss(z: Values) -> tuple[float, Values]:
        weights = softmax(z)
        total, slope = chances.slope(weights)
        return -total, -weights * (slope - weights @ slope)

    z = np.log(start + 0.01)
    z = np.clip(z - z.mean(), -BOUND, BOUND)
    found = minimize(
        loss,
        z,
        jac=True,
        method="L-BFGS-B",
        bounds=[(-BOUND, BOUND)] * len(z),
        options={"ftol": 1e-7},
    )
    return softmax(found.x)


def ends(weights: Values, directions: Values) -> Iterator[Values]:
    """Yield the weights [K] at both ends of each open direction [d, K] of the simplex."""
    for way in (*directions, *-directions):
        falls = way < 0
        if falls.any():
            farthest = np.min(weights[falls] / -way[falls])
            moved = np.maximum(weights + farthest * way, 0.0)
            if moved.sum() > 0:
                yield moved / moved.sum()


def settle(
    chances: Likelihood, best: Values, directions: Values, named: NDArray[np.bool_]
) -> Values:
    """Move the weights along open directions towards the events [K] that are named."""
    for direction in directions:
        equal = [best, *ends(best, direction[None])]
        equal = [w for w in equal if chances.total(w) >= chances.total(best) - ALIKE]
        best = max(equal, key=lambda w: round(float(w[named].sum()), 6))
    return best


def intervals(
    chances: Likelihood, best: Values, directions: Values, seed: int
) -> tuple[Values, Values]:
    """Return the ends of each weight's 95 % interval, each [K].

    It is the wider of two: by bootstrap over levels, each resample choosing the likeliest of many
    weightings; and by profile likelihood, all weightings among those less than `PROFILE` nats
    behind the best. A planned agent's weights all over a plateau explain it alike, and then
    resamples agree on one of them. Where a direction is open, the interval reaches to its ends.
    """
    spread, near = scatter(len(best), seed), scatter_near(best, seed)
    bank = np.concatenate([best[None], np.eye(len(best)), spread, near])
    tables = np.array([chances.by_level(w) for w in bank])  # [P, C, L]
    sums = tables.sum(2)
    hopeful = sums > sums.max() - HOPELESS
    tables, bank = tables[hopeful.any(1)][:, hopeful.any(0)], bank[hopeful.any(1)]
    drawn = level_counts(tables.shape[-1], np.random.default_rng(seed), FEW)
    log_p = np.asarray(logsumexp(np.tensordot(drawn, tables, (1, 2)), axis=2))  # [R, P]
    found = np.percentile(bank[log_p.argmax(1)], INTERVAL, axis=0)
    total = chances.total(best)
    others = [*ends(best, directions), *bank]
    reached = np.array([best, *(w for w in others if chances.total(w) >= total - PROFILE)])
    return np.minimum(found[0], reached.min(0)), np.maximum(found[1], reached.max(0))
