"""What an action does: MiniGrid's seven actions, and on top of them a task's touch rules."""

import numpy as np

from mesabench.engine.cache import kernel
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
    NUM_OBJECTS,
    ON_OPEN,
    ON_PICKUP,
    ON_TOUCH,
    OPEN,
    PICKUP,
    RIGHT,
    TOGGLE,
)
from mesabench.engine.layout import put, step_x, step_y
from mesabench.engine.world import COLOUR, DIR, INSIDE, OBJECT, STATE, X, Y


@kernel
def step(world, b, actions, rules):
    """Play one step of world `b`: the actions of its agents in turn, then the clock.

    Args:
        world: The batch of worlds.
        b: Which world.
        actions: Integers [A], MiniGrid's action codes.
        rules: The task's rule table.
    """
    for a in range(world.events.shape[1]):
        for e in range(world.events.shape[2]):
            world.events[b, a, e] = 0
    world.terminated[b] = False
    happened = False
    for a in range(world.pose.shape[1]):
        happened |= move(world, b, a, actions[a], rules)
    world.clock[b] += 1
    world.truncated[b] = world.clock[b] >= world.horizon[b]
    # Only an event can use up the last way to a base event, so only then is it worth a look.
    if happened and rules.base != 0 and not world.terminated[b]:
        world.terminated[b] = not base_is_possible(world, b, rules)


@kernel
def move(world, b, a, action, rules):
    """Let agent `a` of world `b` do `action`; return whether an event happened.

    The four actions that concern the cell ahead do nothing where that cell lies outside the
    world or another agent stands in it.
    """
    way = int(world.pose[b, a, DIR])
    if action == LEFT:
        world.pose[b, a, DIR] = (way + 3) & 3
        return False
    if action == RIGHT:
        world.pose[b, a, DIR] = (way + 1) & 3
        return False
    x = world.pose[b, a, X] + step_x(way)
    y = world.pose[b, a, Y] + step_y(way)
    if x < 0 or y < 0 or x >= world.grid.shape[1] or y >= world.grid.shape[2]:
        return False
    if is_occupied(world, b, a, x, y):
        return False
    if action == FORWARD:
        return go(world, b, a, x, y, rules)
    if action == PICKUP:
        return pick_up(world, b, a, x, y, rules)
    if action == DROP:
        drop(world, b, a, x, y)
    elif action == TOGGLE:
        return toggle(world, b, a, x, y, rules)
    return False


@kernel
def is_occupied(world, b, a, x, y):
    """Tell whether an agent other than `a` stands in cell (x, y)."""
    for other in range(world.pose.shape[1]):
        if other != a and world.pose[b, other, X] == x and world.pose[b, other, Y] == y:
            return True
    return False


@kernel
def go(world, b, a, x, y, rules):
    """Touch cell (x, y) and enter it if that is possible; return whether an event happened."""
    thing, colour = world.grid[b, x, y, OBJECT], world.grid[b, x, y, COLOUR]
    happened = False
    if rules.touch[thing, colour]:
        passable = rules.passable[thing, colour]
        happened = touch(world, b, a, x, y, rules)
    else:
        passable = can_overlap(thing, world.grid[b, x, y, STATE])
    if passable:
        world.pose[b, a, X] = x
        world.pose[b, a, Y] = y
    return happened


@kernel
def can_overlap(thing, state):
    """Tell whether MiniGrid lets an agent stand in a cell with this thing."""
    if thing == DOOR:
        return state == OPEN
    return thing in (EMPTY, FLOOR, GOAL, LAVA)


@kernel
def touch(world, b, a, x, y, rules):
    """Apply the touch rule of the thing at (x, y); return whether an event happened."""
    thing, colour = world.grid[b, x, y, OBJECT], world.grid[b, x, y, COLOUR]
    need, gift = rules.needs[thing, colour], rules.gives[thing, colour]
    if need >= 0:
        if world.inventory[b, a, need] == 0:
            return False
        world.inventory[b, a, need] -= 1
    if gift >= 0:
        world.inventory[b, a, gift] += 1
    happened = emit(world, b, a, x, y, ON_TOUCH, rules)
    if rules.taken[thing, colour]:
        clear(world, b, x, y)
    elif rules.becomes[thing, colour, OBJECT] >= 0:
        clear(world, b, x, y)
        for channel in range(3):
            world.grid[b, x, y, channel] = rules.becomes[thing, colour, channel]
    elif thing == EMPTY:
        spend_flags(world, b, x, y, rules)
    return happened


@kernel
def emit(world, b, a, x, y, trigger, rules):
    """Count the events of a trigger on the thing at (x, y), and end the episode if it does that.

    Returns whether there was any event.
    """
    thing, colour = world.grid[b, x, y, OBJECT], world.grid[b, x, y, COLOUR]
    flags = world.marks[b, x, y]
    happened = count(world, b, a, rules.events[trigger, thing, colour, 0])
    for f in range(NUM_FLAGS):
        if (flags >> f) & 1:
            happened |= count(world, b, a, rules.events[trigger, thing, colour, 1 + f])
    if rules.ends[trigger, thing, colour]:
        world.terminated[b] = True
    return happened


@kernel
def count(world, b, a, mask):
    """Count one more of every event in `mask` for agent `a`; return whether there was any."""
    left = np.int64(mask)
    e = 0
    while left:
        world.events[b, a, e] += left & 1
        left >>= 1
        e += 1
    return mask != 0


@kernel
def spend_flags(world, b, x, y, rules):
    """Take from the empty cell (x, y) the flags that meant an event on entering it.

    Marks that mean no event (a watched cell, say) stay.
    """
    for f in range(NUM_FLAGS):
        if rules.events[ON_TOUCH, EMPTY, world.grid[b, x, y, COLOUR], 1 + f] != 0:
            world.marks[b, x, y] &= 255 ^ (1 << f)


