"""`Ground`: the poses that an agent can take in a level, and what lies ahead of each."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mesabench.engine.cache import kernel
from mesabench.engine.layout import step_x, step_y
from mesabench.engine.world import COLOUR, OBJECT
from mesabench.planner.things import FREE, emitted, lie


class Ground(NamedTuple):
    """The P poses of a level, four for each cell on which the agent can ever stand.

    Pose ``4 * c + d`` stands on cell number c and looks in direction d.
    """

    cells: NDArray[np.int32]  # [W, H] number of the cell, −1 where nobody can ever stand
    ahead: NDArray[np.int32]  # [P] pose after a step forward; the same pose where there is no way
    behind: NDArray[np.int32]  # [P] pose from which a step forward leads here, −1 for none
    front: NDArray[np.int32]  # [P] the thing in the cell ahead, −1 for none
    facing: NDArray[np.int32]  # [P] the cell ahead as x * H + y, −1 beyond the grid's edge
    echo: NDArray[np.uint32]  # [P] events that every step forward emits: the cell ahead stays


@kernel
def number_cells(rules, grid, marks, things):
    """Return the [W, H] numbers of cells one can ever stand on, and of the things (−1: none)."""
    width, height = marks.shape
    cells, at = np.full((width, height), -1, np.int32), np.full((width, height), -1, np.int32)
    for o in range(len(things.cell)):
        at[things.cell[o] // height, things.cell[o] % height] = o
    stands = 0
    for x in range(width):
        for y in range(height):
            o = at[x, y]
            if o >= 0:
                enterable = things.passable[o] or things.clears[o]
            else:
                thing, colour, state = grid[x, y]
                enterable = lie(rules, thing, colour, state) == FREE
            if enterable:
                cells[x, y] = stands
                stands += 1
    return cells, at


@kernel
def link_cells(rules, grid, marks, cells, at):
    """Return the `Ground` for what `number_cells` returned."""
    width, height = marks.shape
    poses = 4 * (cells.max() + 1)
    ahead, behind = np.arange(poses).astype(np.int32), np.full(poses, -1, np.int32)
    front, facing = np.full(poses, -1, np.int32), np.full(poses, -1, np.int32)
    echo = np.zeros(poses, np.uint32)
    for x in range(width):
        for y in range(height):
            if cells[x, y] < 0:
                continue
            for way in range(4):
                pose = 4 * cells[x, y] + way
                nx, ny = x + step_x(way), y + step_y(way)
                if nx < 0 or ny < 0 or nx >= width or ny >= height:
                    continue
                facing[pose] = nx * height + ny
                front[pose] = at[nx, ny]
                if cells[nx, ny] >= 0:
                    ahead[pose] = 4 * cells[nx, ny] + way
                    behind[ahead[pose]] = pose
                thing, colour = grid[nx, ny, OBJECT], grid[nx, ny, COLOUR]
                if at[nx, ny] < 0 and rules.touch[thing, colour]:
                    echo[pose] = emitted(rules, thing, colour, marks[nx, ny])
    return Ground(cells, ahead, behind, front, facing, echo)


@kernel
def turned(pose, quarters):
    """Return the pose after so many quarter turns to the right."""
    return (pose & ~3) | ((pose + quarters) & 3)


@kernel
def pays_forever(rules, grid, marks, at):
    """Tell whether some cell that never changes emits a base event at every touch."""
    width, height = marks.shape
    for x in range(width):
        for y in range(height):
            thing, colour = grid[x, y, OBJECT], grid[x, y, COLOUR]
            if at[x, y] >= 0 or not rules.touch[thing, colour]:
                continue
            if emitted(rules, thing, colour, marks[x, y]) & np.int64(rules.base):
                return True
    return False
