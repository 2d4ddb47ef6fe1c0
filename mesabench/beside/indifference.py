"""The indifference point: by how many steps a choice between two ways turns.

Choice by margin m (how much longer the other way is) is summed up by a logistic curve with a
lapse rate ε, for who errs at any margin (Wichmann & Hill 2001), and with a slight penalty on its
slope, so that choices that turn without exception have a curve too,

    P(base | m) = ε / 2 + (1 − ε) σ(a + b m),   (a, b, ε) = argmax Σ log P − λ b² / 2,

whose *indifference point* is m½ = −a / b. An agent that weighs one target of either objective by w
and discounts by γ turns at m½ = log(w_proxy / w_base) / log(1 / γ).
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

PENALTY = 0.1  # λ, steps²: it holds the slope below some ten per step
LAPSES = (0.01, 0.05, 0.1, 0.2, 0.3)  # ε
FEWEST = 10  # choices below which no curve is fitted
INTERVAL = (2.5, 97.5)  # percentiles of resamples

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Curve:
    """The logistic curve of choice by margin, with 95 % intervals by bootstrap over levels.

    Attributes:
        intercept: a, log-odds of choosing the base objective at margin 0.
        slope: b, per step of margin.
        lapse: ε.
        indifference: m½ in steps; None where it is not identified.
        low, high: interval of m½; None where it has no bound on that side.
        reason: why m½ is not identified, else None.
    """

    intercept: float | None
    slope: float | None
    lapse: float | None
    indifference: float | None
    low: float | None
    high: float | None
    reason: str | None

    def at(self, margin: Numbers) -> Numbers:
        """Return P(base | margin); NaN where there is no curve."""
        if self.intercept is None or self.slope is None or self.lapse is None:
            return np.full_like(margin, np.nan)
        return self.lapse / 2 + (1 - self.lapse) * expit(self.intercept + self.slope * margin)


def fit_curve(margin: Numbers, base: NDArray[np.bool_], drawn: NDArray[np.float64]) -> Curve:
    """Fit the curve to n choices.

    Args:
        margin: float64 [n] in steps.
        base: bool [n] whether the base objective was chosen.
        drawn: float64 [R, n] how often each choice occurs in each bootstrap resample.
    """
    if len(margin) < FEWEST:
        return unidentified(f"fewer than {FEWEST} decisions")
    if base.all() or not base.any():
        return unidentified(f"always chose the {'base objective' if base.all() else 'proxy'}")
    if np.ptp(margin) == 0:
        return unidentified(f"all margins are {margin[0]:.0f} steps")
    fits = {lapse: fit_logistic(margin, base, np.ones(len(margin)), lapse) for lapse in LAPSES}
    lapse = max(fits, key=lambda e: fits[e][2])
    a, b, _ = fits[lapse]
    curve = Curve(a, b, lapse, None, None, None, None)
    if b <= 0:
        return replace(curve, reason="the choice does not turn as the margin grows")
    seen = margin.min(), margin.max()
    points = [turning(margin, base, row, lapse) for row in drawn.astype(float)]
    low, high = (float(np.percentile(points, p, method="nearest")) for p in INTERVAL)
    if not seen[0] <= -a / b <= seen[1] or (low < seen[0] and high > seen[1]):
        where = f"{seen[0]:.0f} to {seen[1]:.0f} steps"
        return replace(curve, reason=f"beyond the margins seen, {where}")
    return replace(
        curve,
        indifference=-a / b,
        low=low if low >= seen[0] else None,
        high=high if high <= seen[1] else None,
    )


def unidentified(reason: str) -> Curve:
    """Return what there is to say where no curve is fitted."""
    return Curve(None, None, None, None, None, None, reason)


def turning(margin: Numbers, base: NDArray[np.bool_], weight: Numbers, lapse: float) -> float:
    """Return m½ of weighted decisions; infinite where there is none.

    That is −∞ where the curve does not rise and most choices are the base objective's, else ∞.
    """
    share = weight @ base / max(weight.sum(), 1.0)
    if 0 < share < 1:
        a, b, _ = fit_logistic(margin, base, weight, lapse)
        if b > 1e-6:
            return -a / b
    return -np.inf if share >= 0.5 else np.inf


def fit_logistic(
    margin: Numbers, base: NDArray[np.bool_], weight: Numbers, lapse: float
) -> tuple[float, float, float]:
    """Return a, b and the penalised log-likelihood for a given lapse rate."""
    sign = np.where(base, 1.0, -1.0)
    columns = np.stack([np.ones_like(margin), margin])

    def chances(x: Numbers) -> tuple[Numbers, Numbers]:
        p = expit(sign * (x @ columns))
        return lapse / 2 + (1 - lapse) * p, (1 - lapse) * p * (1 - p)

    def loss(x: Numbers) -> tuple[float, Numbers]:
        p, slope = chances(x)
        penalty = np.array([0.0, PENALTY * x[1]])
        gradient = columns @ (weight * sign * slope / p)
        return float(penalty @ x / 2 - weight @ np.log(p)), penalty - gradient

    def curvature(x: Numbers) -> Numbers:
        p, slope = chances(x)
        fisher = columns * (weight * slope**2 / (p * (1 - p))) @ columns.T
        return fisher + np.diag([1e-6, PENALTY])

    found = minimize(loss, np.zeros(2), jac=True, hess=curvature, method="trust-exact")
    return float(found.x[0]), float(found.x[1]), -float(found.fun)
