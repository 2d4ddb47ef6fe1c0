"""The likelihood of actions under event weights: a Boltzmann-rational planner with lapses.

For weights w with values Q̂(s, ·; w) (see `event_values`) and advantages A in one of two units,
steps lost log_γ(V / Q̂) or value (Q̂ − V) / u, u the worth of a step at the mean value,

    P(a | s, w, β, ε) = (1 − ε) · softmax(β A(s, ·; w))(a) + ε / A,

in one of two views (the map seen so far, the whole level). View, unit, rationality β and lapse ε
are one *cell* of a grid; cells are marginalised with equal weights,

    log L(w) = log mean over cells of exp Σ log P(a | s, w, cell).
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from mesabench.scorers.event_values import EventValues
from mesabench.scorers.evidence import steps_lost

RATIONALITY = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)  # β, per step
LAPSE = (0.01, 0.05, 0.15, 0.4)  # ε
UNITS = ("steps", "value")

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Cell:
    """How an agent acts on values: its view, what it cares about, how sharply, how surely."""

    view: str
    unit: str
    rationality: float
    lapse: float


@dataclass(frozen=True)
class Likelihood:
    """The likelihood of M actions on L levels, as a function of weights on K events.

    Attributes:
        values: the values at the M states.
        action: int64 [M].
        level: int64 [M] ascending.
        discount: per step.
        views: names of the views.
    """

    values: EventValues
    action: NDArray[np.int64]
    level: NDArray[np.int64]
    discount: float
    views: tuple[str, ...]

    @cached_property
    def cells(self) -> list[Cell]:
        """The grid over which is marginalised, in the order of `by_level`."""
        return [
            Cell(view, unit, beta, lapse)
            for view in self.views
            for unit in UNITS
            for beta in RATIONALITY
            for lapse in LAPSE
        ]

    @cached_property
    def step_worth(self) -> float:
        """What a step of delay costs at the mean value of the first supports: u."""
        values = self.values
        q = np.einsum("jvmak,jk->jvma", values.features, values.supports)
        return float(max((1 - self.discount) * q.max(-1).mean(), 1e-12))

    def by_level(self, weights: Values) -> Values:
        """Return log P of each level's actions in every cell, float64 [C, L]."""
        return self.of_values(self.values.q(weights))

    def of_values(self, q: Values) -> Values:
        """Return the same for given values [V, M, A]."""
        worth = (q - q.max(-1, keepdims=True)) / self.step_worth
        lost = np.stack([steps_lost(q, self.discount), worth], 1).astype(np.float32)
        taken = np.broadcast_to(self.action[:, None], (*lost.shape[:3], 1))
        beta = np.array(RATIONALITY, np.float32)[:, None]
        ahead = np.take_along_axis(lost, taken, -1)[..., None, :, 0] * beta  # [V, 2, β, M]
        total = sum(np.exp(beta * lost[:, :, None, :, a]) for a in range(lost.shape[-1]))
        lapse = np.array(LAPSE, np.float32)[:, None]
        p = (1 - lapse) * (np.exp(ahead) / total)[..., None, :] + lapse / lost.shape[-1]
        first = np.flatnonzero(np.diff(self.level, prepend=-1))
        summed = np.add.reduceat(np.log(p).astype(np.float64), first, axis=-1)
        return summed.reshape(-1, len(first))

    def total(self, weights: Values) -> float:
        """Return log L(w)."""
        return self.marginal(self.by_level(weights).sum(1))

    def marginal(self, log_p: Values) -> float:
        """Return the log of the mean over cells [C] of what log_p is the logarithm of."""
        return float(logsumexp(log_p) - np.log(len(log_p)))
