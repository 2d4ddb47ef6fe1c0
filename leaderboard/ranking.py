"""Means over seeds with their intervals, and ranks with theirs.

A method's figure on a task is the mean over independently trained seeds; its headline the mean of
that over tasks. Tasks whose seeds have the same numbers form a *block*: their k-th agents come from
one training of the method, so they are averaged seed by seed. Blocks are independent of each other.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

LOWER, UPPER = 0.025, 0.975  # quantiles between which an interval lies
DRAWS = 1000  # of the bootstrap
SAME = 9  # decimals after which two scores count as equal

Floats = NDArray[np.float64]


class SeedValues(NamedTuple):
    """One figure for each seed of a task.

    Attributes:
        seeds: numbers of the training seeds, ascending.
        values: float64 [n] the figures, in their order.
    """

    seeds: tuple[int, ...]
    values: Floats


class Interval(NamedTuple):
    """A mean over seeds and its 95 % interval; without ends where a task has one seed."""

    mean: float
    low: float | None
    high: float | None


class Rank(NamedTuple):
    """Where an entry stands among those it is compared with.

    Attributes:
        rank: 1 + the number of better ones; equals share a rank.
        low, high: the 95 % interval of the rank.
        tied: whether another one has the same score.
        among: how many are compared.
    """

    rank: int
    low: int
    high: int
    tied: bool
    among: int


def mean_over_tasks(tasks: Mapping[str, SeedValues]) -> Interval:
    """Return the mean over tasks of the means over seeds, with a t-interval.

    With one block of n seeds it is x̄ ± t(.975; n − 1) · s / √n over the per-seed means over tasks.
    Several blocks b add up: variance Σ v_b with v_b = s_b² / n_b, and Satterthwaite's degrees of
    freedom (Σ v_b)² / Σ v_b² / (n_b − 1). The figures are not cut off at 0 or 1.

    Args:
        tasks: task id → its seeds' figures; at least one task.
    """
    shares = _blocks(tasks)
    mean = sum(sum(share) / len(share) for share in shares)
    if any(len(share) < 2 for share in shares):
        return Interval(mean, None, None)
    variances = [_variance(share) / len(share) for share in shares]
    total = sum(variances)
    if total < 1e-24:  # equal up to rounding: t is not defined
        return Interval(mean, mean, mean)
    terms = (v**2 / (len(share) - 1) for v, share in zip(variances, shares, strict=True))
    half = float(special.stdtrit(total**2 / sum(terms), UPPER)) * total**0.5
    return Interval(mean, mean - half, mean + half)


def _blocks(tasks: Mapping[str, SeedValues]) -> list[list[float]]:
    """Return, for each block, each seed's share of the mean over all tasks."""
    by_block = [[tasks[name].values.tolist() for name in n] for n in _named_blocks(tasks).values()]
    return [[sum(of) / len(tasks) for of in zip(*block, strict=True)] for block in by_block]


def _named_blocks(tasks: Mapping[str, SeedValues]) -> dict[tuple[int, ...], list[str]]:
    """Return the tasks of each block, by the numbers of its seeds."""
    found: dict[tuple[int, ...], list[str]] = {}
    for name, (seeds, _) in tasks.items():
        found.setdefault(seeds, []).append(name)
    return found


def _variance(values: list[float]) -> float:
    """Return the sample variance; for five numbers this is far quicker than an array's."""
    mean = sum(values) / len(values)
    return sum((value - mean) ** 2 for value in values) / (len(values) - 1)


def redraw(slug: str, tasks: Mapping[str, SeedValues], draws: int = DRAWS) -> dict[str, Floats]:
    """Draw a method's seeds anew, with replacement: task id → float64 [draws] of its means.

    A block's tasks get the same seeds in each draw. The mean of n drawn seeds varies less than the
    t-distribution allows for: by √((n − 1) / n), and by the normal quantile instead of Student's.
    Deviations are stretched by both, so that 95 % of the draws lie about where the t-interval does.
    The random numbers hang on the slug: another entry does not change them.

    Args:
        slug: of the entry.
        tasks: task id → its seeds' figures; at least two seeds each.
        draws: how many.
    """
    digest = hashlib.sha256(slug.encode()).digest()
    rng = np.random.default_rng(np.frombuffer(digest, np.uint32))
    found: dict[str, Floats] = {}
    for names in _named_blocks(tasks).values():
        values = np.array([tasks[name].values for name in names])  # [tasks of the block, seeds]
        means = values.mean(axis=1, keepdims=True)
        drawn = means + (values - means) @ _weights(rng, values.shape[1], draws).T
        found |= zip(names, drawn, strict=True)
    return found


def _weights(rng: np.random.Generator, n: int, draws: int) -> Floats:
    stretch = np.sqrt(n / (n - 1)) * special.stdtrit(n - 1, UPPER) / special.ndtri(UPPER)
    drawn = rng.integers(n, size=(draws, n, 1), dtype=np.uint16)
    return (drawn == np.arange(n, dtype=np.uint16)).sum(axis=1) * (stretch / n)


def ranks(scores: Sequence[float], draws: Sequence[Floats]) -> list[Rank]:
    """Rank entries by their scores, the highest first, with intervals from joint draws.

    In every draw each entry gets the best and the worst rank that its equals leave it; the interval
    goes from the 2.5 % quantile of the best to the 97.5 % quantile of the worst, and includes the
    rank itself.

    Args:
        scores: [N] one for each entry.
        draws: N times float64 [draws], from `redraw`.
    """
    if not scores:
        return []
    exact: Floats = np.asarray(scores, np.float64).round(SAME)
    (rank,), (last,) = _ranks(exact[None])
    best, worst = _ranks(np.stack(draws, axis=1).round(SAME))
    low = np.minimum(rank, np.quantile(best, LOWER, axis=0, method="inverted_cdf"))
    high = np.maximum(last, np.quantile(worst, UPPER, axis=0, method="inverted_cdf"))
    return [
        Rank(int(r), int(a), int(b), bool(r != e), len(rank))
        for r, a, b, e in zip(rank, low, high, last, strict=True)
    ]


def _ranks(scores: Floats) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return best and worst rank of each column within each row of `scores` [draws, N]."""
    order = np.argsort(-scores, axis=1)
    ordered = np.take_along_axis(scores, order, axis=1)
    index = np.arange(1, scores.shape[1] + 1, dtype=np.int32)
    new = np.ones(scores.shape, bool)  # where a run of equals begins
    new[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    ends = np.roll(new, -1, axis=1)  # the first always begins one, so the last one ends here
    best = np.maximum.accumulate(np.where(new, index, 0), axis=1)
    worst = np.minimum.accumulate(np.where(ends, index, len(index))[:, ::-1], axis=1)[:, ::-1]
    found = np.empty((2, *scores.shape), np.int32)
    np.put_along_axis(found[0], order, best, axis=1)
    np.put_along_axis(found[1], order, worst, axis=1)
    return found[0], found[1]
