"""Calibration: the power of the likelihood at which organisms' probabilities are right."""

from collections.abc import Sequence

import numpy as np

from mesabench.validation.figures import answers, nll
from mesabench.validation.trials import TEMPERS, Trial


def fit_temper(trials: Sequence[Trial]) -> float:
    """Return that one of `TEMPERS` at which the mean NLL of trials is least.

    The NLL is a proper score: its minimum is where probabilities are right. All numbers of
    episodes count alike, and within each all families of organisms.
    """
    groups: dict[tuple[str, int], list[Trial]] = {}
    for trial in trials:
        groups.setdefault((trial.family, trial.episodes), []).append(trial)
    losses = [np.mean([nll(answers(g, t)) for g in groups.values()]) for t in TEMPERS]
    return TEMPERS[int(np.argmin(losses))]
