"""What a cell of a touch world is to a planner: wall, free ground, pit, or a thing that acts once.

A *thing* is a cell whose touch changes the level: it emits events, gives or uses up an item, opens
or closes the way, or ends the episode. A *pit* ends the episode and does nothing else, so that no
set of touched things need ever contain it. Everything else is a wall or free ground.
"""

import numpy as np

from mesabench.engine.cache import inner, kernel
from mesabench.engine.codes import EMPTY, NUM_FLAGS, ON_TOUCH
from mesabench.engine.move import can_overlap
from mesabench.engine.world import COLOUR, OBJECT, STATE

BLOCKED, FREE, THING, REFUSED, PIT = range(5)


# Columns of a table of things, int64 [O, 7].
CELL = 0  # x * H + y
EVENTS = 1  # mask of the events that the touch emits
NEEDS = 2  # item that the touch uses up, −1 for none
GIVES = 3  # item that the touch yields, −1 for none
PASSABLE = 4  # 1: the agent moves into the cell that it touches
CLEARS = 5  # 1: the cell can be walked through afterwards
ENDS = 6  # 1: the touch ends the episode


@kernel
def emitted(rules, thing, colour, marks):
    """Return the mask of the events that a touch emits in a cell with these marks."""
    mask = np.int64(rules.events[ON_TOUCH, thing, colour, 0])
    for flag in range(NUM_FLAGS):
        if (marks >> flag) & 1:
            mask |= np.int64(rules.events[ON_TOUCH, thing, colour, 1 + flag])
    return mask


@inner
def emits_twice(rules, thing, colour, marks):
    """Tell whether one touch emits the same event more than once, which a mask cannot say."""
    mask = np.int64(rules.events[ON_TOUCH, thing, colour, 0])
    for flag in range(NUM_FLAGS):
        if (marks >> flag) & 1:
            more = np.int64(rules.events[ON_TOUCH, thing, colour, 1 + flag])
            if mask & more:
                return True
            mask |= more
    return False


@inner
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


@inner
def lie(rules, thing, colour, state):
    """Return `FREE` or `BLOCKED` for a thing whose touch has no effect."""
    if rules.touch[thing, colour]:
        return FREE if rules.passable[thing, colour] else BLOCKED
    return FREE if can_overlap(thing, state) else BLOCKED


@inner
def remainder(rules, thing, colour):
    """Return `FREE` or `BLOCKED` for what a touch leaves behind, `REFUSED` if that acts again."""
    new, tint, state = EMPTY, 0, 0
    if thing == EMPTY:
        tint = colour
    elif not rules.taken[thing, colour]:
        new = rules.becomes[thing, colour, OBJECT]
        tint = rules.becomes[thing, colour, COLOUR]
        state = rules.becomes[thing, colour, STATE]
    return REFUSED if acts(rules, new, tint) else lie(rules, new, tint, state)


@inner
def classify(rules, thing, colour, state, marks):
    """Return what a cell is to the planner."""
    if not rules.touch[thing, colour]:
        return lie(rules, thing, colour, state)
    if emits_twice(rules, thing, colour, marks):
        return REFUSED
    if rules.ends[ON_TOUCH, thing, colour] and rules.needs[thing, colour] < 0:
        return THING if emitted(rules, thing, colour, marks) else PIT
    if rules.ends[ON_TOUCH, thing, colour]:
        return THING
    becomes = rules.becomes[thing, colour, OBJECT] >= 0
    trades = rules.needs[thing, colour] >= 0 or rules.gives[thing, colour] >= 0
    if thing == EMPTY:
        if becomes or trades:
            return REFUSED
        once = emitted(rules, thing, colour, marks) != emitted(rules, thing, colour, 0)
    else:
        once = becomes or rules.taken[thing, colour]
    if not once:
        return REFUSED if trades else lie(rules, thing, colour, state)
    after = remainder(rules, thing, colour)
    if after == REFUSED:
        return REFUSED
    silent = emitted(rules, thing, colour, marks) == 0 and not trades
    if silent and after == FREE and rules.passable[thing, colour]:
        return FREE
    return THING


@kernel
def count(rules, grid, marks):
    """Return how many things a level has and the first cell x * H + y that is refused, or −1."""
    things, refused = 0, -1
    width, height = marks.shape
    for x in range(width):
        for y in range(height):
            cell = grid[x, y]
            kind = classify(rules, cell[OBJECT], cell[COLOUR], cell[STATE], marks[x, y])
            things += kind == THING
            if kind == REFUSED and refused < 0:
                refused = x * height + y
    return things, refused


@inner
def list_things(rules, grid, marks):
    """Return the table of things of a level, int64 [O, 7]."""
    things = np.empty((count(rules, grid, marks)[0], 7), np.int64)
    o = 0
    width, height = marks.shape
    for x in range(width):
        for y in range(height):
            thing, colour, state = grid[x, y]
            if classify(rules, thing, colour, state, marks[x, y]) != THING:
                continue
            ends = rules.ends[ON_TOUCH, thing, colour]
            things[o, CELL] = x * height + y
            things[o, EVENTS] = emitted(rules, thing, colour, marks[x, y])
            things[o, NEEDS] = rules.needs[thing, colour]
            things[o, GIVES] = rules.gives[thing, colour]
            things[o, PASSABLE] = rules.passable[thing, colour]
            things[o, ENDS] = ends
            # What is left when the episode is over is of no account.
            things[o, CLEARS] = not ends and remainder(rules, thing, colour) == FREE
            o += 1
    return things
