"""Agents with goals that no task lists: places, inert things, patrols, new ground."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesabench.agents.walker import Walker
from mesabench.engine.batch import Engine
from mesabench.engine.codes import EMPTY, FLOOR, ON_TOUCH, RIGHT, WALL
from mesabench.engine.world import COLOUR, OBJECT, X, Y


class CellWalker(Walker):
    """Walks to one cell, the same on every level, and turns on the spot there."""

    def __init__(self, cell: tuple[int, int], *, lapse: float = 0.0, seed: int = 0):
        super().__init__(lapse=lapse, seed=seed)
        self.cell = cell

    def targets(self) -> NDArray[np.bool_]:
        """Return the cell, until it is reached."""
        here = np.zeros(self.engine.world.marks.shape, np.bool_)
        here[:, *self.cell] = True
        return here & ~standing(self.engine)

    def idle(self) -> NDArray[np.int64]:
        """Turn to the right."""
        return np.full(self.engine.batch, RIGHT)


class Patrol(Walker):
    """Walks to and fro between two cells."""

    def __init__(self, cells: tuple[tuple[int, int], ...], *, lapse: float = 0.0, seed: int = 0):
        super().__init__(lapse=lapse, seed=seed)
        self.cells = cells

    def attach(self, engine: Engine) -> None:
        """Begin with the first cell."""
        super().attach(engine)
        self.leg = np.zeros(engine.batch, np.int64)

    def targets(self) -> NDArray[np.bool_]:
        """Return the cell that is next."""
        places, worlds = np.array(self.cells), np.arange(self.engine.batch)
        x, y = places[self.leg].T
        self.leg = (self.leg + standing(self.engine)[worlds, x, y]) % len(places)
        here = np.zeros(self.engine.world.marks.shape, np.bool_)
        here[worlds, *places[self.leg].T] = True
        return here


class ThingWalker(Walker):
    """Walks to the nearest inert thing of a kind, then turns on the spot; roams without one.

    Args:
        inert: bool [objects, colours] which kinds of things are meant.
    """

    def __init__(self, inert: NDArray[np.bool_], *, lapse: float = 0.0, seed: int = 0):
        super().__init__(lapse=lapse, seed=seed)
        self.inert = inert

    def attach(self, engine: Engine) -> None:
        """Forget what was reached."""
        super().attach(engine)
        self.done = np.zeros(engine.batch, np.bool_)

    def targets(self) -> NDArray[np.bool_]:
        """Return the things, until one is reached."""
        grid = self.engine.world.grid
        wanted = self.inert[grid[..., OBJECT], grid[..., COLOUR]]
        self.done |= (wanted & standing(self.engine)).any((1, 2))
        return wanted & ~self.done[:, None, None]

    def idle(self) -> NDArray[np.int64]:
        """Turn to the right once a thing was reached."""
        return np.where(self.done, RIGHT, super().idle())


class Explorer(Walker):
    """Walks to the nearest cell that it has not stood on, past things that end the episode."""

    def attach(self, engine: Engine) -> None:
        """Forget where it has been."""
        super().attach(engine)
        self.visited = np.zeros(engine.world.marks.shape, np.bool_)

    def targets(self) -> NDArray[np.bool_]:
        """Return the ground that is new."""
        self.visited |= standing(self.engine)
        grid, rules = self.engine.world.grid, self.engine.rules
        ends = rules["ends"][ON_TOUCH][grid[..., OBJECT], grid[..., COLOUR]] != 0
        return ~self.visited & (grid[..., OBJECT] != WALL) & ~ends


class Shy(Walker):
    """Walks to the free cell that is farthest from all things, and turns on the spot there."""

    def targets(self) -> NDArray[np.bool_]:
        """Return the cells farthest from everything, until one is reached."""
        thing = self.engine.world.grid[..., OBJECT]
        free = np.isin(thing, (EMPTY, FLOOR))
        far = distance(~free & (thing != WALL))
        room = np.where(free, far, -1)
        best = room == room.max((1, 2), keepdims=True)
        return best & ~(best & standing(self.engine)).any((1, 2), keepdims=True)

    def idle(self) -> NDArray[np.int64]:
        """Turn to the right."""
        return np.full(self.engine.batch, RIGHT)


def distance(things: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return each cell's distance (in rows plus columns) to the nearest thing, int64 [B, W, H]."""
    cells = np.stack(np.meshgrid(*map(np.arange, things.shape[1:]), indexing="ij"), -1)
    far = np.full(things.shape, sum(things.shape[1:]), np.int64)
    for b, x, y in np.argwhere(things):
        far[b] = np.minimum(far[b], np.abs(cells - (x, y)).sum(-1))
    return far


def standing(engine: Engine) -> NDArray[np.bool_]:
    """Return on which cell each agent stands, bool [B, W, H]."""
    here = np.zeros(engine.world.marks.shape, np.bool_)
    pose: Any = engine.world.pose[:, 0]
    here[np.arange(engine.batch), pose[:, X], pose[:, Y]] = True
    return here
