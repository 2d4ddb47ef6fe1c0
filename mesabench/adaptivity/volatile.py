"""Volatile bandit: the learning rate that explains an agent's choices, calm against volatile.

Rates are fitted to blocks of ten episodes (`mesabench.learning.rates`). A learner of one fixed rate
refits to the same rate wherever it plays: it stands beside the agent as a control.
"""

import numpy as np
from numpy.typing import NDArray

from mesabench.adaptivity.figures import Shown, interval
from mesabench.adaptivity.outcome import complete, episodes
from mesabench.beside.resampling import RESAMPLES
from mesabench.learning.rates import Trials, block_rates, evidence_for_own_rates
from mesabench.scorers.returns import Estimate
from mesabench.trials import TrialHistory

BLOCK = 10  # episodes
FITTED = 200  # episodes at most: twenty blocks
FEWEST = 3  # blocks


def rates(history: TrialHistory, seed: int = 0) -> Shown:
    """Fit a learning rate to every block of episodes without forfeited trials."""
    trials = fittable(history)
    found = block_rates(trials, BLOCK)
    if len(found) < FEWEST:
        return Shown(notes=(f"no learning rates: {len(trials.choices)} episodes are complete",))
    samples = {"learning rates": tuple(map(float, found))}
    return Shown({"learning rate": median(found, seed)}, samples=samples)


def fittable(history: TrialHistory) -> Trials:
    """Return the first complete episodes as trials to fit."""
    some = episodes(history, np.flatnonzero(complete(history))[:FITTED])
    return Trials(some.choices, some.rewards)


def median(values: NDArray[np.float64], seed: int = 0) -> Estimate:
    """Estimate the median of values [M], by bootstrap over them."""
    return interval(float(np.median(values)), medians(values, np.random.default_rng(seed)))


def medians(values: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Return the medians of resamples of values [M], float64 [R]."""
    return np.median(rng.choice(values, (RESAMPLES, len(values))), axis=1)


def rate_shift(calm: Shown, volatile: Shown, seed: int = 0) -> Estimate | None:
    """Estimate how much higher the median rate is in volatile episodes; None without fits."""
    name = "learning rates"
    if name not in calm.samples or name not in volatile.samples:
        return None
    low, high = np.array(calm.samples[name]), np.array(volatile.samples[name])
    rng = np.random.default_rng(seed)
    spread = medians(high, rng) - medians(low, rng)
    return interval(float(np.median(high) - np.median(low)), spread)


def own_rates(calm: TrialHistory, volatile: TrialHistory) -> float | None:
    """Return by how much the BIC prefers a rate for each to one for both; above 10 is strong."""
    groups = [fittable(calm), fittable(volatile)]
    if min(len(g.choices) for g in groups) < BLOCK:
        return None
    return float(evidence_for_own_rates(groups))
