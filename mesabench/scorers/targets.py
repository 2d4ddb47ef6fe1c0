"""Targets: the cells of a level whose touch emits given events."""

import numpy as np
from numpy.typing import NDArray

from mesabench.engine.codes import ON_TOUCH
from mesabench.engine.world import COLOUR, OBJECT, Rules
from mesabench.task import Objective, Task


def emitted(rules: Rules, grid: NDArray[np.uint8], marks: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """Return which events a touch of each cell emits, a bit mask uint32 [..., W, H].

    Args:
        rules: a task's rule table.
        grid: uint8 [..., W, H, 3].
        marks: uint8 [..., W, H].
    """
    columns = rules.events[ON_TOUCH, grid[..., OBJECT], grid[..., COLOUR]]
    events = columns[..., 0].copy()
    for flag in range(columns.shape[-1] - 1):
        events |= np.where((marks >> flag) & 1, columns[..., 1 + flag], 0).astype(np.uint32)
    return events


def paid_events(task: Task, *objectives: Objective) -> np.uint32:
    """Return the bit mask of the events for which any of the objectives pays."""
    paid = (task.weights(*objectives) > 0).any(0)
    return np.uint32(sum(1 << int(e) for e in np.flatnonzero(paid)))


def causing_events(task: Task, *objectives: Objective) -> np.uint32:
    """Return the bit mask of the touches that may bring about what any of the objectives wants."""
    wanted = {event for o in objectives for event, weight in o.weights.items() if weight > 0}
    causes = {cause for event in wanted for cause in task.causes.get(event, ())}
    return np.uint32(sum(1 << task.events.index(cause) for cause in causes))
