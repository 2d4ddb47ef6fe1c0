"""The poses that an agent can take in a level, and what lies ahead of each.

Pose ``4 * c + d`` stands on cell number c and looks in direction d. Only cells on which the agent
can ever stand are numbered.
"""

import numpy as np

from mesabench.engine.cache import inner
from mesabench.engine.layout import step_x, step_y
from mesabench.engine.world import COLOUR, OBJECT
from mesabench.planner.things import CELL, CLEARS, FREE, PASSABLE, PIT, classify, emitted

# Columns of a table of poses, int64 [P, 6].
AHEAD = 0  # pose after a step forward; the same pose where there is never a way
BEHIND = 1  # pose from which a step forward leads here, −1 for none
FRONT = 2  # the thing in the cell ahead, −1 for none
FACING = 3  # the cell ahead as x * H + y, −1 beyond the grid's edge
ECHO = 4  # mask of the events that every step forward emits: the cell ahead stays as it is
FATAL = 5  # 1: a step forward ends the episode, to no other effect


@inner
def number_cells(rules, grid, marks, things):
    """Return the [W, H] numbers of cells one can ever stand on, and of the things (−1: none)."""
    width, height = marks.shape
    cells, at = np.full((width, height), -1, np.int32), np.full((width, height), -1, np.int32)
    for o in range(len(things)):
        at[things[o, CELL] // height, things[o, CELL] % height] = o
    stands = 0
    for x in range(width):
        for y in range(height):
            o = at[x, y]
            if o >= 0:
                enterable = things[o, PASSABLE] or things[o, CLEARS]
            else:
                thing, colour, state = grid[x, y]
                enterable = classify(rules, thing, colour, state, marks[x, y]) == FREE
            if enterable:
                cells[x, y] = stands
                stands += 1
    return cells, at


@inner
def link_cells(rules, grid, marks, cells, at):
    """Return the table of poses, int64 [P, 6], for what `number_cells` returned."""
    width, height = marks.shape
    poses = np.full((4 * (cells.max() + 1), 6), -1, np.int64)
    for x in range(width):
        for y in range(height):
            if cells[x, y] < 0:
                continue
            for way in range(4):
                pose = 4 * cells[x, y] + way
                poses[pose, AHEAD] = pose
                poses[pose, ECHO] = 0
                poses[pose, FATAL] = 0
                nx, ny = x + step_x(way), y + step_y(way)
                if nx < 0 or ny < 0 or nx >= width or ny >= height:
                    continue
                poses[pose, FACING] = nx * height + ny
                poses[pose, FRONT] = at[nx, ny]
                if cells[nx, ny] >= 0:
                    ahead = 4 * cells[nx, ny] + way
                    poses[pose, AHEAD] = ahead
                    poses[ahead, BEHIND] = pose
                thing, colour, state = grid[nx, ny]
                if at[nx, ny] < 0 and rules.touch[thing, colour]:
                    poses[pose, ECHO] = emitted(rules, thing, colour, marks[nx, ny])
                    fatal = classify(rules, thing, colour, state, marks[nx, ny]) == PIT
                    poses[pose, FATAL] = fatal
    return poses


@inner
def turned(pose, quarters):
    """Return the pose after so many quarter turns to the right."""
    return pose - (pose & 3) + ((pose + quarters) & 3)


@inner
def pays_forever(rules, grid, marks, at):
    """Tell whether some cell that never changes emits a base event at every touch."""
    width, height = marks.shape
    for x in range(width):
        for y in range(height):
            thing, colour = grid[x, y, OBJECT], grid[x, y, COLOUR]
            if at[x, y] >= 0 or not rules.touch[thing, colour]:
                continue
            if emitted(rules, thing, colour, marks[x, y]) & np.int64(rules["base"]):
                return True
    return False
