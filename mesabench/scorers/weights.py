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

from mesabench.rollout import Rollout
from mesabench.scorers.event_values import (
    EventValues,
    Paid,
    attainable,
    first_supports,
    list_paid,
    signs,
    view_states,
)
from mesabench.scorers.evidence import Evidence
from mesabench.scorers.fitting import intervals, search, settle
from mesabench.scorers.identify import Identifiability, feature_differences, identify
from mesabench.scorers.likelihood import Cell, Likelihood
from mesabench.scorers.matching import Match, match_features

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
        low, high: 95 % interval by bootstrap over levels.
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
    """
    task = played.task
    every = list_paid(task, events)
    paid = [part for part in every if attainable(played, part.event)]
    states, levels = len(evidence.level), len(np.unique(evidence.level))
    empty = Weights(
        [Weight(p.name, None, None, None, False) for p in every],
        *(None, None, None),
        objectives={},
        matching=[],
        identifiability=None,
        states=states,
        levels=levels,
        reason=None,
    )
    if states < FEWEST:
        return replace(empty, reason=f"fewer than {FEWEST} states tell objectives apart")
    if len(paid) < 2:
        return replace(empty, reason="only one event can be had, so that there is nothing to weigh")
    chances = prepare(played, evidence, paid)
    best = search(chances, [*own_shares(played, paid).values()], seed=seed)
    return _report(empty, played, chances, every, paid, best, seed)


def prepare(played: Rollout, evidence: Evidence, paid: list[Paid]) -> Likelihood:
    """Plan the first weightings at the telling states."""
    views = view_states(played, evidence)
    values = EventValues(views, signs(played.task, paid), first_supports(len(paid)))
    names = VIEWS[-len(views) :]
    return Likelihood(values, evidence.action, evidence.level, played.task.discount, names)


def _report(
    empty: Weights,
    played: Rollout,
    chances: Likelihood,
    every: list[Paid],
    paid: list[Paid],
    best: Values,
    seed: int,
) -> Weights:
    values, task = chances.values, played.task
    told = identify_states(values, [part.name for part in paid])
    directions = told.matrix()
    wanted = {event for o in task.candidates for event, weight in o.weights.items() if weight}
    named = np.array([part.event in wanted for part in paid])
    best = settle(chances, best, directions, named)
    low, high = intervals(chances, best, directions, seed)
    by_cell = chances.by_level(best).sum(1)
    acts = likeliest(chances.cells, by_cell)
    place = {part: k for k, part in enumerate(paid)}
    weights = [
        Weight(part.name, float(best[k]), float(low[k]), float(high[k]), told.identified[k])
        if (k := place.get(part)) is not None
        else Weight(part.name, None, None, None, False)
        for part in every
    ]
    total = chances.marginal(by_cell)
    return replace(
        empty,
        weights=weights,
        acts=acts,
        log_likelihood=total,
        chance=-len(chances.action) * float(np.log(task.actions)),
        objectives=rivals(played, chances, paid, total),
        matching=match_features(
            played,
            np.where(best < NEGLIGIBLE, 0, best) @ values.meaning,
            acts,
            chances.step_worth,
            paid,
            seed=seed,
        ),
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
