"""What an agent sees: MiniGrid's 7 × 7 egocentric view with its occlusion.

View cell (i, j) lies i − 3 cells to the agent's right and 6 − j cells ahead of it; the agent
itself is at (3, 6). The cells seen are a word of 49 bits, bit 7 j + i for view cell (i, j), so
that a row of the view is seven adjacent bits and light spreads along it by shifts and carries.

Most of the time of a step is spent here. Cells are therefore addressed by their place in the
flat array, and loops run over whole rows without a branch: what is not seen is masked out.
"""

from typing import NamedTuple

import numpy as np

from mesabench.engine.cache import inner
from mesabench.engine.codes import (
    AGENT,
    DOOR,
    EMPTY,
    GREY,
    NUM_COLOURS,
    NUM_OBJECTS,
    OPEN,
    VIEW,
    WALL,
)
from mesabench.engine.layout import step_x, step_y
from mesabench.engine.world import COLOUR, DIR, OBJECT, STATE, X, Y

SIDE = VIEW // 2  # cells of the view on either side of the agent
AHEAD = VIEW - 1  # cells of the view ahead of the agent
ROW = (1 << VIEW) - 1
ALL = (1 << VIEW * VIEW) - 1

# Bit 4 · object + state: whether light passes.
CLEAR = sum(
    1 << 4 * thing + state
    for thing in range(NUM_OBJECTS)
    for state in range(4)
    if thing != WALL and (thing != DOOR or state == OPEN)
)


class Window(NamedTuple):
    """Where a view lies: its cell (i, j) is cell ``corner + i * right - j * ahead`` of the grid.

    Cells of the grid are counted as x * H + y. Columns `first` to `last` and rows from `far` on
    lie inside the world.
    """

    corner: int  # view cell (0, 0)
    right: int  # step to the cell on the right
    ahead: int  # step to the cell ahead
    first: int
    last: int
    far: int


@inner
def observe(world, b, rules, image):
    """Draw what each agent of world `b` sees.

    Args:
        world: The batch of worlds.
        b: Which world.
        rules: The task's rule table, for `see_through`.
        image: Where to: ``world.image`` or ``world.final_image``, uint8 [B, A, 7, 7, 3], object,
            colour and state, zeros where unseen.
    """
    here = world[b]
    # The same array taken from the record has strides that are known when this is compiled.
    final = image.ctypes.data == world.final_image.ctypes.data
    views = here.final_image if final else here.image
    for a in range(views.shape[0]):
        window = find_window(here, a)
        cells = sight(here, window, rules)
        draw(here, window, cells, a, views)
        for other in range(views.shape[0]):
            if other != a:
                draw_agent(here, a, other, cells, views)
        draw_hand(here, a, views)


