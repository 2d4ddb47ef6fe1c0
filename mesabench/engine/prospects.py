"""Whether a base event can still happen in a world; if none can, the episode is over."""

import numpy as np

from mesabench.engine.cache import inner
from mesabench.engine.codes import NUM_FLAGS, NUM_OBJECTS, ON_OPEN, ON_PICKUP, ON_TOUCH
from mesabench.engine.world import COLOUR, INSIDE, OBJECT


@inner
def base_is_possible(here, rules):
    """Tell whether a base event can still happen, by a thing that is there.

    Things in boxes and in hands count. Whether the agent can walk there is not asked, so this
    errs only on the side of going on.
    """
    # Sets of items, a bit each; bit 0 stands for "no item", bit 1 + k for item k.
    had, wanted = 1, 0
    for a in range(here.inventory.shape[0]):
        for k in range(here.inventory.shape[1]):
            had |= np.int64(here.inventory[a, k] > 0) << (1 + k)
    for x in range(here.grid.shape[0]):
        for y in range(here.grid.shape[1]):
            thing, colour = np.int64(here.grid[x, y, OBJECT]), np.int64(here.grid[x, y, COLOUR])
            gifts, needs = prospects(thing, colour, np.int64(here.marks[x, y]), rules)
            had, wanted = had | gifts, wanted | needs
            gifts, needs = packed_prospects(here.inside[x, y], rules)
            had, wanted = had | gifts, wanted | needs
    for a in range(here.carrying.shape[0]):
        thing, colour = np.int64(here.carrying[a, OBJECT]), np.int64(here.carrying[a, COLOUR])
        gifts, needs = prospects(thing, colour, 0, rules)
        had, wanted = had | gifts, wanted | needs
        gifts, needs = packed_prospects(here.carrying[a, INSIDE], rules)
        had, wanted = had | gifts, wanted | needs
    return had & wanted != 0


@inner
def packed_prospects(packed, rules):
    """Return the prospects of what a box holds."""
    held = np.int64(packed)
    return prospects(held >> 3, held & 7, 0, rules)


@inner
def prospects(thing, colour, flags, rules):
    """Return the items that a thing can give, and those of which one makes it pay.

    What it becomes when it is touched counts too.
    """
    gifts, needs = 0, 0
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


@inner
def pays(trigger, thing, colour, flags, rules):
    """Tell whether a trigger on a thing with these flags emits a base event."""
    mask = rules.events[trigger, thing, colour, 0]
    for f in range(NUM_FLAGS):
        if (flags >> f) & 1:
            mask |= rules.events[trigger, thing, colour, 1 + f]
    return mask & rules["base"] != 0
