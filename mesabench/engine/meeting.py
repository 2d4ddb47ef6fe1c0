"""Where agents meet: whose actions come to nothing because of the others.

All agents of a world act at once, from where they stand as the step begins, and no agent's number
counts for anything. An action that concerns the cell ahead (to go there, to pick up, to drop, to
toggle) has no effect

* where another agent stands in that cell, even if it leaves in this very step: so nobody follows
  on somebody's heels, and two who face each other cannot change places;
* where another agent's action concerns the same cell: of two who want to enter a cell, or to take
  the same thing, neither does.

What is left concerns a different cell for every agent, so the order in which it is carried out
makes no difference.
"""

from mesabench.engine.cache import inner
from mesabench.engine.codes import DROP, FORWARD, PICKUP, TOGGLE
from mesabench.engine.layout import step_x, step_y
from mesabench.engine.world import DIR, X, Y

NOWHERE = -1


@inner
def hindered(here, actions):
    """Return the agents of the world `here` (a record) whose actions have no effect, a bit each.

    Args:
        here: the world at the beginning of a step.
        actions: integers [A], MiniGrid's action codes.
    """
    agents, height = here.pose.shape[0], here.grid.shape[1]
    if agents == 1:
        return 0
    found = 0
    for a in range(agents):
        wanted = cell_ahead(here, a, actions[a])
        if wanted == NOWHERE:
            continue
        for other in range(agents):
            stands = here.pose[other, X] * height + here.pose[other, Y]
            rival = cell_ahead(here, other, actions[other])
            if other != a and wanted in (stands, rival):
                found |= 1 << a
    return found


@inner
def cell_ahead(here, a, action):
    """Return the cell, x * H + y, that an action concerns; `NOWHERE` if none in the world."""
    if action not in (FORWARD, PICKUP, DROP, TOGGLE):
        return NOWHERE
    x = here.pose[a, X] + step_x(here.pose[a, DIR])
    y = here.pose[a, Y] + step_y(here.pose[a, DIR])
    if x < 0 or y < 0 or x >= here.grid.shape[0] or y >= here.grid.shape[1]:
        return NOWHERE
    return x * here.grid.shape[1] + y
