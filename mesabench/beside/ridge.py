"""Linear probes in closed form: ridge regression onto class indicators, the largest answer wins."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

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
        self._known, self._asked = scale(features), scale(others)
        self._gram = self._known.T @ self._known
        self._factors: dict[float, tuple[NDArray[np.float64], bool]] = {}

    def predict(self, labels: NDArray[np.int64], classes: int, penalty: float) -> NDArray[np.int64]:
        """Fit labels [M] in 0 to classes − 1 and predict those of the other states, [N]."""
        y = np.eye(classes)[labels]
        weights = cho_solve(self._factor(penalty), self._known.T @ (y - y.mean(0)))
        return (self._asked @ weights + y.mean(0)).argmax(1)

    def _factor(self, penalty: float) -> tuple[NDArray[np.float64], bool]:
        """Return the Cholesky factor for a λ, which serves any labels."""
        if penalty not in self._factors:
            ridge = penalty * len(self._known) * np.eye(len(self._gram))
            self._factors[penalty] = cho_factor(self._gram + ridge, overwrite_a=True)
        return self._factors[penalty]
