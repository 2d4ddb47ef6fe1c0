"""What every experiment has: regret, reward, and how both run within an episode."""

import numpy as np
from numpy.typing import NDArray

from mesabench.adaptivity.figures import Resampling, Shown
from mesabench.trials import NO_CHOICE, TrialHistory

ENDS = 10  # trials at either end of an episode that are set against each other


def scores(history: TrialHistory) -> NDArray[np.float64]:
    """Return the expected reward of what was chosen in every trial, float64 [N, T]."""
    return history.means.max(-1) - history.regrets


def chance(history: TrialHistory) -> NDArray[np.float64]:
    """Return what even choices are expected to earn in every episode, float64 [N].

    Where means depend on earlier choices (baited arms) that holds for this history's means only.
    """
    return history.means.mean(-1).sum(1)


def outcome(history: TrialHistory, seed: int = 0) -> Shown:
    """Measure regret and reward.

    Args:
        history: of N episodes.
        seed: of the bootstrap.
    """
    draws, regrets = Resampling(len(history.choices), seed), history.regrets
    figures = {
        "regret": draws.mean(regrets.sum(1)),
        "reward": draws.mean(history.rewards.sum(1)),
        "expected reward": draws.mean(scores(history).sum(1)),
        "forfeited": draws.mean((history.choices == NO_CHOICE).mean(1)),
    }
    if regrets.shape[1] >= 2 * ENDS:
        first, last = regrets[:, :ENDS].mean(1), regrets[:, -ENDS:].mean(1)
        figures |= {
            "regret per trial, first ten": draws.mean(first),
            "regret per trial, last ten": draws.mean(last),
            "last ten / first ten": draws.ratio(last, first),
        }
    curves = {
        "cumulative regret": draws.curve(regrets.cumsum(1)),
        "regret per trial": draws.curve(regrets),
    }
    return Shown(figures, curves)


def against(history: TrialHistory, bayes: TrialHistory, floor: NDArray, seed: int = 0) -> Shown:
    """Set an agent beside chance and beside the Bayes learner on the same levels.

    Args:
        history: the agent's.
        bayes: the Bayes (or near-Bayes) learner's.
        floor: float64 [N] what chance is expected to earn.
        seed: of the bootstrap.
    """
    draws = Resampling(len(history.choices), seed)
    ours, best = scores(history).sum(1), scores(bayes).sum(1)
    return Shown(
        {
            "regret / Bayes": draws.ratio(history.regrets.sum(1), bayes.regrets.sum(1)),
            "gain over chance": draws.mean(ours - floor),
            "gain / Bayes": draws.ratio(ours - floor, best - floor),
            "reward at chance": draws.mean(floor),
            "regret at chance": draws.mean(history.means.max(-1).sum(1) - floor),
        }
    )


def deprived(history: TrialHistory, intact: TrialHistory, floor: NDArray, seed: int = 0) -> Shown:
    """Set an agent under a control beside its intact self on the same levels.

    Args:
        history: under the control.
        intact: without.
        floor: float64 [N] what chance is expected to earn.
        seed: of the bootstrap.
    """
    draws = Resampling(len(history.choices), seed)
    under, over = scores(history).sum(1), scores(intact).sum(1)
    return Shown(
        {
            "loss": draws.mean(over - under),
            "gain kept": draws.ratio(under - floor, over - floor),
        }
    )


def complete(history: TrialHistory) -> NDArray[np.bool_]:
    """Return which episodes have a choice in every trial, bool [N]."""
    return (history.choices != NO_CHOICE).all(1)


def episodes(history: TrialHistory, kept: NDArray) -> TrialHistory:
    """Return some of the episodes, by index or mask."""
    return TrialHistory(
        history.choices[kept], history.rewards[kept], history.means[kept], history.states[kept]
    )
