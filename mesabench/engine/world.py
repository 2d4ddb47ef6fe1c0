"""`World`: the state of a batch of levels, as a NamedTuple of arrays with the batch first."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mesabench.engine.codes import NUM_COLOURS, NUM_FLAGS, NUM_OBJECTS, NUM_TRIGGERS, VIEW

# Columns of `World.carrying` and of `World.pose`.
X, Y, DIR = 0, 1, 2
OBJECT, COLOUR, STATE = 0, 1, 2
INSIDE = 2  # of `carrying`: a carried thing has no state, but a box may hold something


class World(NamedTuple):
    """A batch of B worlds of W × H cells with A agents, K kinds of items and E events.

    A thing inside a box is packed into one byte, ``object * 8 + colour``; 0 is nothing.
    """

    grid: NDArray[np.uint8]  # [B, W, H, 3] object, colour, state (MiniGrid's codes; x first)
    inside: NDArray[np.uint8]  # [B, W, H] what the box in a cell holds
    flags: NDArray[np.uint8]  # [B, W, H] marks for relational events: one bit each
    pose: NDArray[np.int32]  # [B, A, 3] x, y, direction
    carrying: NDArray[np.uint8]  # [B, A, 3] object (0: nothing), colour, inside
    inventory: NDArray[np.int32]  # [B, A, K] items held, by kind
    events: NDArray[np.uint8]  # [B, A, E] how often each event happened in the last step
    clock: NDArray[np.int32]  # [B] steps since the level began
    horizon: NDArray[np.int32]  # [B] steps after which the episode is truncated
    terminated: NDArray[np.bool_]  # [B] by the last step
    truncated: NDArray[np.bool_]  # [B] by the last step
    rng: NDArray[np.uint64]  # [B, 2] key and counter of the world's random stream
    image: NDArray[np.uint8]  # [B, A, 7, 7, 3] what each agent sees
    final_image: NDArray[np.uint8]  # [B, A, 7, 7, 3] what it saw when its episode ended
    unbuilt: NDArray[np.bool_]  # [B] the generator found no room for all it had to place
    scratch: NDArray[np.int32]  # [B, 3, 4 * W * H] working space of the generators


class Rules(NamedTuple):
    """A task's rule table, indexed by trigger (touch, pickup, open), object and colour.

    `needs` and `gives` hold an item's number, −1 for none. `events` is a bit mask of the events
    that a trigger emits: column 0 always, column 1 + f only where the cell bears flag f.
    """

    touch: NDArray[np.bool_]  # [11, 6] has a touch rule; otherwise plain MiniGrid
    passable: NDArray[np.bool_]  # [11, 6] the agent moves into the cell it touches
    taken: NDArray[np.bool_]  # [11, 6] the thing is gone after the touch
    needs: NDArray[np.int8]  # [11, 6] item without which the touch has no effect; it is used up
    gives: NDArray[np.int8]  # [11, 6] item that the touch yields
    becomes: NDArray[np.int16]  # [11, 6, 3] what takes the thing's place; −1: no change
    ends: NDArray[np.bool_]  # [3, 11, 6] the episode terminates
    events: NDArray[np.uint32]  # [3, 11, 6, 9] event mask, plain and by flag
    base: np.uint32  # events for which the base objective pays
    see_through: np.bool_  # walls do not block the view (a MiniGrid option)


def allocate(
    batch: int, width: int, height: int, *, agents: int = 1, items: int = 1, events: int = 1
) -> World:
    """Return a batch of empty worlds (all arrays zero, no level built yet)."""
    cells = (batch, width, height)
    view = (batch, agents, VIEW, VIEW, 3)
    return World(
        grid=np.zeros((*cells, 3), np.uint8),
        inside=np.zeros(cells, np.uint8),
        flags=np.zeros(cells, np.uint8),
        pose=np.zeros((batch, agents, 3), np.int32),
        carrying=np.zeros((batch, agents, 3), np.uint8),
        inventory=np.zeros((batch, agents, items), np.int32),
        events=np.zeros((batch, agents, events), np.uint8),
        clock=np.zeros(batch, np.int32),
        horizon=np.zeros(batch, np.int32),
        terminated=np.zeros(batch, np.bool_),
        truncated=np.zeros(batch, np.bool_),
        rng=np.zeros((batch, 2), np.uint64),
        image=np.zeros(view, np.uint8),
        final_image=np.zeros(view, np.uint8),
        unbuilt=np.zeros(batch, np.bool_),
        scratch=np.zeros((batch, 3, 4 * width * height), np.int32),
    )


def plain_rules() -> Rules:
    """Return a rule table without any rule: MiniGrid without goals or lava."""
    cells = (NUM_OBJECTS, NUM_COLOURS)
    return Rules(
        touch=np.zeros(cells, np.bool_),
        passable=np.zeros(cells, np.bool_),
        taken=np.zeros(cells, np.bool_),
        needs=np.full(cells, -1, np.int8),
        gives=np.full(cells, -1, np.int8),
        becomes=np.full((*cells, 3), -1, np.int16),
        ends=np.zeros((NUM_TRIGGERS, *cells), np.bool_),
        events=np.zeros((NUM_TRIGGERS, *cells, 1 + NUM_FLAGS), np.uint32),
        base=np.uint32(0),
        see_through=np.bool_(False),
    )
