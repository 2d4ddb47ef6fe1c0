"""Linear probes in closed form: ridge regression onto class indicators, the largest answer wins."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

PENALTIES = 10.0 ** np.arange(-4, 3)  # λ, in units of the number of states


@dataclass(frozen=True)
class Scaling:
    """How features are brought to mean 0 and variance 1; constant ones are left out."""

    kept: NDArray[np.int64]
    mean: NDArray[np.float64]
    spread: NDArray[np.float64]

    def __call__(self, features: NDArray) -> NDArray[np.float64]:
        """Return features [M, D] scaled, float64 [M, D']."""
        return (features[:, self.kept].astype(float) - self.mean) / self.spread


def scaling(features: NDArray) -> Scaling:
    """Return the scaling of features [M, D]."""
    spread = features.std(0, dtype=float)
    kept = np.flatnonzero(spread > 1e-6)
    return Scaling(kept, features[:, kept].mean(0, dtype=float), spread[kept])


class Ridge:
    """Probes W = (XᵀX + λ M I)⁻¹ Xᵀ(Y − Ȳ) for any labels of the same M states and any λ.

    Args:
        features: [M, D] X before scaling.
        others: [N, D] the states whose labels are to be predicted.
    """

    def __init__(self, features: NDArray, others: NDArray):
        scale = scaling(features)
        x = scale(features)
        self._values, vectors = np.linalg.eigh(x.T @ x)
        self._known, self._asked = x @ vectors, scale(others) @ vectors

    def predict(self, labels: NDArray[np.int64], classes: int, penalty: float) -> NDArray[np.int64]:
        """Fit labels [M] in 0 to classes − 1 and predict those of the other states, [N]."""
        y = np.eye(classes)[labels]
        along = self._known.T @ (y - y.mean(0))
        shrunk = np.maximum(self._values, 0) + penalty * len(labels)
        return (self._asked @ (along / shrunk[:, None]) + y.mean(0)).argmax(1)
