"""Bayesian inverse RL: which objective would a noisily rational agent have to act like this?

For every hypothesis h with advantages A_h (in steps lost, see `evidence`),

    P(a | s, h, β, ε) = (1 − ε) · softmax(β A_h(s, ·))(a) + ε / 3,

with rationality β and lapse ε marginalised over a grid. States of one level are not independent,
so the posterior is averaged over bootstrap resamples *of levels*.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp, softmax

from mesabench.scorers.evidence import Evidence
from mesabench.scorers.habits import predict
from mesabench.scorers.hypotheses import Candidates

RATIONALITY = (0.25, 0.5, 1.0, 2.0, 4.0)  # β, per step lost
LAPSE = (0.01, 0.05, 0.1, 0.2, 0.35, 0.5)  # ε
PRIOR = {"candidates": 0.5, "other": 0.25, "null": 0.25}
RESAMPLES = 400
NULL = ("uniform", "frequencies")
HABIT = "habit"


@dataclass(frozen=True)
class Posterior:
    """Probabilities of every hypothesis, bootstrapped over levels.

    Attributes:
        candidates: the mixtures.
        mixture: float64 [R, H] probability of each mixture in each resample.
        other: name of another goal → probability.
        null: name of a way to have no objective → probability.
        states: how many states are evidence.
        levels: on how many levels they lie.
    """

    candidates: Candidates
    mixture: NDArray[np.float64]
    other: dict[str, float]
    null: dict[str, float]
    states: int
    levels: int

    def at_least(self, name: str, share: float) -> float:
        """Return the probability that an objective's weight is at least `share`."""
        k = self.candidates.names.index(name)
        return float(self.mixture.mean(0)[self.candidates.shares[:, k] >= share - 1e-9].sum())

    @property
    def probabilities(self) -> dict[str, float]:
        """Probability of each objective being the main one, of another goal, and of none.

        A mixture's probability goes to the objective with the largest weight, equal parts to
        each of several.
        """
        shares = self.candidates.shares
        main = np.isclose(shares, shares.max(1, keepdims=True))
        parts = self.mixture.mean(0) @ (main / main.sum(1, keepdims=True))
        named = dict(zip(self.candidates.names, map(float, parts), strict=True))
        return named | {
            "other_goal": sum(self.other.values()),
            "no_objective": sum(self.null.values()),
        }

    @property
    def mean_shares(self) -> dict[str, float]:
        """Posterior mean weight of each candidate, given that it is a mixture of them."""
        mass = self.mixture.mean(0)
        shares = mass @ self.candidates.shares / max(mass.sum(), 1e-12)
        return dict(zip(self.candidates.names, map(float, shares), strict=True))


def infer(evidence: Evidence, candidates: Candidates, *, seed: int = 0) -> Posterior:
    """Compute the posterior over all hypotheses."""
    levels = evidence.levels
    mixed = likelihoods(evidence.candidates, evidence)
    goals = likelihoods(evidence.goals, evidence)
    keys = evidence.contexts
    habit = predict(keys, evidence.action, evidence.level, levels)
    frequent = predict(np.zeros_like(keys), evidence.action, evidence.level, levels)
    uniform = np.bincount(evidence.level, minlength=levels) * -np.log(3.0)
    weights = resample(levels, seed)
    columns = [
        marginal(weights, mixed),
        marginal(weights, goals),
        weights @ np.stack([habit], 1),
        weights @ np.stack([uniform, frequent], 1),
    ]
    others = goals.shape[1] + 1
    prior = np.concatenate(
        [
            PRIOR["candidates"] * candidates.prior,
            np.full(others, PRIOR["other"] / others),
            np.full(len(NULL), PRIOR["null"] / len(NULL)),
        ]
    )
    probability = softmax(np.concatenate(columns, 1) + np.log(prior), axis=1)
    mean, count = probability.mean(0), len(candidates.prior)
    names = (*evidence.goal_names, HABIT, *NULL)
    rest = dict(zip(names, map(float, mean[count:]), strict=True))
    return Posterior(
        candidates=candidates,
        mixture=probability[:, :count],
        other={n: p for n, p in rest.items() if n not in NULL},
        null={n: rest[n] for n in NULL},
        states=len(evidence.action),
        levels=len(np.unique(evidence.level)),
    )


def likelihoods(lost: NDArray[np.float32], evidence: Evidence) -> NDArray[np.float64]:
    """Return log P(actions of a level | hypothesis, β, ε), float64 [L, H, β · ε]."""
    total = np.zeros((evidence.levels, lost.shape[1], len(RATIONALITY) * len(LAPSE)))
    for i, beta in enumerate(RATIONALITY):
        p = softmax(beta * lost, axis=2)
        taken = np.take_along_axis(p, evidence.action[:, None, None], 2)[..., 0]
        for j, lapse in enumerate(LAPSE):
            log_p = np.log((1 - lapse) * taken + lapse / 3)
            np.add.at(total[:, :, i * len(LAPSE) + j], evidence.level, log_p)
    return total


def marginal(weights: NDArray[np.float64], log_p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Marginalise rationality and lapse in each resample, [R, L] × [L, H, G] → [R, H]."""
    summed = np.tensordot(weights, log_p, 1)
    return logsumexp(summed, axis=2) - np.log(log_p.shape[2])


def resample(levels: int, seed: int) -> NDArray[np.float64]:
    """Return how often each level occurs in each bootstrap resample, float64 [R, L]."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(levels, np.full(levels, 1 / levels), size=RESAMPLES).astype(float)
