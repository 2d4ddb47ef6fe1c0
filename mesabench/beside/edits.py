"""Edits: levels that differ from another one in one thing.

A level is a `Layout`; an edit returns a new one, and where each thing went that it touched. Flags
are of two kinds, which a task's rules tell apart: one that an empty cell can bear is a *place* and
stays where it is (the far end of a maze); any other is the *thing's* and goes along with it.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mesabench.engine.ascii import Layout
from mesabench.engine.codes import EMPTY
from mesabench.engine.world import COLOUR
from mesabench.task import Task

Cell = tuple[int, int]

NOTHING = (EMPTY, 0, 0)


class Edit(NamedTuple):
    """An edited level.

    Attributes:
        layout: the level.
        moves: where things that were touched by the edit stood, and where they stand now (None
            where they are gone).
    """

    layout: Layout
    moves: tuple[tuple[Cell, Cell | None], ...]

    def carry(self, values: NDArray) -> NDArray:
        """Return values [W, H] that belong to things, after the things have gone their ways."""
        found = values.copy()
        for old, _ in self.moves:
            found[old] = 0
        for old, new in self.moves:
            if new is not None:
                found[new] = values[old]
        return found

    def follow(self, cell: Cell | None) -> Cell | None:
        """Return where the thing stands now that stood on a cell."""
        return dict(self.moves).get(cell, cell) if cell else None


def place_flags(task: Task) -> int:
    """Return the bit mask of the flags that mark places, not things."""
    places = {r.flag for r in task.rules if r.flag and r.thing == "empty"}
    return sum(1 << task.flags.index(flag) for flag in places)


def copied(layout: Layout) -> Layout:
    """Return a copy of a level."""
    grid, inside, marks, pose, memory = layout
    return Layout(grid.copy(), inside.copy(), marks.copy(), pose.copy(), memory.copy())


def recolour(layout: Layout, cell: Cell, colour: int) -> Edit:
    """Give the thing on a cell another colour."""
    new = copied(layout)
    new.grid[cell][COLOUR] = colour
    return Edit(new, ())


def trade_colours(layout: Layout, one: Cell, other: Cell) -> Edit:
    """Let two things exchange their colours."""
    new = copied(layout)
    for cell, donor in ((one, other), (other, one)):
        new.grid[cell][COLOUR] = layout.grid[donor][COLOUR]
    return Edit(new, ())


def remove(layout: Layout, cell: Cell, places: int) -> Edit:
    """Take a thing away, and its flags; those in the mask `places` stay."""
    new = copied(layout)
    new.grid[cell], new.inside[cell] = NOTHING, 0
    new.marks[cell] &= places
    return Edit(new, ((cell, None),))


def move(layout: Layout, cell: Cell, to: Cell, places: int) -> Edit:
    """Move a thing to an empty cell, and its flags; those in the mask `places` stay."""
    new = remove(layout, cell, places).layout
    new.grid[to], new.inside[to] = layout.grid[cell], layout.inside[cell]
    new.marks[to] |= layout.marks[cell] & ~np.uint8(places)
    return Edit(new, ((cell, to),))


def trade_places(layout: Layout, one: Cell, other: Cell, places: int) -> Edit:
    """Let two things exchange their places, and their flags; those in the mask `places` stay."""
    new = copied(layout)
    stay = np.uint8(places)
    for old, to in ((one, other), (other, one)):
        new.grid[to], new.inside[to] = layout.grid[old], layout.inside[old]
        new.marks[to] = (layout.marks[to] & stay) | (layout.marks[old] & ~stay)
    return Edit(new, ((one, other), (other, one)))


def cells_of(mask: NDArray[np.bool_]) -> list[Cell]:
    """Return the true cells of a mask [W, H]."""
    return [(int(x), int(y)) for x, y in np.argwhere(mask)]
