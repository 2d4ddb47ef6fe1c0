"""Exact values of *any* event weights at the telling states of a rollout, at little cost.

The optimal value is a maximum over policies π of something linear in the weights,

    Q*(s, a; w) = max over π of  w · φ(s, a; π),   φ = E[Σ γᵗ events(t)],

so it is convex, homogeneous and piecewise linear in w, and its slope at w is φ of a policy that is
optimal for w. A handful of planned weightings w(j), the *supports*, therefore give

    Q̂(s, a; w) = max over j of  w · φ(s, a; w(j))  ≤  Q*(s, a; w),

exact at every support (generalised policy improvement, Barreto et al. 2017; Roijers et al. 2015).
The slopes are differences of the planner's values, made exact at w(j) by Euler's w · φ = Q*.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mesabench.engine.batch import Engine
from mesabench.errors import PlannerError, TaskError, unknown
from mesabench.planner import Chart, chart_world, follow, locate, plan, plan_worlds
from mesabench.planner.states import StateGraph, explore, follow_states, plan_states
from mesabench.rollout import Rollout
from mesabench.scorers.evidence import Evidence
from mesabench.scorers.replay import replay
from mesabench.task import Task

STEP = 1e-5  # of the weights, over which slopes are taken
NEAR = 0.01  # of a support near a corner of the simplex, how much lies on all events together

Values = NDArray[np.float64]
Ask = Callable[[Values], Values]  # weights [n, E] of the task's events → Q* [m, n, A]


class Piece(NamedTuple):
    """Some of the telling states, and how to value them."""

    rows: NDArray[np.int64]  # [m] which states
    ask: Ask


@dataclass(frozen=True)
class Paid:
    """An event that is paid (or, where it is a penalty, costs) something under a weighting."""

    event: str
    penalty: bool

    @property
    def name(self) -> str:
        """What reports call it."""
        return f"no {self.event}" if self.penalty else self.event


def list_paid(task: Task, events: tuple[str, ...] | None = None) -> list[Paid]:
    """List what may have weight: every event, with the sign that candidate objectives give it.

    An event that no candidate cares for may be wanted; one that some candidates want and others
    avoid is listed both ways.

    Raises:
        TaskError: the task has no such event.
    """
    weights = dict(zip(task.events, task.weights(*task.candidates).T, strict=True))
    found = []
    for event in events or task.events:
        if event not in weights:
            raise TaskError(f"{task.id}: " + unknown("event", event, task.events))
        if (weights[event] > 0).any() or not (weights[event] < 0).any():
            found.append(Paid(event, penalty=False))
        if (weights[event] < 0).any():
            found.append(Paid(event, penalty=True))
    return found


def signs(task: Task, paid: list[Paid]) -> Values:
    """Return what a weight of 1 on each paid event means for the task's events, [K, E]."""
    found = np.zeros((len(paid), len(task.events)))
    for k, part in enumerate(paid):
        found[k, task.events.index(part.event)] = -1.0 if part.penalty else 1.0
    return found


def attainable(played: Rollout, event: str) -> bool:
    """Tell whether an event can be had on any of the levels, and planned for."""
    weights = np.zeros((1, len(played.task.events)))
    weights[0, played.task.events.index(event)] = 1.0
    try:
        plans = plan_worlds(played.begin(), weights, played.task.discount)
    except PlannerError:  # it can be repeated for ever, which a touch planner refuses
        return False
    return any(level.q().max() > 0 for level in plans)


def view_states(played: Rollout, evidence: Evidence) -> list[list[Piece]]:
    """Return the telling states as pieces to be valued, by view: seen so far, whole level.

    Where tasks are planned on all states there is only the whole level.
    """
    engine = played.begin()
    rows = {int(b): np.flatnonzero(evidence.level == b) for b in np.unique(evidence.level)}
    if played.task.planner == "states":
        graphs = explore(engine)
        return [[_on_graph(played, evidence, graphs[b], b, r) for b, r in rows.items()]]
    whole = [_on_level(played, evidence, engine, b, r) for b, r in rows.items()]
    return [_on_stretches(played, evidence), whole]


def _on_graph(
    played: Rollout, evidence: Evidence, graph: StateGraph, b: int, rows: NDArray[np.int64]
) -> Piece:
    actions = played.actions[: played.lengths[b], b].astype(np.int64)
    states = follow_states(graph.after, actions)[evidence.step[rows]]
    discount = played.task.discount
    return Piece(rows, lambda w: plan_states(graph, w, discount).q_along(states))


