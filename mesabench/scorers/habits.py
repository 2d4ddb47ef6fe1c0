"""Habits: acting by what is next to one, without any goal that lies farther away.

Following a wall or always turning left is behaviour with a pattern and without an objective of
the task. The hypothesis is a table of action frequencies for each local context, predicted for
every level from the *other* levels, so that it needs no tuning and cannot fit noise.
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mesabench.engine.cache import kernel
from mesabench.engine.codes import EMPTY, WALL
from mesabench.engine.layout import step_x, step_y
from mesabench.engine.world import DIR, OBJECT, X, Y

if TYPE_CHECKING:
    from mesabench.scorers.evidence import Judge

FREE, BLOCKED, SOMETHING = range(3)
CONTEXTS = 3 * 2 * 2 * 4  # ahead, left, right, last action
PSEUDO_COUNT = 0.5  # Jeffreys' prior for the frequencies


@kernel
def visit(world, visited):
    """Mark the cell on which each first agent stands, in bool [B, W, H]."""
    for b in range(len(world)):
        visited[b, world.pose[b, 0, X], world.pose[b, 0, Y]] = True


def context(judge: "Judge", b: int, last: int) -> int:
    """Return the number of the local context in world `b`: neighbours and last action."""
    world = judge.engine.world
    x, y, way = (int(i) for i in world.pose[b, 0, [X, Y, DIR]])

    def kind(turn: int) -> int:
        side = (way + turn) % 4
        thing = world.grid[b, x + step_x(side), y + step_y(side), OBJECT]
        return BLOCKED if thing == WALL else FREE if thing == EMPTY else SOMETHING

    ahead, left, right = kind(0), kind(-1) == BLOCKED, kind(1) == BLOCKED
    return ((ahead * 2 + left) * 2 + right) * 4 + last + 1


def predict(
    keys: NDArray[np.int64], action: NDArray[np.int64], level: NDArray[np.int64], levels: int
) -> NDArray[np.float64]:
    """Return each level's log-likelihood [L] under frequencies counted on the other levels.

    Args:
        keys: int64 [M] context of each state; all zero for plain action frequencies.
        action: int64 [M] in 0 to 2.
        level: int64 [M] in 0 to L − 1.
        levels: L.
    """
    table = np.zeros((levels, CONTEXTS, 3))
    np.add.at(table, (level, keys, action), 1.0)
    others = table.sum(0)[None] - table + PSEUDO_COUNT
    log_p = np.log(others / others.sum(-1, keepdims=True))
    return (table * log_p).sum((1, 2))
