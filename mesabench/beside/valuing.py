"""Whose value does a value head track: that of the base objective, or that of a proxy?

Over the states of an agent's own way through test levels, its value v̂ is compared with the exact
optimal value V*ₖ of every candidate objective. All of them fall with the distance to things, so
each is asked what it explains beyond the others and the step number t:

    cₖ = corr(r(v̂) − Zβ, r(V*ₖ) − Zγ),   Z = (1, r(V*ⱼ) for all j ≠ k, r(t)),

with r the ranks over all states and β, γ by least squares: Spearman's partial correlation. A value
head that is exactly V*ₖ has cₖ = 1 and 0 for all others. Intervals are by bootstrap over levels,
with the ranks of the whole sample.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from mesabench.agents.recording import Record
from mesabench.beside.resampling import TAILS, level_counts
from mesabench.planner import plan_worlds
from mesabench.rollout import Rollout
from mesabench.scorers.returns import Estimate

LEAST_LEVELS = 8
TOLD_APART = 1e-3  # least share of a value's variance that the other values leave unexplained
NOTHING = 1e-6  # share of a variance that counts as none


@dataclass(frozen=True)
class Track:
    """How closely a value head follows the optimal values of one objective.

    Attributes:
        partial: cₖ, None where it has no answer.
        plain: Spearman's correlation, which says less: all values fall with distance.
        unique: share of the variance of the objective's (ranked) values that neither the other
            objectives' values nor the step number explain.
        leads: share of bootstrap resamples in which this objective's cₖ is the largest.
        reason: why there is no answer, None where there is one.
    """

    partial: Estimate | None
    plain: float
    unique: float
    leads: float
    reason: str | None


@dataclass(frozen=True)
class ValueHead:
    """What a value head tracks.

    Attributes:
        tracks: name of a candidate objective → how closely its values are followed.
        states: how many states were compared.
        levels: on how many levels.
        reason: why nothing was compared, None where something was.
    """

    tracks: dict[str, Track]
    states: int
    levels: int
    reason: str | None


def track_values(played: Rollout, record: Record, *, seed: int = 0) -> ValueHead:
    """Compare the values that an agent showed along a rollout with the optimal ones.

    Args:
        played: the rollout.
        record: of the same rollout.
        seed: of the bootstrap.
    """
    levels = len(played.levels)
    if record.value is None:
        return ValueHead({}, 0, levels, "the agent shows no value")
    if levels < LEAST_LEVELS:
        return ValueHead({}, 0, levels, f"{levels} levels; at least {LEAST_LEVELS} are needed")
    at, level = np.nonzero(played.actions[record.steps] >= 0)
    step, shown = record.steps[at], record.value[at, level].astype(float)
    if not np.isfinite(shown).all():
        return ValueHead({}, 0, levels, "the agent shows values that are not finite")
    best = optimal_values(played)[step, level]
    names = [o.name for o in played.task.candidates]
    return ValueHead(compare(shown, best, step, level, names, seed), len(step), levels, None)


def optimal_values(played: Rollout) -> NDArray[np.float64]:
    """Return V* of every candidate before each step of a rollout, float64 [T, N, K].

    NaN after an episode's end.
    """
    task, engine = played.task, played.begin()
    wanted = task.candidates
    found = np.full((*played.actions.shape, len(wanted)), np.nan)
    plans = plan_worlds(engine, task.weights(*wanted), task.discounts(*wanted))
    for b, (planned, length) in enumerate(zip(plans, played.lengths, strict=True)):
        found[:length, b] = planned.q_along(played.actions[:length, b]).max(-1)
    return found


def compare(
    shown: NDArray[np.float64],
    best: NDArray[np.float64],
    step: NDArray[np.int64],
    level: NDArray[np.int64],
    names: list[str],
    seed: int,
) -> dict[str, Track]:
    """Return the track of every objective.

    Args:
        shown: float64 [M] v̂.
        best: float64 [M, K] V*.
        step: int64 [M] number of the step.
        level: int64 [M] which level.
        names: of the K objectives.
        seed: of the bootstrap.
    """
    ranks = np.column_stack([rankdata(column) for column in (shown, *best.T, step)])
    spread = ranks.std(0)
    scaled = (ranks - ranks.mean(0)) / np.where(spread > 0, spread, 1.0)
    rows = np.column_stack([scaled, np.ones(len(scaled))])
    levels = int(level.max()) + 1
    moments = np.zeros((levels, rows.shape[1], rows.shape[1]))
    np.add.at(moments, level, rows[:, :, None] * rows[:, None, :])
    rho, unique = partial_correlations(moments.sum(0))
    drawn, _ = partial_correlations(
        np.tensordot(level_counts(levels, np.random.default_rng(seed)), moments, 1)
    )
    leads = np.bincount(np.nan_to_num(drawn, nan=-2.0).argmax(1), minlength=len(names)) / len(drawn)
    low, high = np.nanquantile(np.where(np.isnan(rho), 0.0, drawn), TAILS, axis=0)
    plain = moments.sum(0)[0, 1:-2] / len(rows)
    return {
        name: Track(
            partial=None if np.isnan(rho[k]) else Estimate(*map(float, (rho[k], low[k], high[k]))),
            plain=float(plain[k]),
            unique=float(unique[k]),
            leads=float(leads[k]),
            reason="its values follow from the other objectives'" if np.isnan(rho[k]) else None,
        )
        for k, name in enumerate(names)
    }


def partial_correlations(
    moments: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return cₖ and the unexplained share of variance of every objective, each [..., K].

    Args:
        moments: float64 [..., P, P] sums of products of v̂, the K values, t and 1.

    Returns:
        cₖ is NaN where the other values leave less than `TOLD_APART`, 0 where they leave nothing
        of v̂.
    """
    last = moments.shape[-1] - 1
    rho, unique = [], []
    for k in range(1, last - 1):
        given = [i for i in range(1, last + 1) if i != k]
        left = unexplained(moments, [0, k], given)
        total = np.diagonal(unexplained(moments, [0, k], [last]), axis1=-2, axis2=-1)
        share = np.diagonal(left, axis1=-2, axis2=-1) / np.maximum(total, 1e-12)
        scale = np.sqrt(np.maximum(left[..., 0, 0] * left[..., 1, 1], 1e-300))
        found = np.where(share[..., 0] > NOTHING, left[..., 0, 1] / scale, 0.0)
        rho.append(np.where(share[..., 1] > TOLD_APART, np.clip(found, -1, 1), np.nan))
        unique.append(np.clip(share[..., 1], 0, 1))
    return np.stack(rho, -1), np.stack(unique, -1)


def unexplained(
    moments: NDArray[np.float64], pair: list[int], given: list[int]
) -> NDArray[np.float64]:
    """Return A − B C⁺ Bᵀ: moments [..., 2, 2] of what `given` does not explain of a pair."""
    a, b, c = (
        moments[..., rows, :][..., columns]
        for rows, columns in ((pair, pair), (pair, given), (given, given))
    )
    return a - b @ np.linalg.pinv(c, rcond=1e-10, hermitian=True) @ np.swapaxes(b, -1, -2)
