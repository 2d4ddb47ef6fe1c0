"""`Chart`: what a level of a touch world is made of, for a planner.

Since a thing acts once, the state of a level is the agent's pose together with the *set* of things
that have been touched; the items held are a function of that set. A chart numbers the poses and
the sets that can come about, and says for each set what it does to walk into each thing.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mesabench.engine.cache import inner, kernel
from mesabench.engine.world import Rules
from mesabench.errors import PlannerError
from mesabench.planner.ground import AHEAD, ECHO, FRONT, link_cells, number_cells, pays_forever
from mesabench.planner.things import (
    CLEARS,
    ENDS,
    EVENTS,
    GIVES,
    NEEDS,
    PASSABLE,
    count,
    list_things,
)

MAX_OBJECTS = 12  # 2¹² sets; a level with more things is refused

# Entries of `Chart.outcome` that are not the number of a set.
OVER = -1  # the touch ends the episode
WALK = -2  # the cell can be walked through, to no effect
BUMP = -3  # the cell blocks the way, to no effect


class Chart(NamedTuple):
    """A level with O things, P poses and S sets of touched things that can come about.

    Set number 0 is the empty set, and a set comes before those that contain it.
    """

    cells: NDArray[np.int32]  # [W, H] number of the cell, −1 where nobody can ever stand
    poses: NDArray[np.int64]  # [P, 6] for the columns see `planner.ground`
    things: NDArray[np.int64]  # [O, 7] for the columns see `planner.things`
    sets: NDArray[np.int32]  # [S] the touched things as a bit mask, ascending
    number: NDArray[np.int32]  # [2^O] number of a bit mask, −1 where it cannot come about
    outcome: NDArray[np.int32]  # [S, O] the set after walking into the thing, or a code above
    spent: NDArray[np.bool_]  # [S] no base event can happen any more


def survey(
    grid: NDArray[np.uint8],
    marks: NDArray[np.uint8],
    rules: Rules,
    inventory: NDArray[np.int32],
    start: tuple[int, int] | None = None,
) -> Chart:
    """Chart one level.

    Args:
        grid: uint8 [W, H, 3], MiniGrid's object, colour and state codes.
        marks: uint8 [W, H], the marks for relational events.
        rules: the task's rule table. With ``base`` 0 no episode ends for want of base events,
            which is right for a map that is known only in part.
        inventory: int32 [K], the items held.
        start: cell (x, y) where the agent stands. Sets that cannot come about from there are left
            out, most of them in a maze, and states that cannot come about have no meaning.

    Raises:
        PlannerError: the level has more than `MAX_OBJECTS` things, or one that acts more than
            once, or nobody can stand at the start.
    """
    grid = np.ascontiguousarray(grid, np.uint8)
    marks = np.ascontiguousarray(marks, np.uint8)
    check(*count(rules, grid, marks), marks.shape[1])
    x, y = (-1, -1) if start is None else start
    chart = draw(grid, marks, rules, np.ascontiguousarray(inventory, np.int32), int(x), int(y))
    if start is not None and chart.cells[x, y] < 0:
        raise PlannerError(f"nobody can stand at {(int(x), int(y))}")
    return chart


def check(things: int, refused: int, height: int) -> None:
    """Raise `PlannerError` for a level that `count` says cannot be planned."""
    if refused >= 0:
        raise PlannerError(
            f"planner refuses the thing at {divmod(refused, height)}: a touch that has an effect "
            "must have it once (thing taken, episode ended, or thing turned into one without "
            "effect) and emit each event at most once"
        )
    if things > MAX_OBJECTS:
        raise PlannerError(f"planner refuses {things} touchable objects; at most {MAX_OBJECTS}")


@kernel
def draw(grid, marks, rules, inventory, x, y):
    """Return the chart of a level that `check` has passed, seen from (x, y) or, if −1, anywhere."""
    things = list_things(rules, grid, marks)
    cells, at = number_cells(rules, grid, marks, things)
    poses = link_cells(rules, grid, marks, cells, at)
    base = np.int64(rules["base"])  # `rules.base` would be NumPy's own attribute
    if pays_forever(rules, grid, marks, at):
        base = 0
    start = -1 if x < 0 else np.int64(cells[x, y])
    sets, number, outcome, spent = chain_sets(poses, things, base, inventory, start)
    return Chart(cells, poses, things, sets, number, outcome, spent)


@inner
def chain_sets(poses, things, base, inventory, start):
    """Return sets, number, outcome and spent, as described in `Chart`."""
    masks, total = 1 << len(things), 0
    cells = len(poses) // 4
    reach = np.zeros((masks, cells), np.bool_)  # where the agent can be with that set touched
    if start >= 0:
        reach[0, start] = True
    else:
        reach[0] = True
    items, stack = np.empty(len(inventory), np.int32), np.empty(cells, np.int32)
    sets, number = np.empty(masks, np.int32), np.full(masks, -1, np.int32)
    outcome = np.empty((masks, len(things)), np.int32)
    spent = np.empty(masks, np.bool_)
    for mask in range(masks):
        if mask > 0 and not reach[mask].any():
            continue
        sets[total], number[mask] = mask, total
        spent[total] = exhausted(things, mask, base, inventory, items)
        touch_all(things, mask, base, inventory, items, outcome[total])
        roam(poses, things, outcome[total], spent[total], reach, mask, stack)
        total += 1
    outcome = outcome[:total].copy()
    for s in range(total):
        for o in range(len(things)):
            if outcome[s, o] >= 0:
                outcome[s, o] = number[outcome[s, o]]
    return sets[:total].copy(), number, outcome, spent[:total].copy()


@inner
def hold(things, mask, inventory, items):
    """Write into `items` what the agent holds after touching the things in `mask`."""
    for item in range(len(items)):
        items[item] = inventory[item]
    for o in range(len(things)):
        if (mask >> o) & 1:
            if things[o, NEEDS] >= 0:
                items[things[o, NEEDS]] -= 1
            if things[o, GIVES] >= 0:
                items[things[o, GIVES]] += 1


@inner
def exhausted(things, mask, base, inventory, items):
    """Tell whether no untouched thing's base event can happen any more.

    It still can if the thing needs no item, or one that is held or that some untouched thing gives.
    """
    if base == 0:
        return False
    hold(things, mask, inventory, items)
    for o in range(len(things)):
        if not (mask >> o) & 1 and things[o, GIVES] >= 0:
            items[things[o, GIVES]] += 1
    for o in range(len(things)):
        pays = not (mask >> o) & 1 and things[o, EVENTS] & base != 0
        if pays and (things[o, NEEDS] < 0 or items[things[o, NEEDS]] > 0):
            return False
    return True


@inner
def touch_all(things, mask, base, inventory, items, outcome):
    """Write into `outcome` [O] what walking into each thing does: a bit mask, or a code."""
    for o in range(len(things)):
        after = mask | 1 << o
        hold(things, mask, inventory, items)
        if after == mask:
            outcome[o] = WALK if things[o, CLEARS] else BUMP
        elif things[o, NEEDS] >= 0 and items[things[o, NEEDS]] <= 0:
            outcome[o] = WALK if things[o, PASSABLE] else BUMP
        elif things[o, ENDS] or (
            things[o, EVENTS] != 0 and exhausted(things, after, base, inventory, items)
        ):
            outcome[o] = OVER
        else:
            outcome[o] = after


@inner
def roam(poses, things, outcome, spent, reach, mask, stack):
    """Spread ``reach[mask]`` over all cells that can be walked to, and on to further sets.

    Things that cannot be walked into are put down as blocking in `outcome`.
    """
    region, top, met = reach[mask], 0, 0
    for cell in range(len(region)):
        if region[cell]:
            stack[top] = cell
            top += 1
    while top > 0:
        top -= 1
        cell = stack[top]
        for pose in range(4 * cell, 4 * cell + 4):
            thing, ahead = poses[pose, FRONT], poses[pose, AHEAD] >> 2
            if thing >= 0:
                met |= 1 << thing
                if outcome[thing] >= 0:
                    reach[outcome[thing], ahead if things[thing, PASSABLE] else cell] = True
                if outcome[thing] != WALK:
                    continue
            elif spent and poses[pose, ECHO] != 0:
                continue  # the step ends the episode
            if not region[ahead]:
                region[ahead] = True
                stack[top] = ahead
                top += 1
    for o in range(len(outcome)):
        if not (met >> o) & 1 and outcome[o] >= 0:
            outcome[o] = BUMP
