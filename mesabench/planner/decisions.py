"""Decision points: states at which the best ways to what objectives want part."""

import numpy as np
from numpy.typing import NDArray

SAME = 1e-7  # by which two actions may differ and be equally good


def part(q: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell where no action is best for all objectives that still want something, bool [T].

    One that can win nothing any more, or only lose, wants nothing.

    Args:
        q: float64 [T, n, A] what each action is worth to each objective.
    """
    best = q.max(-1, keepdims=True)
    fine = (q >= best - SAME * np.maximum(np.abs(best), 1.0)) | (best <= 0)
    return np.logical_not(fine.all(-2).any(-1))
