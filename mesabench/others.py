"""Other agents as MiniGrid objects, so that MiniGrid's own grid, views and renderer show them."""

import math

import numpy as np
from minigrid.core.constants import COLORS
from minigrid.core.grid import Grid
from minigrid.core.world_object import WorldObj
from minigrid.utils.rendering import fill_coords, point_in_triangle, rotate_fn
from numpy.typing import NDArray

from mesabench.engine.codes import AGENT, COLOURS, NUM_COLOURS


class OtherAgent(WorldObj):
    """An agent that somebody else plays: MiniGrid's object of that name, in a colour of its own.

    Args:
        number: of the agent in its world; it decides on the colour.
        way: direction, 0 right, 1 down, 2 left, 3 up.
    """

    def __init__(self, number: int, way: int):
        super().__init__("agent", COLOURS[number % NUM_COLOURS])
        self.number, self.way = number, way

    def encode(self) -> tuple[int, int, int]:
        """Return object, colour and direction, as they stand in an observation."""
        return AGENT, self.number % NUM_COLOURS, self.way

    def render(self, r: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Draw the triangle that MiniGrid draws for its agent into `r`, and return it."""
        triangle = point_in_triangle((0.12, 0.19), (0.87, 0.50), (0.12, 0.81))
        turned = rotate_fn(triangle, cx=0.5, cy=0.5, theta=0.5 * math.pi * self.way)
        return fill_coords(r, turned, COLORS[self.color])


def put_others(grid: Grid, poses: NDArray[np.integer]) -> Grid:
    """Put every agent but the first into a grid, on top of what lies there; return the grid.

    Args:
        grid: MiniGrid's grid.
        poses: [A, 3] x, y, direction; agents at negative places are absent.
    """
    for number, (x, y, way) in enumerate(poses.tolist()):
        if number > 0 and x >= 0:
            grid.set(x, y, OtherAgent(number, way))
    return grid
