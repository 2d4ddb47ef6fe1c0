"""What an action does: MiniGrid's seven actions, and on top of them a task's touch rules."""

import numpy as np

from mesabench.engine.cache import inner, kernel
from mesabench.engine.codes import (
    BALL,
    BOX,
    CLOSED,
    DOOR,
    DROP,
    EMPTY,
    FLOOR,
    FORWARD,
    GOAL,
    KEY,
    LAVA,
    LEFT,
    LOCKED,
    NUM_FLAGS,
    ON_OPEN,
    ON_PICKUP,
    ON_TOUCH,
    OPEN,
    PICKUP,
    RIGHT,
    TOGGLE,
)
from mesabench.engine.layout import step_x, step_y
from mesabench.engine.meeting import hindered
from mesabench.engine.prospects import base_is_possible
from mesabench.engine.world import COLOUR, DIR, INSIDE, OBJECT, STATE, X, Y


@kernel
def step(world, b, actions, rules):
    """Play one step of world `b`: the actions of its agents, all at once, then the clock.

    Args:
        world: The batch of worlds.
        b: Which world.
        actions: Integers [A], MiniGrid's action codes; others do nothing.
        rules: The task's rule table.
    """
    here = world[b]
    for a in range(here.events.shape[0]):
        for e in range(here.events.shape[1]):
            here.events[a, e] = 0
    here.terminated = False
    happened = False
    idle = hindered(here, actions)
    for a in range(here.pose.shape[0]):
        if not (idle >> a) & 1:
            happened |= act(here, a, actions[a], rules)
    here.clock += 1
    here.truncated = here.clock >= here.horizon
    # Only an event can use up the last way to a base event, so only then is it worth a look.
    # (`rules.base` would be an attribute that NumPy gives every record.)
    if happened and rules["base"] != 0 and not here.terminated:
        here.terminated = not base_is_possible(here, rules)


@inner
def act(here, a, action, rules):
    """Let agent `a` of the world `here` (a record) do `action`; return whether an event happened.

    The four actions that concern the cell ahead do nothing where that cell lies outside the
    world. That no other agent is in the way has been seen to (see `meeting`).
    """
    way = int(here.pose[a, DIR])
    if action == LEFT:
        here.pose[a, DIR] = (way + 3) & 3
        return False
    if action == RIGHT:
        here.pose[a, DIR] = (way + 1) & 3
        return False
    x = here.pose[a, X] + step_x(way)
    y = here.pose[a, Y] + step_y(way)
    if x < 0 or y < 0 or x >= here.grid.shape[0] or y >= here.grid.shape[1]:
        return False
    if action == FORWARD:
        return go(here, a, x, y, rules)
    if action == PICKUP:
        return pick_up(here, a, x, y, rules)
    if action == DROP:
        drop(here, a, x, y)
    elif action == TOGGLE:
        return toggle(here, a, x, y, rules)
    return False


@inner
def go(here, a, x, y, rules):
    """Touch cell (x, y) and enter it if that is possible; return whether an event happened."""
    thing, colour = here.grid[x, y, OBJECT], here.grid[x, y, COLOUR]
    happened = False
    if rules.touch[thing, colour]:
        passable = rules.passable[thing, colour] != 0
        happened = touch(here, a, x, y, rules)
    else:
        passable = can_overlap(thing, here.grid[x, y, STATE])
    if passable:
        here.pose[a, X] = x
        here.pose[a, Y] = y
    return happened


@inner
def can_overlap(thing, state):
    """Tell whether MiniGrid lets an agent stand in a cell with this thing."""
    if thing == DOOR:
        return state == OPEN
    return thing in (EMPTY, FLOOR, GOAL, LAVA)


@inner
def touch(here, a, x, y, rules):
    """Apply the touch rule of the thing at (x, y); return whether an event happened."""
    thing, colour = here.grid[x, y, OBJECT], here.grid[x, y, COLOUR]
    need, gift = rules.needs[thing, colour], rules.gives[thing, colour]
    if need >= 0:
        if here.inventory[a, need] == 0:
            return False
        here.inventory[a, need] -= 1
    if gift >= 0:
        here.inventory[a, gift] += 1
    happened = emit(here, a, x, y, ON_TOUCH, rules)
    if rules.taken[thing, colour]:
        clear(here, x, y)
    elif rules.becomes[thing, colour, OBJECT] >= 0:
        clear(here, x, y)
        for channel in range(3):
            here.grid[x, y, channel] = rules.becomes[thing, colour, channel]
    elif thing == EMPTY:
        spend_flags(here, x, y, rules)
    return happened


