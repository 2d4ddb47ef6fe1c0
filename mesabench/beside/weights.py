"""The behavioural objective as weights: inverse RL over all weightings of a task's events.

Not only the named objectives and their mixtures: what weights w on the simplex of *event* weights
(one for each event that can be had, sign-flipped where candidates avoid it) make the actions at
the telling states likeliest? The likelihood is that of a Boltzmann-rational planner (see
`likelihood`); how it is maximised, and where intervals come from, is told in `fitting`.

A maximum-causal-entropy agent would match the events' expected counts exactly (Ziebart 2010); how
far the fitted agent's are from the observed ones is reported as a check, and so is which weights
could be told at all (see `identify`).
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mesabench.beside.event_values import (
    EventValues,
    Paid,
    attainable,
    first_supports,
    list_paid,
    signs,
    view_states,
)
from mesabench.beside.fitting import intervals, search, settle
from mesabench.beside.identify import Identifiability, feature_differences, identify
from mesabench.beside.likelihood import Cell, Likelihood
from mesabench.beside.matching import Match, match_features
from mesabench.rollout import Rollout
from mesabench.scorers.evidence import Evidence

CLEARLY = 3.0  # nats by which the map seen so far has to explain more than the whole level
NEGLIGIBLE = 0.01  # weights below this are not given to the agent whose events are counted
FEWEST = 10  # telling states below which nothing is fitted
VIEWS = ("seen so far", "whole level")

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Weight:
    """The weight of one event, in the sum of 1 that all share.

    Attributes:
        event: its name, "no …" where a weight means that the event costs something.
        weight: the likeliest; None where the event cannot be had on these levels.
        low, high: 95 % interval (see `fitting.intervals`).
        identified: whether behaviour on these levels could tell.
    """

    event: str
    weight: float | None
    low: float | None
    high: float | None
    identified: bool


@dataclass(frozen=True)
class Weights:
    """The event weights that explain behaviour best.

    Attributes:
        weights: one for each event.
        acts: the likeliest view, unit, rationality and lapse.
        log_likelihood: at these weights, in nats.
        chance: of uniformly random actions.
        objectives: candidate objective → log-likelihood of its own weights, less the best's.
        matching: event counts of the fitted agent beside the observed ones.
        identifiability: what could be told.
        states, levels: how many there is evidence on.
        reason: why nothing was fitted, else None.
    """

    weights: list[Weight]
    acts: Cell | None
    log_likelihood: float | None
    chance: float | None
    objectives: dict[str, float]
    matching: list[Match]
    identifiability: Identifiability | None
    states: int
    levels: int
    reason: str | None


def fit_weights(
    played: Rollout,
    evidence: Evidence,
    *,
    events: tuple[str, ...] | None = None,
    seed: int = 0,
) -> Weights:
    """Fit event weights to a rollout.

    Args:
        played: episodes on levels where objectives part.
        evidence: the same episodes' evidence, from `mesabench.scorers.watching.watch`.
        events: which may have weight; all of the task's where None.
        seed: of the bootstrap.

    Raises:
        TaskError: the task has no such event.
    """
    every = list_paid(played.task, events)
    paid = [part for part in every if attainable(played, part.event)]
    nothing = unfitted(every, evidence)
    if nothing.states < FEWEST:
        return replace(nothing, reason=f"fewer than {FEWEST} states tell objectives apart")
    if len(paid) < 2:
        return replace(nothing, reason="only one event can be had: there is nothing to weigh")
    chances = prepare(played, evidence, paid)
    best = search(chances, [*own_shares(played, paid).values()], seed=seed)
    return report(nothing, played, chances, paid, best, seed)


def unfitted(every: list[Paid], evidence: Evidence) -> Weights:
    """Return what there is to say before anything is fitted."""
    return Weights(
        weights=[Weight(part.name, None, None, None, False) for part in every],
        acts=None,
        log_likelihood=None,
        chance=None,
        objectives={},
        matching=[],
        identifiability=None,
        states=len(evidence.level),
        levels=len(np.unique(evidence.level)),
        reason=None,
    )


def prepare(played: Rollout, evidence: Evidence, paid: list[Paid]) -> Likelihood:
    """Plan the first weightings at the telling states."""
    views = view_states(played, evidence)
    values = EventValues(views, signs(played.task, paid), first_supports(len(paid)))
    names = VIEWS[-len(views) :]
    return Likelihood(values, evidence.action, evidence.level, played.task.discount, names)


def report(
    nothing: Weights,
    played: Rollout,
    chances: Likelihood,
    paid: list[Paid],
    best: Values,
    seed: int,
) -> Weights:
    """Say what the fitted weights [K] are, how sure they are, and what they explain."""
    values, task = chances.values, played.task
    told = identify_states(values, [part.name for part in paid])
    wanted = {event for o in task.candidates for event, weight in o.weights.items() if weight}
    named = np.array([part.event in wanted for part in paid])
    best = settle(chances, best, told.matrix(), named)
    low, high = intervals(chances, best, told.matrix(), seed)
    found = {
        part.name: Weight(
            part.name, float(best[k]), float(low[k]), float(high[k]), told.identified[k]
        )
        for k, part in enumerate(paid)
    }
    by_cell = chances.by_level(best).sum(1)
    acts, total = likeliest(chances.cells, by_cell), chances.marginal(by_cell)
    given = np.where(best < NEGLIGIBLE, 0.0, best) @ values.meaning
    return replace(
        nothing,
        weights=[found.get(w.event, w) for w in nothing.weights],
        acts=acts,
        log_likelihood=total,
        chance=-len(chances.action) * float(np.log(task.actions)),
        objectives=rivals(played, chances, paid, total),
        matching=match_features(played, given, acts, chances.step_worth, paid, seed=seed),
        identifiability=told,
    )


def likeliest(cells: list[Cell], by_cell: Values) -> Cell:
    """Return the likeliest way to act on values; of two views much alike, the whole level's.

    How an agent searches before it has seen a target is no part of the likelihood.
    """
    handicap = [CLEARLY if cell.view != VIEWS[-1] else 0.0 for cell in cells]
    return cells[int((by_cell - handicap).argmax())]


def identify_states(values: EventValues, names: list[str]) -> Identifiability:
    """Say what the values at all states, under all supports, leave open."""
    q = np.einsum("jvmak,jk->jvma", values.features, values.supports)
    return identify(feature_differences(values.features, q), names)


def own_shares(played: Rollout, paid: list[Paid]) -> dict[str, Values]:
    """Return the weights [K] of every candidate objective that can be served and is weights alone.

    One that looks less far ahead than the task is not.
    """
    found = {}
    for objective in played.task.candidates:
        sizes = [-1.0 if part.penalty else 1.0 for part in paid]
        own = np.multiply(sizes, [objective.weights.get(part.event, 0.0) for part in paid])
        if (own > 0).any() and objective.discount is None:
            found[objective.name] = np.maximum(own, 0.0) / np.maximum(own, 0.0).sum()
    return found


def rivals(
    played: Rollout, chances: Likelihood, paid: list[Paid], total: float
) -> dict[str, float]:
    """Return how much likelier each candidate objective's own weights are than `total`, in nats."""
    found = {}
    for name, share in own_shares(played, paid).items():
        exact = chances.values.exact(share[None])[:, :, 0]
        found[name] = chances.marginal(chances.of_values(exact).sum(1)) - total
    return found