@inner
def visible(world, b, a, rules, seen):
    """Mark in `seen` (bool [W, H]) the cells of world `b` that agent `a` now sees.

    Marks of earlier calls stay, so that `seen` can gather what was seen in an episode.
    """
    here = world[b]
    window = find_window(here, a)
    cells = sight(here, window, rules)
    height = here.grid.shape[1]
    for j in range(window.far, VIEW):
        for i in range(window.first, window.last + 1):
            if (cells >> (VIEW * j + i)) & 1:
                cell = window.corner + i * window.right - j * window.ahead
                seen[cell // height, cell % height] = True


@inner
def find_window(here, a):
    """Return the `Window` of agent `a` of the world `here` (a record)."""
    width, height = here.grid.shape[0], here.grid.shape[1]
    x, y, way = int(here.pose[a, X]), int(here.pose[a, Y]), int(here.pose[a, DIR])
    dx, dy = step_x(way), step_y(way)
    right, ahead = dx - dy * height, dy + dx * height
    return Window(
        x * height + y - SIDE * right + AHEAD * ahead,
        right,
        ahead,
        SIDE - min(SIDE, count_cells(width, height, x, y, dy, -dx)),
        SIDE + min(SIDE, count_cells(width, height, x, y, -dy, dx)),
        AHEAD - min(AHEAD, count_cells(width, height, x, y, dx, dy)),
    )


@inner
def count_cells(width, height, x, y, dx, dy):
    """Count the cells between (x, y) and the edge of the world in direction (dx, dy)."""
    if dx != 0:
        return width - 1 - x if dx > 0 else x
    return height - 1 - y if dy > 0 else y


@inner
def columns_inside(window):
    """Return the columns of the view that lie inside the world, a bit each."""
    return (2 << window.last) - (1 << window.first)


@inner
def sight(here, window, rules):
    """Return the cells that are seen, a bit each (MiniGrid's `Grid.process_vis`).

    Light starts at the agent. In each row, nearest first, it fills every run of clear cells that
    it meets; the cells so lit, and those beside them, are seen and pass it on to the next row.
    """
    if rules.see_through:
        return ALL
    grid = here.grid.flat
    cells = 0
    lit = 1 << SIDE
    for j in range(AHEAD, -1, -1):
        clear = 0
        if j >= window.far:
            for i in range(VIEW):
                column = min(max(i, window.first), window.last)
                cell = 3 * (window.corner + column * window.right - j * window.ahead)
                kind = 4 * np.int64(grid[cell]) + np.int64(grid[cell + STATE])
                clear |= ((CLEAR >> kind) & 1) << i
            clear &= columns_inside(window)
        source = lit & clear
        # To the right, the carry of this sum runs through a run of clear cells as light does.
        spread = source | (((clear + source) ^ clear) & clear)
        pair = clear & (clear >> 1)
        back = source | (clear & (source >> 1))
        back |= pair & (back >> 2)
        spread |= back | (pair & (pair >> 2) & (back >> 4))
        around = (spread | (spread << 1) | (spread >> 1)) & ROW
        cells |= (lit | around) << (VIEW * j)
        lit = around
        if lit == 0:
            break
    return cells


@inner
def draw(here, window, cells, a, views):
    """Draw the things in the seen `cells` into view `a` of `views` [A, 7, 7, 3]."""
    grid, view = here.grid.flat, views.flat
    start = a * VIEW * VIEW * 3
    for k in range(start, start + VIEW * VIEW * 3):
        view[k] = 0
    beyond = cells
    for j in range(window.far, VIEW):
        seen = (cells >> (VIEW * j)) & columns_inside(window)
        beyond ^= seen << (VIEW * j)
        if seen == 0:
            continue
        for i in range(VIEW):
            column = min(max(i, window.first), window.last)
            cell = 3 * (window.corner + column * window.right - j * window.ahead)
            at = start + 3 * (VIEW * i + j)
            mask = np.uint8(-((seen >> i) & 1) & 255)  # 255 where seen, 0 elsewhere
            view[at] = grid[cell] & mask
            view[at + COLOUR] = grid[cell + COLOUR] & mask
            view[at + STATE] = grid[cell + STATE] & mask
    if beyond != 0:
        draw_beyond(beyond, a, views)


@inner
def draw_beyond(cells, a, views):
    """Draw the seen `cells` outside the world, which are walls."""
    for j in range(VIEW):
        for i in range(VIEW):
            if (cells >> (VIEW * j + i)) & 1:
                views[a, i, j, OBJECT] = WALL
                views[a, i, j, COLOUR] = GREY


@inner
def draw_agent(here, a, other, cells, views):
    """Draw the agent `other` where agent `a` sees it; one that is absent stands at (−1, −1)."""
    if here.pose[other, X] < 0:
        return
    way = int(here.pose[a, DIR])
    dx, dy = step_x(way), step_y(way)
    x = int(here.pose[other, X]) - int(here.pose[a, X])
    y = int(here.pose[other, Y]) - int(here.pose[a, Y])
    i = SIDE + y * dx - x * dy
    j = AHEAD - x * dx - y * dy
    if 0 <= i < VIEW and 0 <= j < VIEW and (cells >> (VIEW * j + i)) & 1:
        views[a, i, j, OBJECT] = AGENT
        views[a, i, j, COLOUR] = other % NUM_COLOURS
        views[a, i, j, STATE] = here.pose[other, DIR]


@inner
def draw_hand(here, a, views):
    """Draw what agent `a` carries where it stands itself."""
    thing = here.carrying[a, OBJECT]
    views[a, SIDE, AHEAD, OBJECT] = EMPTY if thing == 0 else thing
    views[a, SIDE, AHEAD, COLOUR] = here.carrying[a, COLOUR]
    views[a, SIDE, AHEAD, STATE] = 0
