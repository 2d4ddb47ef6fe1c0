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
from scipy.special import softmax

from mesabench.beside.event_values import EventValues
from mesabench.scorers.evidence import CAP, steps_lost

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
        _, p = self._chances(q)
        first = np.flatnonzero(np.diff(self.level, prepend=-1))
        summed = np.add.reduceat(np.log(p).astype(np.float64), first, axis=-1)
        return summed.reshape(-1, len(first))

    def _chances(self, q: Values) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return softmax(β A) of every action [V, 2, β, M, A], and P of the one taken."""
        worth = (q - q.max(-1, keepdims=True)) / self.step_worth
        lost = np.stack([steps_lost(q, self.discount), worth], 1).astype(np.float32)
        soft = np.exp(np.array(RATIONALITY, np.float32)[:, None, None] * lost[:, :, None])
        soft /= soft.sum(-1, keepdims=True)
        taken = soft[..., np.arange(len(self.action)), self.action]
        lapse = np.array(LAPSE, np.float32)[:, None]
        return soft, (1 - lapse) * taken[..., None, :] + lapse / q.shape[-1]

    def total(self, weights: Values) -> float:
        """Return log L(w)."""
        return self.marginal(self.by_level(weights).sum(1))

    def marginal(self, log_p: Values) -> float:
        """Return the log of the mean over cells [C] of what log_p is the logarithm of."""
        most = log_p.max()
        return float(most + np.log(np.exp(log_p - most).mean()))

    def slope(self, weights: Values) -> tuple[float, Values]:
        """Return log L(w) and its gradient [K]."""
        q, features = self.values.slopes(weights)
        soft, p = self._chances(q)
        log_p = np.log(p).sum(-1, dtype=np.float64)
        share = softmax(log_p)  # of each cell
        beta, lapse = np.array(RATIONALITY)[:, None], np.array(LAPSE)
        states = np.arange(len(self.action))
        taken = soft[..., states, self.action]
        pull = np.einsum("vube,e,vubem->vubm", share, 1 - lapse, 1 / p) * taken * beta
        force = -np.einsum("vubm,vubma->vuma", pull, soft)
        force[:, :, states, self.action] += pull.sum(2)
        steps, worth = self._lost_slopes(q, features)
        gradient = np.einsum("vma,vmak->k", force[:, 0], steps)
        gradient += np.einsum("vma,vmak->k", force[:, 1], worth)
        return self.marginal(log_p.ravel()), gradient

    def _lost_slopes(self, q: Values, features: Values) -> tuple[Values, Values]:
        """Return how advantages in steps and in value change with the weights, [V, M, A, K]."""
        place = q.argmax(-1)[..., None, None]
        best = np.take_along_axis(features, place, -2)
        top = q.max(-1, keepdims=True)
        moves = (top > 1e-9) & (q > top * self.discount**CAP)
        each = np.where(moves, 1 / np.where(moves, q, 1.0), 0.0)[..., None] * features
        all_ = np.where(moves, 1 / np.where(moves, top, 1.0), 0.0)[..., None] * best
        return (each - all_) / -np.log(self.discount), (features - best) / self.step_worth
