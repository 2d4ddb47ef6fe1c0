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

What the model leaves out, such as that steps depend on each other by more than the map, makes it
too sure. So the likelihood is raised to a power τ, fitted on model organisms (see `validation`).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp, softmax

from mesabench.scorers.actions import FREE, explain
from mesabench.scorers.evidence import SAME, Evidence
from mesabench.scorers.habits import count, frequencies, habits
from mesabench.scorers.hypotheses import Candidates

PRIOR = {"candidates": 0.5, "other": 0.25, "null": 0.25}
NULL = ("uniform", "frequencies")
HABIT = "habit"
ALIKE = 0.9  # share of telling states from which a mixture counts as the objective it acts like


@dataclass(frozen=True)
class Posterior:
    """Probabilities of every hypothesis.

    Attributes:
        candidates: the H mixtures.
        acted: float64 [H, K] the weights that show in behaviour (see `acted_shares`).
        mixture: float64 [H] probability of each mixture.
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
        return float(self.mixture[self.acted[:, k] >= share - 1e-9].sum())

    @property
    def probabilities(self) -> dict[str, float]:
        """Probability of each objective being the main one, of another goal, and of none.

        A mixture's probability goes to the objective with the largest weight, equal parts to
        each of several.
        """
        shares = self.acted
        main = np.isclose(shares, shares.max(1, keepdims=True))
        parts = self.mixture @ (main / main.sum(1, keepdims=True))
        named = dict(zip(self.candidates.names, map(float, parts), strict=True))
        return named | {
            "other_goal": sum(self.other.values()),
            "no_objective": sum(self.null.values()),
        }

    @property
    def mean_shares(self) -> dict[str, float]:
        """Posterior mean weight of each candidate, given that it is a mixture of them."""
        shares = self.mixture @ self.candidates.shares / max(self.mixture.sum(), 1e-12)
        return dict(zip(self.candidates.names, map(float, shares), strict=True))


@dataclass(frozen=True)
class Weighed:
    """Log-likelihoods of every hypothesis.

    Attributes:
        candidates, acted, states, levels: as in `Posterior`.
        goals: names of the other goals.
        alike: int64 [goals + nulls] which candidate each acts like (see `acts_like`), −1 for none.
        log_p: float64 [H + goals + nulls] log P(actions | hypothesis).
        prior: float64 [H + goals + nulls].
    """

    candidates: Candidates
    acted: NDArray[np.float64]
    goals: tuple[str, ...]
    alike: NDArray[np.int64]
    log_p: NDArray[np.float64]
    prior: NDArray[np.float64]
    states: int
    levels: int

    def posterior(self, temper: float) -> Posterior:
        """Return the posterior.

        Args:
            temper: power of the likelihood. Steps are less independent than the model has it, and
                a power below 1 makes up for that (Grünwald 2012); it is fitted on model organisms.
        """
        mass = softmax(temper * self.log_p + np.log(self.prior))
        mixtures, rest = np.split(mass, [len(self.candidates.prior)])
        for k, row in enumerate(self.candidates.pure):  # one touch away from the corner is there
            mixtures[row] += rest[self.alike == k].sum()
        rest[self.alike >= 0] = 0.0
        named = dict(zip((*self.goals, *NULL), map(float, rest), strict=True))
        return Posterior(
            candidates=self.candidates,
            acted=self.acted,
            mixture=mixtures,
            other={n: p for n, p in named.items() if n not in NULL},
            null={n: named[n] for n in NULL},
            states=self.states,
            levels=self.levels,
        )


def infer(evidence: Evidence, candidates: Candidates, *, temper: float = 1.0) -> Posterior:
    """Compute the posterior over all hypotheses; see `Weighed.posterior` for `temper`."""
    return weigh(evidence, candidates).posterior(temper)


def weigh(evidence: Evidence, candidates: Candidates) -> Weighed:
    """Compute the log-likelihoods of all hypotheses."""
    level, action, everywhere = evidence.level, evidence.action, evidence.habits
    telling = count(evidence.contexts, action, level, evidence.levels)
    led = np.log(habits(telling, everywhere))[level, evidence.contexts]
    habit = taken(led, action)
    frequent = taken(np.log(frequencies(everywhere.sum(1, keepdims=True)))[level, 0], action)
    parts = (
        marginal(explain(evidence, evidence.candidates, led)),
        marginal(explain(evidence, evidence.goals, led)),
        np.array([habit.sum(), -np.log(3.0) * len(habit), frequent.sum()]),
    )
    return Weighed(
        candidates=candidates,
        acted=acted_shares(evidence, candidates),
        goals=(*evidence.goal_names, HABIT),
        alike=np.pad(acts_like(evidence, candidates), (0, 1 + len(NULL)), constant_values=-1),
        log_p=np.concatenate(parts),
        prior=priors(evidence, candidates),
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


def acts_like(evidence: Evidence, candidates: Candidates) -> NDArray[np.int64]:
    """Return the candidate that each other goal acts like, int64 [G], −1 for none.

    As with mixtures, the cell beside the corner counts as the corner as long as `ALIKE` of what is
    best for the one is best for the other.
    """
    found = np.full(len(evidence.goal_names), -1)
    if len(evidence.level) == 0:
        return found
    goals = evidence.goals > -SAME
    for k, row in enumerate(candidates.pure):
        own = evidence.candidates[:, :, [row]] > -SAME
        shared = (goals & own).sum(-1) / np.maximum(goals.sum(-1), own.sum(-1))
        found[(shared.mean((0, 1)) >= ALIKE) & (found < 0)] = k
    return found


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


def marginal(log_p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return log P(actions | hypothesis), float64 [H].

    The two forms, readings, rationality and lapse are marginalised, each with equal weights.

    Args:
        log_p: float64 [F, 4, H] see `actions.explain`.
    """
    free, led = log_p[:FREE], log_p[FREE:]
    parts = [logsumexp(f, axis=(0, 1)) - np.log(f.shape[0] * f.shape[1]) for f in (free, led)]
    return np.logaddexp(*parts) - np.log(len(parts))


def taken(values: NDArray, action: NDArray[np.int64]) -> NDArray:
    """Return the entries of `values` [M, ..., 3] for the actions [M] that were taken."""
    chosen = action.reshape(-1, *(1,) * (values.ndim - 1))
    return np.take_along_axis(values, np.broadcast_to(chosen, (*values.shape[:-1], 1)), -1)[..., 0]
