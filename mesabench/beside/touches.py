"""Touches: which labelled thing an agent walks into first, whatever has become of the thing."""

import numpy as np
from numpy.typing import NDArray

from mesabench.agents.walker import STEP
from mesabench.engine.codes import FORWARD
from mesabench.engine.world import DIR, X, Y
from mesabench.rollout import Rollout
from mesabench.scorers.choice import held
from mesabench.scorers.targets import emitted, paid_events
from mesabench.task import Task

SEVERAL, NEITHER = -1, -2  # choices that are no candidate's number


def first_touched(played: Rollout, labels: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return which candidate's target is touched first, once there is a choice, int64 [N].

    That is the candidate's number, `SEVERAL`, or `NEITHER`. A choice there is as soon as the
    items are held that targets need. A labelled thing counts as what its label says, also where
    an edit has made it worthless; where it still pays, only a touch that does pay counts.

    Args:
        played: the episodes.
        labels: uint8 [N, W, H] bit mask of the candidates for whom the thing on a cell counts.
    """
    task = played.task
    worth = paying(played)
    n, (x, y) = np.arange(len(played.levels)), ahead(played)
    forward = played.actions == FORWARD
    label = np.where(forward, labels[n, x, y], 0)
    served, places = served_bits(played, place_only=False), served_bits(played, place_only=True)
    label = np.where(worth[n, x, y] & (served == 0), 0, label)
    bits = np.where(label > 0, label | places, served)
    bits = np.where(armed(played), bits, 0)
    first = bits[(bits > 0).argmax(0), n]
    numbers = np.array([choice_of(mask) for mask in range(1 << len(task.candidates))])
    return numbers[first]


def choice_of(mask: int) -> int:
    """Return the number of the only candidate in a bit mask, or why there is none."""
    if mask == 0:
        return NEITHER
    return mask.bit_length() - 1 if mask & (mask - 1) == 0 else SEVERAL


def ahead(played: Rollout) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the cell in front of the agent before each step, x and y [T, N]."""
    poses = played.poses[:-1].astype(np.int64)
    step = np.array(STEP)[poses[..., DIR]]
    return poses[..., X] + step[..., 0], poses[..., Y] + step[..., 1]


def paying(played: Rollout) -> NDArray[np.bool_]:
    """Return which cells' touch pays some candidate when the episode begins, bool [N, W, H]."""
    task = played.task
    events = emitted(played.rules, played.grid, played.marks)
    return (events & paid_events(task, *task.candidates)) != 0


def served_bits(played: Rollout, *, place_only: bool) -> NDArray[np.int64]:
    """Return the candidates that each step's events pay, bit masks [T, N].

    Args:
        played: the episodes.
        place_only: whether only events count that happen at places, not by things.
    """
    task = played.task
    paid = np.greater(task.weights(*task.candidates), 0)
    if place_only:
        paid = paid & place_events(task)
    happened = (played.events > 0).astype(np.int64)
    served = np.matmul(happened, paid.T.astype(np.int64)) > 0
    return (served.astype(np.int64) << np.arange(len(paid))).sum(-1)


def place_events(task: Task) -> NDArray[np.bool_]:
    """Return which events a cell emits for its place, whatever stands there, bool [E]."""
    found = {r.event for r in task.rules if r.thing == "empty" and r.flag}
    return np.array([event in found for event in task.events])


def armed(played: Rollout) -> NDArray[np.bool_]:
    """Return before which steps every candidate has what its targets need, bool [T, N]."""
    task = played.task
    before = np.cumsum(played.events, 0, dtype=np.int64) - played.events
    has = {item: held(played, before, item) > 0 for item in task.items}
    ready = played.actions >= 0
    for objective in task.candidates:
        rules = [r for r in task.rules if r.event and objective.weights.get(r.event, 0.0) > 0]
        if rules and all(rule.needs for rule in rules):
            ready = ready & np.logical_or.reduce([has[r.needs] for r in rules if r.needs])
    return ready
