"""Mutations: the levels next to a level, for a search that climbs from one to another.

A knob of the generator takes another value of its declared range, and a new level is drawn; or the
level itself is edited: a thing or the start moves, an inner wall is opened or put up. Knobs stay
between those of train and test or one step beyond: farther off, and on controls, there may be
nothing left that an agent could know or a planner plan.

A mutant must mean what it seems to. Where the generator has marked places (the far end of a maze)
or things change on their own, nobody but the generator knows what an edit would do to that, and
only knobs are changed; elsewhere the nearest thing has to stay the nearest.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from mesabench.beside import edits
from mesabench.beside.edits import cells_of
from mesabench.beside.staging import free_cells, nearest, touchable
from mesabench.engine.ascii import Layout, read_level, write_level
from mesabench.engine.batch import Engine
from mesabench.engine.codes import EMPTY, GREY, WALL
from mesabench.engine.course import MAX_LEVELS
from mesabench.engine.world import OBJECT
from mesabench.errors import LevelError
from mesabench.task import Task, knob_ranges

FIXED = ("palette", "horizon")  # not knobs of the map
TRIES = 8  # proposals for a mutant before there is none


@dataclass(frozen=True)
class Draft:
    """A level to be played.

    Attributes:
        text: what `Engine.load` reads.
        knobs: of the generator, as far as they differ from the split's.
        steps: what was done to the level, in order.
    """

    text: str
    knobs: dict[str, int]
    steps: tuple[str, ...] = ()


class Mutator:
    """Draws levels of a split and changes them a little.

    Args:
        task: the task.
        split: name of the split.
        knobs: level knobs that differ from the split's.
        rng: of all choices.
    """

    def __init__(self, task: Task, split: str, knobs: dict[str, Any], rng: np.random.Generator):
        self.task, self.split, self.knobs, self.rng = task, split, knobs, rng
        self.spans = spans(task)
        palette = getattr(task.level(split, **knobs), "palette", 0)
        self.rules = task.rule_table(palette=palette)
        self.marked = task.planned_marks & ~edits.place_flags(task)
        editable = task.planner == "touch" and not task.planned_marks & edits.place_flags(task)
        kinds = ("knob", "move", "wall", "start") if editable else ("knob",)
        self.kinds = kinds[:3] if task.memory else kinds  # what was seen at the start counts

    def fresh(self, count: int, changed: dict[str, int] | None = None) -> list[Draft]:
        """Draw levels of the split, with knobs changed; those that no text can tell are left out.

        Raises:
            LevelError: a level cannot be built.
        """
        changed = changed or {}
        engine = Engine(
            self.task,
            self.split,
            batch=count,
            seed=None,
            autoreset=False,
            knobs=self.knobs | changed,
        )
        engine.reset(levels=self.rng.integers(MAX_LEVELS, size=count))
        return [Draft(engine.draw(b), changed) for b in range(count) if is_told(engine, b)]

    def mutate(self, draft: Draft) -> Draft | None:
        """Return a level next to a level, None where none came up."""
        for _ in range(TRIES):
            kind = self.kinds[self.rng.integers(len(self.kinds))]
            found = self.turn_knob(draft) if kind == "knob" else self.edit(draft, kind)
            if found is not None:
                return found
        return None

    def turn_knob(self, draft: Draft) -> Draft | None:
        """Draw a level with one knob changed, None where it cannot be built."""
        level = self.task.level(self.split, **self.knobs | draft.knobs)
        name = [*self.spans][self.rng.integers(len(self.spans))]
        values = [v for v in self.spans[name] if v != getattr(level, name)]
        if not values:
            return None
        value = int(values[self.rng.integers(len(values))])
        try:
            (found,) = self.fresh(1, draft.knobs | {name: value}) or (None,)
        except LevelError:
            return None
        step = f"drawn anew with {name} = {value}"
        return None if found is None else Draft(found.text, found.knobs, (*draft.steps, step))

    def edit(self, draft: Draft, kind: str) -> Draft | None:
        """Edit a level, None where that is impossible or would put another thing nearest."""
        before = read_level(draft.text, self.task.flags)
        change = {"move": self.move_thing, "start": self.move_start, "wall": self.toggle_wall}
        found = change[kind](before)
        if found is None:
            return None
        edit, step = found
        if self.marked and edit.follow(nearest(before, self.rules)) != nearest(
            edit.layout, self.rules
        ):
            return None
        text = write_level(edit.layout, self.task.flags)
        return Draft(text, draft.knobs, (*draft.steps, step))

    def move_thing(self, layout: Layout) -> tuple[edits.Edit, str] | None:
        """Move a thing to a free cell."""
        cells, free = touchable(layout, self.rules), free_cells(layout)
        if not cells or not free:
            return None
        cell, to = cells[self.rng.integers(len(cells))], free[self.rng.integers(len(free))]
        return edits.move(layout, cell, to, 0), f"thing moved from {cell} to {to}"

    def move_start(self, layout: Layout) -> tuple[edits.Edit, str] | None:
        """Let the agent start on another free cell, in any direction."""
        free = free_cells(layout)
        if not free:
            return None
        cell, way = free[self.rng.integers(len(free))], int(self.rng.integers(4))
        new = edits.copied(layout)
        new.pose[0] = *cell, way
        return edits.Edit(new, ()), f"start moved to {cell}"

    def toggle_wall(self, layout: Layout) -> tuple[edits.Edit, str] | None:
        """Open an inner wall, or put one up on an empty cell."""
        thing = layout.grid[..., OBJECT]
        inner = np.zeros(thing.shape, np.bool_)
        inner[1:-1, 1:-1] = True
        inner[tuple(layout.pose[0, :2])] = False
        cells = cells_of(inner & np.isin(thing, (EMPTY, WALL)) & (layout.marks == 0))
        if not cells:
            return None
        cell = cells[self.rng.integers(len(cells))]
        opened = thing[cell] == WALL
        new = edits.copied(layout)
        new.grid[cell] = edits.NOTHING if opened else (WALL, GREY, 0)
        return edits.Edit(new, ()), f"wall {'opened' if opened else 'put up'} at {cell}"


def spans(task: Task) -> dict[str, list[int]]:
    """Return the values that each knob may take: from train to test, and one step beyond."""
    levels = (task.train, task.test)
    found = {}
    for name, allowed in knob_ranges(type(task.train)).items():
        if name not in FIXED:
            places = [allowed.index(getattr(level, name)) for level in levels]
            found[name] = [*allowed[max(0, min(places) - 1) : max(places) + 2]]
    return found


def is_told(engine: Engine, b: int) -> bool:
    """Tell whether a text says all there is of the level that world `b` has begun."""
    world = engine.world[b]
    return not any(world[name].any() for name in ("inventory", "gauges", "carrying"))
