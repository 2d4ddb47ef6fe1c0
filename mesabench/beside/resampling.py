"""Bootstrap over levels for anything that is a sum over levels."""

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 1000
FEW = 200  # where each resample is fitted anew
TAILS = (0.025, 0.975)


def level_counts(
    levels: int, rng: np.random.Generator, resamples: int = RESAMPLES
) -> NDArray[np.float64]:
    """Return how often each of L levels is drawn in each of R resamples, float64 [R, L]."""
    return rng.multinomial(levels, np.full(levels, 1 / levels), size=resamples).astype(float)
