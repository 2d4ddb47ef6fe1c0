"""Habits: acting by what is next to one, without any goal that lies farther away.

Following a wall or always turning left is behaviour with a pattern and without an objective of
the task. The hypothesis is a table of action frequencies for each local context, predicted for
every level from the *other* levels, so that it cannot fit noise. It is counted where objectives
part, and as far as that says little, at all steps: an agent that bounces off walls is told from one
that walks on by what it does at walls, and objectives seldom part there.
"""

import numpy as np
from numpy.typing import NDArray

from mesabench.engine.codes import EMPTY, WALL
from mesabench.engine.world import DIR, OBJECT, World, X, Y

FREE, BLOCKED, SOMETHING = range(3)
CONTEXTS = 3 * 2 * 2 * 4  # ahead, wall on the left, wall on the right, last action
PSEUDO_COUNT = 0.5  # Jeffreys' prior for the frequencies
SHRINK = 5.0  # times for which habits at all steps count; of 1.5, 5 and all, calibrated best
STEP = np.array([(1, 0), (0, 1), (-1, 0), (0, -1)])  # one cell ahead, by direction


def read_contexts(world: World, last: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the number of every first agent's local context, int64 [B].

    Args:
        world: the batch of worlds.
        last: int64 [B] the action before, −1 for none.
    """
    pose, worlds = world.pose[:, 0], np.arange(len(world))

    def beside(turn: int) -> NDArray[np.uint8]:
        dx, dy = STEP[(pose[:, DIR] + turn) % 4].T
        return world.grid[worlds, pose[:, X] + dx, pose[:, Y] + dy, OBJECT]

    front, left, right = beside(0), beside(-1) == WALL, beside(1) == WALL
    ahead = np.select([front == WALL, front == EMPTY], [BLOCKED, FREE], SOMETHING)
    return ((ahead * 2 + left) * 2 + right) * 4 + last + 1


def count(
    keys: NDArray[np.int64], action: NDArray[np.int64], level: NDArray[np.int64], levels: int
) -> NDArray[np.int64]:
    """Return how often each action was taken in each context of each level, int64 [L, C, 3].

    Args:
        keys: int64 [M] context of each step.
        action: int64 [M] in 0 to 2.
        level: int64 [M] from 0.
        levels: L.
    """
    counts = np.zeros((levels, CONTEXTS, 3), np.int64)
    np.add.at(counts, (level, keys, action), 1)
    return counts


def frequencies(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the probability [L, C, 3] of every action in a level by the other levels' counts.

    Args:
        counts: int64 [L, C, 3]; C may be 1, for actions that depend on nothing.
    """
    others = counts.sum(0) - counts + PSEUDO_COUNT
    return others / others.sum(-1, keepdims=True)


def habits(telling: NDArray[np.int64], everywhere: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the probability [L, C, 3] of every action by habit, from the other levels' counts.

    That is (n + κ·h) / (Σn + κ), with n the counts at telling states, h the frequencies at all
    steps, and κ = `SHRINK`.

    Args:
        telling: int64 [L, C, 3] counts at the states that are evidence.
        everywhere: int64 [L, C, 3] counts at all steps.
    """
    others = telling.sum(0) - telling + SHRINK * frequencies(everywhere)
    return others / others.sum(-1, keepdims=True)