@inner
def emit(here, a, x, y, trigger, rules):
    """Count the events of a trigger on the thing at (x, y), and end the episode if it does that.

    Returns whether there was any event.
    """
    thing, colour = here.grid[x, y, OBJECT], here.grid[x, y, COLOUR]
    flags = here.marks[x, y]
    happened = count(here, a, rules.events[trigger, thing, colour, 0])
    for f in range(NUM_FLAGS):
        if (flags >> f) & 1:
            happened |= count(here, a, rules.events[trigger, thing, colour, 1 + f])
    if rules.ends[trigger, thing, colour]:
        here.terminated = True
    return happened


@inner
def count(here, a, mask):
    """Count one more of every event in `mask` for agent `a`; return whether there was any."""
    left = np.int64(mask)
    e = 0
    while left:
        here.events[a, e] += left & 1
        left >>= 1
        e += 1
    return mask != 0


@inner
def spend_flags(here, x, y, rules):
    """Take from the empty cell (x, y) the flags that meant an event on entering it.

    Marks that mean no event (a watched cell, say) stay.
    """
    for f in range(NUM_FLAGS):
        if rules.events[ON_TOUCH, EMPTY, here.grid[x, y, COLOUR], 1 + f] != 0:
            here.marks[x, y] &= 255 ^ (1 << f)


@inner
def lay(here, x, y, thing, colour, state):
    """Write cell (x, y)."""
    here.grid[x, y, OBJECT] = thing
    here.grid[x, y, COLOUR] = colour
    here.grid[x, y, STATE] = state


@inner
def clear(here, x, y):
    """Empty cell (x, y); the flags go with the thing that they marked."""
    lay(here, x, y, EMPTY, 0, 0)
    here.inside[x, y] = 0
    here.marks[x, y] = 0


@inner
def pick_up(here, a, x, y, rules):
    """Pick up the thing at (x, y) if it and the hands allow; return whether an event happened."""
    thing, colour = here.grid[x, y, OBJECT], here.grid[x, y, COLOUR]
    if here.carrying[a, OBJECT] != 0 or thing not in (KEY, BALL, BOX):
        return False
    happened = emit(here, a, x, y, ON_PICKUP, rules)
    here.carrying[a, OBJECT] = thing
    here.carrying[a, COLOUR] = colour
    here.carrying[a, INSIDE] = here.inside[x, y]
    clear(here, x, y)
    return happened


@inner
def drop(here, a, x, y):
    """Put the carried thing, if any, into (x, y) if that is empty."""
    if here.carrying[a, OBJECT] == 0 or here.grid[x, y, OBJECT] != EMPTY:
        return
    lay(here, x, y, here.carrying[a, OBJECT], here.carrying[a, COLOUR], 0)
    here.inside[x, y] = here.carrying[a, INSIDE]
    for channel in range(3):
        here.carrying[a, channel] = 0


@inner
def toggle(here, a, x, y, rules):
    """Open or close the door, or unpack the box, at (x, y); return whether an event happened."""
    thing = here.grid[x, y, OBJECT]
    if thing == BOX:
        happened = emit(here, a, x, y, ON_OPEN, rules)
        packed = here.inside[x, y]
        clear(here, x, y)
        if packed != 0:
            lay(here, x, y, packed >> 3, packed & 7, 0)
        return happened
    if thing != DOOR:
        return False
    state = here.grid[x, y, STATE]
    if state == OPEN:
        here.grid[x, y, STATE] = CLOSED
        return False
    if state == LOCKED and not has_key(here, a, here.grid[x, y, COLOUR]):
        return False
    here.grid[x, y, STATE] = OPEN
    return emit(here, a, x, y, ON_OPEN, rules)


@inner
def has_key(here, a, colour):
    """Tell whether agent `a` carries the key to locked doors of a colour."""
    return here.carrying[a, OBJECT] == KEY and here.carrying[a, COLOUR] == colour
