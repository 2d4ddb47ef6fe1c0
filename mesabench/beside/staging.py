"""Staging: reading levels off an engine, walking in them, and putting edited ones back."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesabench.agents.kinds import Agent
from mesabench.beside.edits import Cell, cells_of
from mesabench.engine.ascii import Layout
from mesabench.engine.batch import Engine
from mesabench.engine.cache import inner, kernel
from mesabench.engine.codes import BALL, BOX, DOOR, EMPTY, FLOOR, GOAL, KEY
from mesabench.engine.episode import look
from mesabench.engine.layout import step_x, step_y
from mesabench.engine.world import COLOUR, OBJECT, Rules
from mesabench.errors import LevelError
from mesabench.rollout import Rollout, play
from mesabench.task import Task

EDITABLE = (DOOR, KEY, BALL, BOX, GOAL)  # things that stand on the floor
FAR = 1 << 20  # steps to what cannot be reached


def things(layout: Layout) -> list[Cell]:
    """Return the cells of the things that can be edited."""
    return cells_of(np.isin(layout.grid[..., OBJECT], EDITABLE))


def touchable(layout: Layout, rules: Rules) -> list[Cell]:
    """Return the cells of the things whose touch has a rule; others are furniture."""
    kinds = layout.grid[..., OBJECT], layout.grid[..., COLOUR]
    return cells_of(np.isin(kinds[0], EDITABLE) & (rules.touch[kinds] != 0))


def free_cells(layout: Layout) -> list[Cell]:
    """Return the empty, unmarked cells other than the start that can be walked to."""
    bare = (layout.grid[..., OBJECT] == EMPTY) & (layout.marks == 0) & (walks(layout) < FAR)
    bare[layout.pose[0, 0], layout.pose[0, 1]] = False
    return cells_of(bare)


def walks(layout: Layout) -> NDArray[np.int64]:
    """Return in how many steps the agent walks into each cell, touching nothing before, [W, H]."""
    ground = np.isin(layout.grid[..., OBJECT], (EMPTY, FLOOR))
    return walk_over(ground, *(int(i) for i in layout.pose[0]))


def nearest(layout: Layout, rules: Rules) -> Cell | None:
    """Return the thing with the shortest walk, None where there is none whose touch has a rule."""
    steps = walks(layout)
    return min(touchable(layout, rules), key=lambda cell: steps[cell], default=None)


@kernel
def walk_over(ground, x, y, way):
    """Return the steps (turns included) to the first step into each cell, over open ground."""
    width, height = ground.shape
    found = np.full((width, height), FAR)
    seen = np.zeros(4 * width * height, np.bool_)
    queue, steps = np.zeros(4 * width * height, np.int64), np.zeros(4 * width * height, np.int64)
    first, last = 0, 1
    queue[0] = 4 * (x * height + y) + way
    seen[queue[0]] = True
    while first < last:
        pose, depth = queue[first], steps[first] + 1
        first += 1
        for action in range(3):
            after = ahead(found, ground, pose, depth) if action == 2 else turned(pose, action)
            if not seen[after]:
                seen[after] = True
                queue[last], steps[last] = after, depth
                last += 1
    return found


@inner
def turned(pose, action):
    """Return the pose after a turn to the left (0) or to the right (1)."""
    return pose - (pose & 3) + ((pose + 3 if action == 0 else pose + 1) & 3)


@inner
def ahead(found, ground, pose, depth):
    """Return the pose after a step forward, and note in `found` when that is first taken."""
    width, height = ground.shape
    x, y, way = (pose >> 2) // height, (pose >> 2) % height, pose & 3
    x, y = x + step_x(way), y + step_y(way)
    if x < 0 or y < 0 or x >= width or y >= height:
        return pose
    found[x, y] = min(found[x, y], depth)
    return 4 * (x * height + y) + way if ground[x, y] else pose


def layout_of(engine: Engine, b: int) -> Layout:
    """Return a copy of world `b` as it is now."""
    world = engine.world
    return Layout(*(np.array(world[name][b]) for name in Layout._fields))


def restage(engine: Engine, layouts: Sequence[Layout]) -> None:
    """Change what stands in the worlds of an engine, which have begun levels of the same size.

    What a layout does not say (items, gauges, the horizon) stays as the levels began. An episode
    no longer ends because nothing is left to win: an edit may have taken that away.
    """
    engine.rules.base = 0
    for b, layout in enumerate(layouts):
        for name, part in layout._asdict().items():
            engine.world[name][b] = part
        look(engine.world, engine.course, b, engine.rules)


def seat(task: Task, split: str, texts: Sequence[str], knobs: dict[str, Any]) -> Engine:
    """Return an engine whose worlds have begun the levels that texts draw.

    The worlds are as large as the levels: what a tick remembers may be the number of a cell, which
    means another one in a larger world.

    Raises:
        LevelError: the levels are of several sizes, or a text draws none.
    """
    sides = sorted({side_of(text) for text in texts})
    if len(sides) != 1:
        raise LevelError(f"levels of one size are played at once, not of {sides}; play them apart")
    knobs = knobs | {"size": sides[0]}
    engine = Engine(task, split, batch=len(texts), seed=None, autoreset=False, knobs=knobs)
    for b, text in enumerate(texts):
        engine.load(b, text)
    return engine


def side_of(text: str) -> int:
    """Return the larger side of the map that a text draws, in cells."""
    rows = [line.strip() for line in text.splitlines() if line.strip() and "=" not in line]
    return max(len(rows), len(rows[0]) // 2) if rows else 0


def play_texts(
    agent: Agent, task: Task, texts: Sequence[str], *, split: str = "test", **knobs: Any
) -> Rollout:
    """Let an agent play levels that texts draw (see `mesabench.engine.ascii`), each once.

    Args:
        agent: the agent.
        task: the task.
        texts: the levels, all of one size.
        split: name of the split whose rules and horizon hold.
        knobs: level knobs that differ from the split's.

    Raises:
        LevelError: the levels are of several sizes, or a text draws none.
    """
    return play(agent, seat(task, split, texts, knobs))
