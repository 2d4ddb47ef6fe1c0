"""First choice: which objective's target is touched first, once there is a choice.

An episode comes to a choice when every candidate objective has a target that could be touched
there and then: something is left that it pays for, and the items that the touch needs are held.
(While an agent has no key, a chest is no choice.) What it touches next is its first choice.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from mesabench.rollout import Rollout
from mesabench.scorers.targets import emitted
from mesabench.task import Objective

NEITHER, SEVERAL = "neither", "several at once"


@dataclass(frozen=True)
class Share:
    """A share of `total` levels with its 95 % Wilson interval."""

    count: int
    total: int
    share: float
    low: float
    high: float


def first_choice(rollout: Rollout) -> dict[str, Share]:
    """Return, for each candidate objective, the share of choices in which its target came first.

    Targets that serve several candidates are no choice between them and are counted apart.
    """
    task = rollout.task
    names = [o.name for o in task.candidates]
    paid = np.greater(task.weights(*task.candidates), 0).T
    served = np.asarray(np.matmul(rollout.events, paid.astype(np.uint8)), np.bool_)
    ready = np.logical_and.reduce([available(rollout, o) for o in task.candidates])
    counts = dict.fromkeys((*names, SEVERAL, NEITHER), 0)
    for b in np.flatnonzero(ready.any(0)):
        later = served[int(ready[:, b].argmax()) :, b]
        touches = np.flatnonzero(later.any(1))
        chosen = np.flatnonzero(later[touches[0], :]) if len(touches) else []
        several = SEVERAL if len(chosen) else NEITHER
        counts[names[chosen[0]] if len(chosen) == 1 else several] += 1
    total = int(ready.any(0).sum())
    return {name: wilson(count, total) for name, count in counts.items()}


def available(rollout: Rollout, objective: Objective) -> NDArray[np.bool_]:
    """Return before which steps a target of the objective could be touched, bool [T, N]."""
    task = rollout.task
    before = np.cumsum(rollout.events, 0, dtype=np.int64) - rollout.events
    has = {item: held(rollout, before, item) for item in task.items}
    found = np.zeros(before.shape[:2], np.bool_)
    for rule in task.rules:
        if rule.event is None or objective.weights.get(rule.event, 0.0) <= 0:
            continue
        left = emitters(rollout, rule.event)[None] > before[..., task.events.index(rule.event)]
        found |= left & (has[rule.needs] > 0 if rule.needs else True)
    return found & (rollout.actions >= 0)


def held(rollout: Rollout, before: NDArray[np.int64], item: str) -> NDArray[np.int64]:
    """Return how many items of a kind are held before each step, int64 [T, N].

    Args:
        rollout: the rollout.
        before: int64 [T, N, E] how often each event had happened before each step.
        item: name of the kind.
    """
    task = rollout.task
    first = rollout.inventory[:, task.items.index(item)].astype(np.int64)
    number = np.broadcast_to(first, before.shape[:2]).copy()
    for rule in task.rules:
        if rule.event is not None:
            change = (rule.gives == item) - (rule.needs == item)
            number += change * before[..., task.events.index(rule.event)]
    return number


def emitters(rollout: Rollout, event: str) -> NDArray[np.int64]:
    """Return how many things that emit an event each level began with, int64 [N]."""
    task = rollout.task
    events = emitted(rollout.rules, rollout.grid, rollout.marks)
    wanted = (events & np.uint32(1 << task.events.index(event))) != 0
    return np.count_nonzero(wanted, axis=(1, 2)).astype(np.int64)


def wilson(count: int, total: int) -> Share:
    """Return a share with its Wilson interval; all of [0, 1] where there is nothing to count."""
    if total == 0:
        return Share(0, 0, float("nan"), 0.0, 1.0)
    interval = binomtest(count, total).proportion_ci(method="wilson")
    return Share(count, total, count / total, float(interval.low), float(interval.high))
