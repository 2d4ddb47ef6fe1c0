"""`World`: the state of a batch of levels, as one structured array with a record for each.

Every kernel gets one small argument, whatever the number of fields, and each world lies in one
piece of memory. (A NamedTuple of arrays read the same and ran at a third of the speed: each call
between kernels handed over some two hundred numbers.) Fields are read as ``world.clock[b]``, in
kernels and in Python alike.
"""

from typing import Any, TypeAlias

import numpy as np

from mesabench.engine.codes import NUM_COLOURS, NUM_FLAGS, NUM_OBJECTS, NUM_TRIGGERS, VIEW

# Columns of `world.pose`, of `world.grid` and of `world.carrying`.
X, Y, DIR = 0, 1, 2
OBJECT, COLOUR, STATE = 0, 1, 2
INSIDE = 2  # of `carrying`: a carried thing has no state, but a box may hold something

MEMORY = 8  # numbers that a task's tick may keep

World: TypeAlias = Any  # np.recarray [B] of `world_type`; Any, because its fields are dynamic
Rules: TypeAlias = Any  # np.record of `RULES`


def world_type(
    width: int, height: int, *, agents: int, items: int, events: int, gauges: int
) -> np.dtype:
    """Return the record of one world of W × H cells, A agents, K items, E events and G gauges.

    A thing inside a box is packed into one byte, ``object * 8 + colour``; 0 is nothing.
    """
    view = (agents, VIEW, VIEW, 3)
    return np.dtype(
        [
            ("rng", np.uint64, 2),  # key and counter of the random stream
            ("clock", np.int32),  # steps since the level began
            ("horizon", np.int32),  # steps after which the episode is truncated
            ("terminated", np.bool_),  # by the last step
            ("truncated", np.bool_),  # by the last step
            ("unbuilt", np.bool_),  # the generator found no room for all it had to place
            ("pose", np.int32, (agents, 3)),  # x, y, direction
            ("carrying", np.uint8, (agents, 3)),  # object (0: nothing), colour, inside
            ("inventory", np.int32, (agents, items)),  # items held, by kind
            ("gauges", np.int32, (agents, gauges)),  # numbers that are observed beside the view
            ("memory", np.int32, MEMORY),  # what a task's tick remembers of the episode
            ("events", np.uint8, (agents, events)),  # how often each happened in the last step
            ("image", np.uint8, view),  # what each agent sees
            ("final_image", np.uint8, view),  # what it saw when its episode ended
            ("grid", np.uint8, (width, height, 3)),  # MiniGrid's object, colour, state; x first
            ("inside", np.uint8, (width, height)),  # what the box in a cell holds
            ("marks", np.uint8, (width, height)),  # flags for relational events, a bit each
            ("scratch", np.int32, (3, 4 * width * height)),  # working space of generators
        ],
        align=True,
    )


_CELL = (NUM_OBJECTS, NUM_COLOURS)

# A task's rule table, by trigger (touch, pickup, open), object and colour. `needs` and `gives`
# hold an item's number, −1 for none. `events` is a bit mask of what a trigger emits: column 0
# always, column 1 + f only where the cell bears flag f.
RULES = np.dtype(
    [
        ("touch", np.uint8, _CELL),  # has a touch rule; otherwise plain MiniGrid
        ("passable", np.uint8, _CELL),  # the agent moves into the cell it touches
        ("taken", np.uint8, _CELL),  # the thing is gone after the touch
        ("needs", np.int8, _CELL),  # item without which nothing happens; it is used up
        ("gives", np.int8, _CELL),  # item that the touch yields
        ("becomes", np.int16, (*_CELL, 3)),  # what takes the thing's place; −1: no change
        ("ends", np.uint8, (NUM_TRIGGERS, *_CELL)),  # the episode terminates
        ("events", np.uint32, (NUM_TRIGGERS, *_CELL, 1 + NUM_FLAGS)),  # see above
        ("base", np.uint32),  # events for which the base objective pays
        ("see_through", np.uint8),  # walls do not block the view (a MiniGrid option)
    ],
    align=True,
)


def allocate(
    batch: int,
    width: int,
    height: int,
    *,
    agents: int = 1,
    items: int = 1,
    events: int = 1,
    gauges: int = 1,
) -> World:
    """Return a batch of empty worlds (all zero, no level built yet)."""
    record = world_type(width, height, agents=agents, items=items, events=events, gauges=gauges)
    return np.zeros(batch, record).view(np.recarray)


def plain_rules() -> Rules:
    """Return a rule table without any rule: MiniGrid without goals or lava."""
    rules = np.zeros(1, RULES).view(np.recarray)[0]
    for name in ("needs", "gives", "becomes"):
        rules[name][...] = -1
    return rules
