"""Replay: a rollout cut into stretches, between which the agent's view shows it nothing new."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mesabench.engine.codes import EMPTY, WALL
from mesabench.engine.world import OBJECT, Rules, X, Y
from mesabench.knowledge import Knowledge
from mesabench.planner import Chart, survey
from mesabench.rollout import Rollout
from mesabench.scorers.habits import read_contexts
from mesabench.scorers.targets import emitted, paid_events


@dataclass(frozen=True)
class Stretch:
    """Steps of one level during which what its agent could know stays the same.

    Attributes:
        level: which of the rollout's episodes.
        start: its first step.
        left: bool [K] whether there is still something for which each candidate pays.
        chart: the level as far as it was seen; it does not end for want of base events. None
            where levels are planned on all their states.
        grid: uint8 [W, H, 3] the same as a grid; unseen cells are empty.
        seen: bool [W, H].
        complete: whether everything but floor and walls has been seen.
    """

    level: int
    start: int
    left: NDArray[np.bool_]
    chart: Chart | None
    grid: NDArray[np.uint8]
    seen: NDArray[np.bool_]
    complete: bool


@dataclass(frozen=True)
class Replay:
    """A rollout together with what its agents could know.

    Attributes:
        rollout: what was replayed.
        stretches: in the order of their starts.
        contexts: int64 [T, N] what a habit could depend on at each step (see `habits`).
        rules: the rule table; `open_rules` is the one under which no episode is exhausted.
    """

    rollout: Rollout
    stretches: list[Stretch]
    contexts: NDArray[np.int64]
    rules: Rules
    open_rules: Rules


def replay(rollout: Rollout) -> Replay:
    """Play the actions of a rollout again and note what each agent's view had shown it."""
    actions = rollout.actions
    engine = rollout.begin()
    knowledge = Knowledge(engine)
    stretches: list[Stretch] = []
    contexts = np.zeros(actions.shape, np.int64)
    last = np.full(engine.batch, -1)
    for t, row in enumerate(actions):
        knowledge.update()
        contexts[t] = read_contexts(engine.world, last)
        stretches += [
            _begin(knowledge, int(b), t) for b in np.flatnonzero(knowledge.news & (row >= 0))
        ]
        last = row.astype(np.int64)
        engine.step(np.maximum(row, 0))
    return Replay(rollout, stretches, contexts, engine.rules, knowledge.rules)


def _begin(knowledge: Knowledge, b: int, t: int) -> Stretch:
    engine = knowledge.engine
    task, world = engine.task, engine.world
    events = emitted(engine.rules, world.grid[b], world.marks[b])
    grid, marks = knowledge.known(b)
    start = (int(world.pose[b, 0, X]), int(world.pose[b, 0, Y]))
    items, touched = world.inventory[b, 0], task.planner == "touch"
    bare = np.isin(world.grid[b, ..., OBJECT], (EMPTY, WALL))
    return Stretch(
        level=b,
        start=t,
        left=np.array([(events & paid_events(task, o)).any() for o in task.candidates]),
        chart=survey(grid, marks, knowledge.rules, items, start) if touched else None,
        grid=grid,
        seen=knowledge.seen[b].copy(),
        complete=bool((bare | knowledge.seen[b]).all()),
    )
