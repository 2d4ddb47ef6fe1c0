"""Bayesian inverse RL: which objective would a noisily rational agent have to act like this?

For every hypothesis h with advantages A_h (in steps lost, see `evidence`),

    P(a | s, h, β, ε)  =  (1 − ε) · softmax(β A_h(s, ·))(a)  +  ε / 3,    or
    P(a | s, h, β)  =  (1 − ε₀) · softmax(log H(· | c(s)) + β A_h(s, ·))(a)  +  ε₀ / 3,

with rationality β and lapse ε marginalised over a grid. The second form is an agent that deviates
from its habits H for the sake of a goal (KL-regularised control, Todorov 2007). Trained agents
have habits, such as walking on; an objective has to explain what these leave open, and so has any
other goal. An agent with the habit and no goal is β = 0, a hypothesis of its own.

Where all actions are alike to a hypothesis it is silent: there the action has the probability that
habits give it, so an agent that has reached its goal does not argue against having had it.

States of one level are not independent, so the posterior is averaged over bootstrap resamples *of
levels* (Huggins & Miller 2023, BayesBag).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp, softmax

from mesabench.scorers.evidence import SAME, Evidence
from mesabench.scorers.habits import frequencies
from mesabench.scorers.hypotheses import Candidates

RATIONALITY = (0.25, 0.5, 1.0, 2.0, 4.0)  # β, per step lost
LED = (1.0, 2.0, 4.0)  # β beside habits: with less, every hypothesis is the habit over again
LAPSE = (0.01, 0.05, 0.1, 0.2, 0.35, 0.5)  # ε
SLIP = 0.01  # ε₀: habits have their lapses in them already
PRIOR = {"candidates": 0.5, "other": 0.25, "null": 0.25}
RESAMPLES = 400
NULL = ("uniform", "frequencies")
HABIT = "habit"
ALIKE = 0.9  # share of telling states from which a mixture counts as the objective it acts like


@dataclass(frozen=True)
class Posterior:
    """Probabilities of every hypothesis, bootstrapped over levels.

    Attributes:
        candidates: the mixtures.
        acted: float64 [H, K] the weights that show in behaviour (see `acted_shares`).
        mixture: float64 [R, H] probability of each mixture in each resample.
        other: name of another goal → probability.
        null: name of a way to have no objective → probability.
        states: how many states are evidence.
        levels: on how many levels they lie.
    """

    candidates: Candidates
    acted: NDArray[np.float64]
    mixture: NDArray[np.float64]
    other: dict[str, float]
    null: dict[str, float]
    states: int
    levels: int

    def at_least(self, name: str, share: float) -> float:
        """Return the probability that an objective's weight, as it shows, is at least `share`."""
        k = self.candidates.names.index(name)
        return float(self.mixture.mean(0)[self.acted[:, k] >= share - 1e-9].sum())

    @property
    def probabilities(self) -> dict[str, float]:
        """Probability of each objective being the main one, of another goal, and of none.

        A mixture's probability goes to the objective with the largest weight, equal parts to
        each of several.
        """
        shares = self.acted
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
    states = (evidence.action, evidence.level)
    habits = frequencies(evidence.contexts, *states)
    habit = taken(habits, evidence.action)
    frequent = taken(frequencies(np.zeros_like(evidence.contexts), *states), evidence.action)
    plain = np.stack([habit, np.full_like(habit, -np.log(3.0)), frequent], 1)
    weights = resample(evidence.levels, seed)[:, np.unique(evidence.level)]
    evidences = np.concatenate(
        [
            marginal(weights, evidence, evidence.candidates, habits),
            marginal(weights, evidence, evidence.goals, habits),
            weights @ by_level(plain, evidence.level),
        ],
        axis=1,
    )
    probability = softmax(evidences + np.log(priors(evidence, candidates)), axis=1)
    mean, count = probability.mean(0), len(candidates.prior)
    names = (*evidence.goal_names, HABIT, *NULL)
    rest = dict(zip(names, map(float, mean[count:]), strict=True))
    return Posterior(
        candidates=candidates,
        acted=acted_shares(evidence, candidates),
        mixture=probability[:, :count],
        other={n: p for n, p in rest.items() if n not in NULL},
        null={n: rest[n] for n in NULL},
        states=len(evidence.action),
        levels=len(np.unique(evidence.level)),
    )


