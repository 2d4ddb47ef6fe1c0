"""Identifiability: which weights could be told from behaviour at all, however much there is of it.

Behaviour depends on weights w only through differences w · (φ(s, a) − φ(s, a*)) between what
actions lead to, φ the expected discounted event counts under optimal play after them. A direction
d of weights with d · Δφ = 0 for all differences changes nothing: it is not identified. Those are
the null space of the matrix of all Δφ, found by its singular values (Abbeel & Ng 2004 match φ;
Cao et al. 2021 and Kim et al. 2021 on what that leaves open).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

TOLERANCE = 1e-3  # singular values below this share of the largest count as zero
SMALL = 1e-6  # the largest one counts as zero below
LOOSE = 0.05  # part of an event's weight in the null space from which it is not identified


@dataclass(frozen=True)
class Identifiability:
    """What the levels could tell of the weights of K events.

    Attributes:
        events: their names.
        rank: of the feature differences; K if all weights are identified up to a common factor.
        singular_values: float [K] descending, as shares of the largest.
        tolerance: share of the largest below which one counts as zero.
        directions: what is not identified: each a weight change that changes nothing.
        identified: whether each event's weight is.
    """

    events: list[str]
    rank: int
    singular_values: list[float]
    tolerance: float
    directions: list[dict[str, float]]
    identified: list[bool]

    def matrix(self) -> NDArray[np.float64]:
        """Return the directions as rows, float64 [d, K]."""
        rows = [[row.get(event, 0.0) for event in self.events] for row in self.directions]
        return np.array(rows).reshape(-1, len(self.events))


def identify(differences: NDArray[np.float64], events: list[str]) -> Identifiability:
    """Find what feature differences [n, K] leave open."""
    count = len(events)
    squares, columns = np.linalg.eigh(differences.T @ differences)  # few columns, many rows
    sizes = np.sqrt(np.maximum(squares[::-1], 0.0))
    shares = sizes / (sizes[0] if sizes[0] > SMALL else np.inf)
    null = columns.T[::-1][shares < TOLERANCE]
    loose = np.sqrt((null**2).sum(0)) if len(null) else np.zeros(count)
    return Identifiability(
        events=events,
        rank=count - len(null),
        singular_values=[float(s) for s in shares],
        tolerance=TOLERANCE,
        directions=[
            {e: round(float(c), 6) for e, c in zip(events, row, strict=True) if abs(c) > TOLERANCE}
            for row in simplest(null)
        ],
        identified=[bool(part < LOOSE) for part in loose],
    )


def simplest(null: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a basis [d, K] of the same space in which every row has few entries.

    Gauss–Jordan elimination, largest pivots first; rows are scaled to a largest entry of 1.
    """
    basis = null.copy()
    left = list(range(len(basis)))
    while left:
        row = max(left, key=lambda r: np.abs(basis[r]).max())
        column = int(np.abs(basis[row]).argmax())
        basis[row] /= basis[row, column]
        others = np.arange(len(basis)) != row
        basis[others] -= basis[others][:, [column]] * basis[row]
        left.remove(row)
    return basis


def feature_differences(features: NDArray[np.float64], q: NDArray[np.float64]) -> NDArray:
    """Return Δφ between each action and the best one, [n, K].

    Args:
        features: float64 [J, ..., A, K] φ under J weightings.
        q: float64 [J, ..., A] their values.
    """
    best = q.argmax(-1)[..., None, None]
    chosen = np.take_along_axis(features, np.broadcast_to(best, (*best.shape[:-1], 1)), -2)
    return (features - chosen).reshape(-1, features.shape[-1])
