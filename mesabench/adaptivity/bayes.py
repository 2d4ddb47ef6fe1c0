"""The Bayes learner along an agent's own histories: what it would choose there, and believe.

An agent is near-optimal if it chooses as the Bayes learner does *from the same history* (Mikulik et
al. 2020): KL(Bayes ‖ agent) in nats, at every trial. Ties of the Bayes learner are split evenly.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax, xlogy

from mesabench.adaptivity.figures import Resampling, Shown
from mesabench.adaptivity.outcome import complete, episodes
from mesabench.adaptivity.references import PRIORS, optimal_learner
from mesabench.learning.counts import Counting
from mesabench.learning.dependent import DependentBayes
from mesabench.learning.history import policy_along
from mesabench.learning.learner import Learner
from mesabench.learning.volatile import VolatileBayes
from mesabench.scorers.returns import Estimate
from mesabench.task import Task
from mesabench.trials import TrialHistory

FEWEST = 20  # complete episodes
FLOOR = 1e-6  # a chance that an agent gives to a choice counts as at least this


def bayes_of(task: Task, split: str) -> Learner | None:
    """Return a Bayes learner of a split whose beliefs can be read; None where there is none."""
    assert task.trials is not None
    level: Any = task.level(split)
    if task.trials.experiment == "volatile":
        return VolatileBayes()
    if task.trials.experiment != "bandit":
        return None
    prior = PRIORS[level.prior]
    return optimal_learner(task.trials.count) if prior is None else DependentBayes(prior)


def belief_of(learner: Learner) -> NDArray[np.float64]:
    """Return what a Bayes learner expects of every arm at the next trial, float64 [N, 2].

    That is the posterior mean of its chance; for arms that swap, its chance to be the better one.
    """
    if isinstance(learner, Counting):
        return learner.posterior_means()
    if isinstance(learner, DependentBayes):
        first = learner.posterior_mean()
        return np.stack([first, 1 - first], 1)
    assert isinstance(learner, VolatileBayes)
    return learner.belief.sum(1)


def beliefs_along(learner: Learner, history: TrialHistory) -> NDArray[np.float64]:
    """Return what a learner believes before every trial of complete episodes, [N, T, 2]."""
    learner.begin(len(history.choices), np.random.default_rng(0))
    found = np.zeros((*history.choices.shape, 2))
    for t in range(history.choices.shape[1]):
        found[:, t] = belief_of(learner)
        learner.learn(history.choices[:, t], history.rewards[:, t])
    return found


def beside_bayes(
    learner: Learner, history: TrialHistory, logits: NDArray | None, seed: int = 0
) -> Shown:
    """Measure how an agent's choices differ from the Bayes learner's on its own histories.

    Without logits the agent counts as one that takes the Bayes choice, at each trial, as often as
    it did over all episodes; the divergence is then of such an agent.

    Args:
        learner: the Bayes learner.
        history: the agent's; only complete episodes are looked at.
        logits: [N, T, A] of the agent, None where it shows none.
        seed: of the bootstrap.
    """
    kept = complete(history)
    if kept.sum() < FEWEST:
        return Shown(notes=(f"not set beside Bayes: {kept.sum()} episodes are complete",))
    some = episodes(history, kept)
    bayes = policy_along(learner, some.choices, some.rewards)
    clear, right = agreement(bayes, some.choices)
    draws = Resampling(len(right), seed)
    figures = {"agreement with Bayes": draws.ratio(right.sum(1), clear.sum(1))}
    if logits is None:
        rates = (right.sum(0) + 0.5) / (clear.sum(0) + 1)
        value = float((-np.log(rates) * clear.mean(0)).mean())
        figures["KL from Bayes, by agreement"] = Estimate(value, value, value)
        return Shown(figures)
    chances = np.exp(log_softmax(logits[kept].astype(float), -1))[..., :2]
    divergence = (xlogy(bayes, bayes) - xlogy(bayes, np.maximum(chances, FLOOR))).sum(-1)
    figures["KL from Bayes"] = draws.mean(divergence.mean(1))
    return Shown(figures, {"KL from Bayes": draws.curve(divergence)})


def agreement(
    bayes: NDArray[np.float64], choices: NDArray[np.int64]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return where the Bayes learner is decided, and where the choice is its own, bool [N, T]."""
    clear = bayes.max(-1) > 0.5
    return clear, clear & (bayes.argmax(-1) == choices)
