"""What a cell of a touch world is to a planner: wall, free ground, or a thing that acts once."""

import numpy as np

from mesabench.engine.cache import kernel
from mesabench.engine.codes import EMPTY, NUM_FLAGS, ON_TOUCH
from mesabench.engine.move import can_overlap
from mesabench.engine.world import COLOUR, OBJECT, STATE

BLOCKED, FREE, THING, REFUSED = range(4)


@kernel
def emitted(rules, thing, colour, flags):
    """Return the mask of the events that a touch emits in a cell with these flags."""
    mask = np.int64(rules.events[ON_TOUCH, thing, colour, 0])
    for flag in range(NUM_FLAGS):
        if (flags >> flag) & 1:
            mask |= np.int64(rules.events[ON_TOUCH, thing, colour, 1 + flag])
    return mask


@kernel
def emits_twice(rules, thing, colour, flags):
    """Tell whether one touch emits the same event more than once, which a mask cannot say."""
    mask = np.int64(rules.events[ON_TOUCH, thing, colour, 0])
    for flag in range(NUM_FLAGS):
        if (flags >> flag) & 1:
            more = np.int64(rules.events[ON_TOUCH, thing, colour, 1 + flag])
            if mask & more:
                return True
            mask |= more
    return False


@kernel
def acts(rules, thing, colour):
    """Tell whether touching an unflagged thing has any effect."""
    return rules.touch[thing, colour] and (
        rules.events[ON_TOUCH, thing, colour, 0] != 0
        or rules.ends[ON_TOUCH, thing, colour]
        or rules.needs[thing, colour] >= 0
        or rules.gives[thing, colour] >= 0
        or rules.becomes[thing, colour, OBJECT] >= 0
        or (rules.taken[thing, colour] and thing != EMPTY)
    )


@kernel
def ground(rules, thing, colour, state):
    """Return `FREE` or `BLOCKED` for a thing whose touch has no effect."""
    if rules.touch[thing, colour]:
        return FREE if rules.passable[thing, colour] else BLOCKED
    return FREE if can_overlap(thing, state) else BLOCKED


@kernel
def remainder(rules, thing, colour):
    """Return `FREE` or `BLOCKED` for what a touch leaves behind, `REFUSED` if that acts again."""
    new, tint, state = EMPTY, 0, 0
    if thing == EMPTY:
        tint = colour
    elif not rules.taken[thing, colour]:
        new = rules.becomes[thing, colour, OBJECT]
        tint = rules.becomes[thing, colour, COLOUR]
        state = rules.becomes[thing, colour, STATE]
    return REFUSED if acts(rules, new, tint) else ground(rules, new, tint, state)


@kernel
def classify(rules, thing, colour, state, flags):
    """Return what a cell is to the planner."""
    if not rules.touch[thing, colour]:
        return ground(rules, thing, colour, state)
    if emits_twice(rules, thing, colour, flags):
        return REFUSED
    if rules.ends[ON_TOUCH, thing, colour]:
        return THING
    becomes = rules.becomes[thing, colour, OBJECT] >= 0
    trades = rules.needs[thing, colour] >= 0 or rules.gives[thing, colour] >= 0
    if thing == EMPTY:
        if becomes or trades:
            return REFUSED
        once = emitted(rules, thing, colour, flags) != emitted(rules, thing, colour, 0)
    else:
        once = becomes or rules.taken[thing, colour]
    if not once:
        return REFUSED if trades else ground(rules, thing, colour, state)
    after = remainder(rules, thing, colour)
    if after == REFUSED:
        return REFUSED
    silent = emitted(rules, thing, colour, flags) == 0 and not trades
    if silent and after == FREE and rules.passable[thing, colour]:
        return FREE
    return THING


@kernel
def count(rules, grid, flags):
    """Return how many things a level has and the first cell x * H + y that is refused, or −1."""
    things, refused = 0, -1
    width, height = flags.shape
    for x in range(width):
        for y in range(height):
            cell = grid[x, y]
            kind = classify(rules, cell[OBJECT], cell[COLOUR], cell[STATE], flags[x, y])
            things += kind == THING
            if kind == REFUSED and refused < 0:
                refused = x * height + y
    return things, refused