def acted_shares(evidence: Evidence, candidates: Candidates) -> NDArray[np.float64]:
    """Return the weights [H, K] that show in behaviour.

    Weights are identified only up to behaviour: where one thing can be had per episode, 0.7 for a
    door makes nobody act differently from 1. A mixture of which `ALIKE` of the best actions at
    the telling states are best for one objective too counts as that objective alone.
    """
    mixed = candidates.shares.max(1) < 1
    best = evidence.candidates > -SAME
    shares = candidates.shares.copy()
    for k, row in enumerate(candidates.pure):
        shared = (best & best[:, :, [row]]).sum(-1) / best.sum(-1)
        alike = shared.mean((0, 1)) >= ALIKE if len(best) else np.zeros(len(shares), np.bool_)
        shares[alike & mixed] = np.eye(len(candidates.names))[k]
    return shares


def priors(evidence: Evidence, candidates: Candidates) -> NDArray[np.float64]:
    """Return the prior of every hypothesis: candidates, other goals and habit, null."""
    others = len(evidence.goal_names) + 1
    return np.concatenate(
        [
            PRIOR["candidates"] * candidates.prior,
            np.full(others, PRIOR["other"] / others),
            np.full(len(NULL), PRIOR["null"] / len(NULL)),
        ]
    )


def marginal(
    weights: NDArray[np.float64],
    evidence: Evidence,
    lost: NDArray[np.float64],
    habits: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return log P(actions | hypothesis) in each resample, float64 [R, H].

    The two forms, readings, rationality and lapse are marginalised, each with equal weights.

    Args:
        weights: float64 [R, L] how often each level with evidence counts in each resample.
        evidence: what was done, and where.
        lost: float64 [M, 4, H, 3] advantages by reading.
        habits: float64 [M, 3] log-probability of every action by habit.
    """
    _, readings, hypotheses, _ = lost.shape
    short = lost.astype(np.float32)  # logarithms are the bulk of the work

    def total(log_p: NDArray) -> NDArray[np.float64]:
        summed = by_level(log_p.reshape(-1, readings * hypotheses), evidence.level)
        return (weights @ summed.astype(np.float64)).reshape(-1, readings, hypotheses)

    forms = (
        free_choices(short, evidence.action, habits),
        led_choices(short, evidence.action, habits),
    )
    found = []
    for form in forms:
        cells = np.array([total(log_p) for log_p in form])
        found.append(logsumexp(cells, axis=(0, 2)) - np.log(len(cells) * readings))
    return np.asarray(logsumexp(np.array(found), axis=0), np.float64) - np.log(len(found))


def free_choices(
    lost: NDArray[np.float32], action: NDArray[np.int64], habits: NDArray[np.float64]
) -> Iterator[NDArray]:
    """Yield log P [M, 4, H] of the actions of an agent without habits, for each β and ε."""
    mute = (lost > -SAME).all(-1)
    unmoved = np.broadcast_to(taken(habits, action)[:, None, None], mute.shape)[mute]
    for beta in RATIONALITY:
        p = np.exp(np.float32(beta) * lost)  # at most 1, for the best action
        chosen = taken(p, action) / p.sum(-1)
        for lapse in LAPSE:
            log_p = np.log(np.float32(1 - lapse) * chosen + np.float32(lapse / 3))
            log_p[mute] = unmoved
            yield log_p


def led_choices(
    lost: NDArray[np.float32], action: NDArray[np.int64], habits: NDArray[np.float64]
) -> Iterator[NDArray]:
    """Yield log P [M, 4, H] of the actions of an agent with habits, for each β."""
    prior = np.exp(habits).astype(np.float32)[:, None, None]
    for beta in LED:
        p = prior * np.exp(np.float32(beta) * lost)
        chosen = taken(p, action) / p.sum(-1)
        yield np.log(np.float32(1 - SLIP) * chosen + np.float32(SLIP / 3))


def taken(values: NDArray, action: NDArray[np.int64]) -> NDArray:
    """Return the entries of `values` [M, ..., 3] for the actions [M] that were taken."""
    chosen = action.reshape(-1, *(1,) * (values.ndim - 1))
    return np.take_along_axis(values, np.broadcast_to(chosen, (*values.shape[:-1], 1)), -1)[..., 0]


def by_level(values: NDArray, level: NDArray[np.int64]) -> NDArray:
    """Add up the rows of `values` [M, n] that belong to one level; levels are ascending."""
    return np.add.reduceat(values, np.flatnonzero(np.diff(level, prepend=-1)), axis=0)


def resample(levels: int, seed: int) -> NDArray[np.float64]:
    """Return how often each level occurs in each bootstrap resample, float64 [R, L]."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(levels, np.full(levels, 1 / levels), size=RESAMPLES).astype(float)
