"""What an agent sees: MiniGrid's 7 × 7 egocentric view with its occlusion.

View cell (i, j) lies i − 3 cells to the agent's right and 6 − j cells ahead of it; the agent
itself is at (3, 6). The cells seen are a word of 49 bits, bit 7 j + i for view cell (i, j), so
that a row of the view is seven adjacent bits and light spreads along it by shifts.
"""

import numpy as np

from mesabench.engine.cache import kernel
from mesabench.engine.codes import AGENT, DOOR, EMPTY, GREY, NUM_COLOURS, OPEN, VIEW, WALL
from mesabench.engine.layout import step_x, step_y
from mesabench.engine.world import COLOUR, DIR, OBJECT, STATE, X, Y

SIDE = VIEW // 2  # cells of the view on either side of the agent
AHEAD = VIEW - 1  # cells of the view ahead of the agent
ROW = (1 << VIEW) - 1
ALL = (1 << VIEW * VIEW) - 1
NOT_LAST, NOT_FIRST = ROW >> 1, ROW - 1


@kernel
def observe(world, b, rules, image):
    """Draw what each agent of world `b` sees.

    Args:
        world: The batch of worlds.
        b: Which world.
        rules: The task's rule table, for `see_through`.
        image: uint8 [B, A, 7, 7, 3], written at `b`: object, colour and state, zeros where
            unseen; ``world.image`` or ``world.final_image``.
    """
    for a in range(world.pose.shape[1]):
        draw(world, b, a, sight(world, b, a, rules), image)


@kernel
def visible(world, b, a, rules, seen):
    """Mark in `seen` (bool [W, H]) the cells of world `b` that agent `a` now sees.

    Marks of earlier calls stay, so that `seen` can gather what was seen in an episode.
    """
    cells = sight(world, b, a, rules)
    width, height = world.grid.shape[1], world.grid.shape[2]
    for j in range(VIEW):
        for i in range(VIEW):
            x, y = locate(world, b, a, i, j)
            inside = 0 <= x < width and 0 <= y < height
            if inside and (cells >> (VIEW * j + i)) & 1:
                seen[x, y] = True


@kernel
def locate(world, b, a, i, j):
    """Return the world's coordinates of agent `a`'s view cell (i, j), maybe outside the world."""
    way = int(world.pose[b, a, DIR])
    dx, dy = step_x(way), step_y(way)
    x = world.pose[b, a, X] + (AHEAD - j) * dx - (i - SIDE) * dy
    y = world.pose[b, a, Y] + (AHEAD - j) * dy + (i - SIDE) * dx
    return x, y


@kernel
def sight(world, b, a, rules):
    """Return the cells that agent `a` sees, a bit each (MiniGrid's `Grid.process_vis`).

    Light starts at the agent, spreads through each row, nearest first, to the right and then
    to the left, and from every lit see-through cell to the next row.
    """
    if rules.see_through:
        return ALL
    cells = 0
    lit = 1 << SIDE
    for j in range(AHEAD, -1, -1):
        clear = clear_cells(world, b, a, j)
        # A carry ripples through a run of clear cells, as light does, into the cell behind it.
        source = lit & clear
        lit |= (((clear + source) ^ clear) | source) & ROW
        rightward = lit & clear & NOT_LAST
        spread = clear & (lit | (lit & clear) >> 1)
        run = clear & (clear >> 1)
        spread |= run & (spread >> 2)
        spread |= run & (run >> 2) & (spread >> 4)
        lit |= spread | (spread >> 1)
        leftward = lit & clear & NOT_FIRST
        cells |= lit << (VIEW * j)
        lit = (rightward | (rightward << 1) | leftward | (leftward >> 1)) & ROW
        if lit == 0:
            break
    return cells


@kernel
def clear_cells(world, b, a, j):
    """Return the see-through cells of row `j` of agent `a`'s view, a bit each."""
    bits = 0
    for i in range(VIEW):
        x, y = locate(world, b, a, i, j)
        if 0 <= x < world.grid.shape[1] and 0 <= y < world.grid.shape[2]:
            thing = world.grid[b, x, y, OBJECT]
            state = world.grid[b, x, y, STATE]
            bits |= np.int64(thing != WALL and (thing != DOOR or state == OPEN)) << i
    return bits


@kernel
def draw(world, b, a, cells, image):
    """Draw the seen `cells`, the other agents in them and the thing that agent `a` carries."""
    for j in range(VIEW):
        for i in range(VIEW):
            x, y = locate(world, b, a, i, j)
            thing, colour, state = WALL, GREY, 0
            if 0 <= x < world.grid.shape[1] and 0 <= y < world.grid.shape[2]:
                thing = world.grid[b, x, y, OBJECT]
                colour = world.grid[b, x, y, COLOUR]
                state = world.grid[b, x, y, STATE]
            bit = (cells >> (VIEW * j + i)) & 1
            image[b, a, i, j, OBJECT] = thing * bit
            image[b, a, i, j, COLOUR] = colour * bit
            image[b, a, i, j, STATE] = state * bit
    for other in range(world.pose.shape[1]):
        if other != a:
            draw_agent(world, b, a, other, cells, image)
    empty_handed = world.carrying[b, a, OBJECT] == 0
    image[b, a, SIDE, AHEAD, OBJECT] = EMPTY if empty_handed else world.carrying[b, a, OBJECT]
    image[b, a, SIDE, AHEAD, COLOUR] = world.carrying[b, a, COLOUR]
    image[b, a, SIDE, AHEAD, STATE] = 0


@kernel
def draw_agent(world, b, a, other, cells, image):
    """Draw the agent `other` where agent `a` sees it."""
    way = int(world.pose[b, a, DIR])
    dx, dy = step_x(way), step_y(way)
    x = world.pose[b, other, X] - world.pose[b, a, X]
    y = world.pose[b, other, Y] - world.pose[b, a, Y]
    i = SIDE + y * dx - x * dy
    j = AHEAD - x * dx - y * dy
    if 0 <= i < VIEW and 0 <= j < VIEW and (cells >> (VIEW * j + i)) & 1:
        image[b, a, i, j, OBJECT] = AGENT
        image[b, a, i, j, COLOUR] = other % NUM_COLOURS
        image[b, a, i, j, STATE] = world.pose[b, other, DIR]
