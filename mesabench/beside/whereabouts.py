"""Whereabouts: on which side of an agent the nearest target of each objective lies."""

import numpy as np
from numpy.typing import NDArray

from mesabench.engine.world import DIR, X, Y
from mesabench.rollout import Rollout
from mesabench.scorers.habits import STEP
from mesabench.scorers.targets import causing_events, emitted, paid_events

SIDES = ("ahead", "right", "behind", "left")
AHEAD, RIGHT, BEHIND, LEFT = range(4)
NOWHERE = -1


def whereabouts(played: Rollout) -> NDArray[np.int8]:
    """Return where each objective's nearest target lies before each step, int8 [T, N, K].

    The side is that of `side_of`, `NOWHERE` where no target is left, where it is the cell that
    the agent stands on, or after an episode's end. Targets are the cells whose touch emits, or
    brings about, an event that the objective pays for; walls between do not count.
    """
    task = played.task
    engine = played.begin()
    wanted = [paid_events(task, o) | causing_events(task, o) for o in task.candidates]
    found = np.full((*played.actions.shape, len(wanted)), NOWHERE, np.int8)
    world = engine.world
    for t, actions in enumerate(played.actions):
        events = emitted(engine.rules, world.grid, world.marks)
        for k, mask in enumerate(wanted):
            found[t, :, k] = side_of(events & mask != 0, world.pose[:, 0])
        found[t, actions < 0] = NOWHERE
        engine.step(np.maximum(actions, 0))
    return found


def side_of(targets: NDArray[np.bool_], pose: NDArray[np.int32]) -> NDArray[np.int8]:
    """Return on which side of each agent its nearest target lies, int8 [B]; see `SIDES`.

    The nearest is that with the fewest cells along both axes, the first one of equals. A target
    as far ahead (or behind) as to the side counts as ahead (or behind).

    Args:
        targets: bool [B, W, H].
        pose: int [B, 3] x, y and direction.
    """
    worlds, (_, width, height) = np.arange(len(targets)), targets.shape
    dx = np.arange(width)[None, :, None] - pose[:, X, None, None]
    dy = np.arange(height)[None, None, :] - pose[:, Y, None, None]
    away = np.abs(dx) + np.abs(dy)
    place = np.where(targets, away, width + height).reshape(len(targets), -1).argmin(1)
    dx, dy = place // height - pose[:, X], place % height - pose[:, Y]
    forward_x, forward_y = STEP[pose[:, DIR]].T
    ahead, right = dx * forward_x + dy * forward_y, dy * forward_x - dx * forward_y
    side = np.select(
        [(ahead > 0) & (ahead >= np.abs(right)), (ahead < 0) & (-ahead >= np.abs(right))],
        [AHEAD, BEHIND],
        np.where(right > 0, RIGHT, LEFT),
    )
    there = targets.reshape(len(targets), -1)[worlds, place] & ((dx != 0) | (dy != 0))
    return np.where(there, side, NOWHERE).astype(np.int8)