def _on_level(
    played: Rollout, evidence: Evidence, engine: Engine, b: int, rows: NDArray[np.int64]
) -> Piece:
    chart = chart_world(engine, b)
    start = locate(chart, *map(int, played.poses[0, b]))
    touched, poses, _, _ = follow(chart, 0, start, played.actions[: played.lengths[b], b])
    steps = evidence.step[rows]
    return Piece(rows, _asker(chart, touched[steps], poses[steps], played.task.discount))


def _on_stretches(played: Rollout, evidence: Evidence) -> list[Piece]:
    """Return a piece for every map that the agent had seen at some telling state."""
    stretches = sorted(replay(played).stretches, key=lambda s: (s.level, s.start))
    starts = np.array([(s.level, s.start) for s in stretches]).reshape(-1, 2)
    late = played.actions.shape[0] + 1  # so that level and step make one number
    number = np.searchsorted(starts @ [late, 1], evidence.level * late + evidence.step, "right") - 1
    found = []
    for i in np.unique(number):
        rows, chart = np.flatnonzero(number == i), stretches[i].chart
        assert chart is not None
        places = played.poses[evidence.step[rows], evidence.level[rows]]
        poses = np.array([locate(chart, *map(int, place)) for place in places])
        found.append(Piece(rows, _asker(chart, np.zeros_like(poses), poses, played.task.discount)))
    return found


def _asker(
    chart: Chart, touched: NDArray[np.int64], poses: NDArray[np.int64], discount: float
) -> Ask:
    return lambda w: plan(chart, w, discount).q_along(touched, poses)


class EventValues:
    """Q̂ of any weights on K paid events at M states, in every view.

    Args:
        views: the states as pieces, by view.
        meaning: float64 [K, E] from `signs`.
        supports: float64 [J, K] the first weightings to plan.
    """

    def __init__(self, views: list[list[Piece]], meaning: Values, supports: Values):
        self._views, self.meaning = views, meaning
        self._states = sum(len(piece.rows) for piece in views[0])
        self.features = np.zeros((0, 0))
        self.supports = np.zeros((0, len(meaning)))
        self.add(supports)

    def add(self, supports: Values) -> None:
        """Plan further weightings [J, K]."""
        events = len(self.meaning)
        shifts = np.concatenate([np.zeros((1, events)), STEP * np.eye(events)])
        q = self.exact((supports[:, None] + shifts).reshape(-1, events))
        q = np.moveaxis(q, 2, -1)  # [V, M, A, J (K + 1)]
        q = q.reshape(*q.shape[:-1], len(supports), events + 1)
        slopes = (q[..., 1:] - q[..., :1]) / STEP
        told = (slopes * supports).sum(-1)  # Euler: equal to Q except where the slope jumps
        scale = np.divide(q[..., 0], told, out=np.ones_like(told), where=np.abs(told) > 1e-9)
        slopes *= np.clip(scale, 0.0, 1.0)[..., None]
        fresh = np.moveaxis(slopes, 3, 0)  # [J, V, M, A, K]
        self.features = np.concatenate([self.features, fresh]) if self.features.size else fresh
        self.supports = np.concatenate([self.supports, supports])

    def exact(self, weights: Values) -> Values:
        """Return Q* [V, M, n, A] of weights [n, K], by the planner."""
        meant = weights @ self.meaning
        found = []
        for pieces in self._views:
            parts = [piece.ask(meant) for piece in pieces]
            q = np.empty((self._states, *parts[0].shape[1:]))
            for piece, part in zip(pieces, parts, strict=True):
                q[piece.rows] = part
            found.append(q)
        return np.array(found)

    def q(self, weights: Values) -> Values:
        """Return Q̂ [V, M, A] of weights [K]."""
        return (self.features @ weights).max(0)

    def slopes(self, weights: Values) -> tuple[Values, Values]:
        """Return Q̂ [V, M, A] and its slope φ [V, M, A, K]."""
        q = self.features @ weights
        which = q.argmax(0)[None]
        found = np.take_along_axis(self.features, which[..., None], 0)[0]
        return np.take_along_axis(q, which, 0)[0], found


def first_supports(events: int) -> Values:
    """Return weightings near each corner, in the middle of each edge and of all, [J, K].

    They lie off the symmetric points, where slopes jump, by unequal small parts.
    """
    corners = np.eye(events)
    edges = [(corners[i] + corners[j]) / 2 for i in range(events) for j in range(i)]
    middle = np.full((1, events), 1 / events)
    points = np.concatenate([corners, np.reshape(edges, (-1, events)), middle])
    rest = np.sqrt(np.arange(2, events + 2))
    return (1 - NEAR) * points + NEAR * rest / rest.sum()