@kernel
def clear(world, b, x, y):
    """Empty cell (x, y); the flags go with the thing that they marked."""
    put(world, b, x, y, EMPTY, 0, 0)
    world.inside[b, x, y] = 0
    world.marks[b, x, y] = 0


@kernel
def pick_up(world, b, a, x, y, rules):
    """Pick up the thing at (x, y) if it and the hands allow; return whether an event happened."""
    thing, colour = world.grid[b, x, y, OBJECT], world.grid[b, x, y, COLOUR]
    if world.carrying[b, a, OBJECT] != 0 or thing not in (KEY, BALL, BOX):
        return False
    happened = emit(world, b, a, x, y, ON_PICKUP, rules)
    world.carrying[b, a, OBJECT] = thing
    world.carrying[b, a, COLOUR] = colour
    world.carrying[b, a, INSIDE] = world.inside[b, x, y]
    clear(world, b, x, y)
    return happened


@kernel
def drop(world, b, a, x, y):
    """Put the carried thing, if any, into (x, y) if that is empty."""
    if world.carrying[b, a, OBJECT] == 0 or world.grid[b, x, y, OBJECT] != EMPTY:
        return
    put(world, b, x, y, world.carrying[b, a, OBJECT], world.carrying[b, a, COLOUR], 0)
    world.inside[b, x, y] = world.carrying[b, a, INSIDE]
    for channel in range(3):
        world.carrying[b, a, channel] = 0


@kernel
def toggle(world, b, a, x, y, rules):
    """Open or close the door, or unpack the box, at (x, y); return whether an event happened."""
    thing = world.grid[b, x, y, OBJECT]
    if thing == BOX:
        happened = emit(world, b, a, x, y, ON_OPEN, rules)
        packed = world.inside[b, x, y]
        clear(world, b, x, y)
        if packed != 0:
            put(world, b, x, y, packed >> 3, packed & 7, 0)
        return happened
    if thing != DOOR:
        return False
    state = world.grid[b, x, y, STATE]
    if state == OPEN:
        world.grid[b, x, y, STATE] = CLOSED
        return False
    if state == LOCKED and not has_key(world, b, a, world.grid[b, x, y, COLOUR]):
        return False
    world.grid[b, x, y, STATE] = OPEN
    return emit(world, b, a, x, y, ON_OPEN, rules)


@kernel
def has_key(world, b, a, colour):
    """Tell whether agent `a` carries the key to locked doors of a colour."""
    return world.carrying[b, a, OBJECT] == KEY and world.carrying[b, a, COLOUR] == colour


@kernel
def base_is_possible(world, b, rules):
    """Tell whether a base event can still happen in world `b`, by a thing that is there.

    Things in boxes and in hands count. Whether the agent can walk there is not asked, so this
    errs only on the side of going on.
    """
    # Sets of items, a bit each; bit 0 stands for "no item", bit 1 + k for item k.
    had, wanted = 1, 0
    for a in range(world.inventory.shape[1]):
        for k in range(world.inventory.shape[2]):
            had |= np.int64(world.inventory[b, a, k] > 0) << (1 + k)
    for x in range(world.grid.shape[1]):
        for y in range(world.grid.shape[2]):
            here = world.grid[b, x, y]
            gifts, needs = prospects(here[OBJECT], here[COLOUR], world.marks[b, x, y], rules)
            had, wanted = had | gifts, wanted | needs
            gifts, needs = packed_prospects(world.inside[b, x, y], rules)
            had, wanted = had | gifts, wanted | needs
    for a in range(world.carrying.shape[1]):
        hand = world.carrying[b, a]
        gifts, needs = prospects(hand[OBJECT], hand[COLOUR], 0, rules)
        had, wanted = had | gifts, wanted | needs
        gifts, needs = packed_prospects(hand[INSIDE], rules)
        had, wanted = had | gifts, wanted | needs
    return had & wanted != 0


@kernel
def packed_prospects(packed, rules):
    """Return the prospects of what a box holds."""
    return prospects(packed >> 3, packed & 7, 0, rules)


@kernel
def prospects(thing, colour, flags, rules):
    """Return the items that a thing can give, and those of which one makes it pay.

    What it becomes when it is touched counts too.
    """
    gifts, needs = 0, 0
    thing, colour, flags = np.int64(thing), np.int64(colour), np.int64(flags)
    for _ in range(NUM_OBJECTS):  # bounds a chain of things that become each other
        for trigger in (ON_PICKUP, ON_OPEN):
            needs |= np.int64(pays(trigger, thing, colour, flags, rules))
        if not rules.touch[thing, colour]:
            break
        if pays(ON_TOUCH, thing, colour, flags, rules):
            needs |= 1 << (1 + np.int64(rules.needs[thing, colour]))
        gifts |= (1 << (1 + np.int64(rules.gives[thing, colour]))) & ~1
        if rules.taken[thing, colour] or rules.becomes[thing, colour, OBJECT] < 0:
            break
        after = rules.becomes[thing, colour]
        thing, colour, flags = np.int64(after[OBJECT]), np.int64(after[COLOUR]), 0
    return gifts, needs


@kernel
def pays(trigger, thing, colour, flags, rules):
    """Tell whether a trigger on a thing with these flags emits a base event."""
    mask = rules.events[trigger, thing, colour, 0]
    for f in range(NUM_FLAGS):
        if (flags >> f) & 1:
            mask |= rules.events[trigger, thing, colour, 1 + f]
    return mask & rules.base != 0
