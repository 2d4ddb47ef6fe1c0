"""`Chart`: what a level of a touch world is made of, for a planner.

A *thing* is a cell whose touch changes the level: it emits events, gives or uses up an item, opens
the way or ends the episode. Everything else is a wall or free ground. Since a thing acts once, the
state of a level is the agent's pose together with the *set* of things that have been touched, and
the items held are a function of that set. A chart numbers the poses and the sets that can come
about, and says for each set what it does to walk into each thing.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mesabench.engine.cache import kernel
from mesabench.engine.codes import ON_TOUCH
from mesabench.engine.layout import step_x, step_y
from mesabench.engine.world import COLOUR, OBJECT, Rules
from mesabench.errors import PlannerError
from mesabench.planner.things import FREE, THING, classify, count, emitted, ground, remainder

MAX_OBJECTS = 12  # 2¹² sets; a level with more things is refused

# Entries of `Chart.outcome` that are not the number of a set.
ENDS = -1  # the touch ends the episode
WALK = -2  # the cell can be walked through, to no effect
BUMP = -3  # the cell blocks the way, to no effect


class Chart(NamedTuple):
    """A level with O things, P poses (four per cell one can stand on) and S sets of touched things.

    Pose ``4 * c + d`` stands on cell number c and looks in direction d; set number 0 is the empty
    set, and a set comes before those that contain it.
    """

    cells: NDArray[np.int32]  # [W, H] number of the cell, −1 where nobody can ever stand
    ahead: NDArray[np.int32]  # [P] pose after a step forward; the same pose where there is no way
    behind: NDArray[np.int32]  # [P] pose from which a step forward leads here, −1 for none
    front: NDArray[np.int32]  # [P] the thing in the cell ahead, −1 for none
    facing: NDArray[np.int32]  # [P] the cell ahead as x * H + y, −1 beyond the grid's edge
    echo: NDArray[np.uint32]  # [P] events that every step forward emits: the cell ahead stays
    cell: NDArray[np.int32]  # [O] the thing's cell as x * H + y
    events: NDArray[np.uint32]  # [O] mask of the events that the touch emits
    needs: NDArray[np.int32]  # [O] item that the touch uses up, −1 for none
    gives: NDArray[np.int32]  # [O] item that the touch yields, −1 for none
    passable: NDArray[np.bool_]  # [O] the agent moves into the cell that it touches
    clears: NDArray[np.bool_]  # [O] the cell can be walked through afterwards
    ends: NDArray[np.bool_]  # [O] the touch ends the episode
    sets: NDArray[np.int32]  # [S] the touched things as a bit mask, ascending
    number: NDArray[np.int32]  # [2^O] number of a bit mask, −1 where it cannot come about
    outcome: NDArray[np.int32]  # [S, O] the set after walking into the thing, or a code above
    spent: NDArray[np.bool_]  # [S] no base event can happen any more


@kernel
def describe_things(rules, grid, flags, things):
    """Return cell, events, needs, gives, passable, clears, ends: the rows [O] of a chart."""
    cell = np.empty(things, np.int32)
    events = np.empty(things, np.uint32)
    needs, gives = np.empty(things, np.int32), np.empty(things, np.int32)
    passable, clears = np.empty(things, np.bool_), np.empty(things, np.bool_)
    ends = np.empty(things, np.bool_)
    o = 0
    width, height = flags.shape
    for x in range(width):
        for y in range(height):
            thing, colour, state = grid[x, y]
            if classify(rules, thing, colour, state, flags[x, y]) != THING:
                continue
            cell[o] = x * height + y
            events[o] = emitted(rules, thing, colour, flags[x, y])
            needs[o], gives[o] = rules.needs[thing, colour], rules.gives[thing, colour]
            passable[o] = rules.passable[thing, colour]
            ends[o] = rules.ends[ON_TOUCH, thing, colour]
            clears[o] = not ends[o] and remainder(rules, thing, colour) == FREE
            o += 1
    return cell, events, needs, gives, passable, clears, ends


@kernel
def number_cells(rules, grid, flags, cell, passable, clears):
    """Return the [W, H] numbers of cells one can ever stand on, and of the things (−1: none)."""
    width, height = flags.shape
    cells, things = np.full((width, height), -1, np.int32), np.full((width, height), -1, np.int32)
    for o in range(len(cell)):
        things[cell[o] // height, cell[o] % height] = o
    stands = 0
    for x in range(width):
        for y in range(height):
            o = things[x, y]
            if o >= 0:
                enterable = passable[o] or clears[o]
            else:
                thing, colour, state = grid[x, y]
                enterable = ground(rules, thing, colour, state) == FREE
            if enterable:
                cells[x, y] = stands
                stands += 1
    return cells, things


@kernel
def link_poses(rules, grid, flags, cells, things):
    """Return ahead, behind, front, facing and echo: the rows [P] of a chart."""
    width, height = flags.shape
    poses = 4 * (cells.max() + 1)
    ahead, behind = np.arange(poses).astype(np.int32), np.full(poses, -1, np.int32)
    front, facing = np.full(poses, -1, np.int32), np.full(poses, -1, np.int32)
    echo = np.zeros(poses, np.uint32)
    for x in range(width):
        for y in range(height):
            if cells[x, y] < 0:
                continue
            for way in range(4):
                pose = 4 * cells[x, y] + way
                nx, ny = x + step_x(way), y + step_y(way)
                if nx < 0 or ny < 0 or nx >= width or ny >= height:
                    continue
                facing[pose] = nx * height + ny
                front[pose] = things[nx, ny]
                if cells[nx, ny] >= 0:
                    ahead[pose] = 4 * cells[nx, ny] + way
                    behind[ahead[pose]] = pose
                thing, colour = grid[nx, ny, OBJECT], grid[nx, ny, COLOUR]
                if things[nx, ny] < 0 and rules.touch[thing, colour]:
                    echo[pose] = emitted(rules, thing, colour, flags[nx, ny])
    return ahead, behind, front, facing, echo


@kernel
def pays_forever(rules, grid, flags, things):
    """Tell whether some cell that never changes emits a base event at every touch."""
    width, height = flags.shape
    for x in range(width):
        for y in range(height):
            thing, colour = grid[x, y, OBJECT], grid[x, y, COLOUR]
            if things[x, y] >= 0 or not rules.touch[thing, colour]:
                continue
            if emitted(rules, thing, colour, flags[x, y]) & np.int64(rules.base):
                return True
    return False


@kernel
def holds(mask, inventory, needs, gives, items):
    """Write into `items` what the agent holds after touching the things in `mask`."""
    items[:] = inventory
    for o in range(len(needs)):
        if (mask >> o) & 1:
            if needs[o] >= 0:
                items[needs[o]] -= 1
            if gives[o] >= 0:
                items[gives[o]] += 1


@kernel
def exhausted(mask, items, base, events, needs, gives):
    """Tell whether no untouched thing's base event can happen any more.

    It still can if the thing needs no item, or one that is held or that some untouched thing gives.
    """
    if base == 0:
        return False
    supply = 0
    for o in range(len(events)):
        if not (mask >> o) & 1 and gives[o] >= 0:
            supply |= 1 << gives[o]
    for o in range(len(events)):
        pays = not (mask >> o) & 1 and np.int64(events[o]) & base != 0
        if pays and (needs[o] < 0 or items[needs[o]] > 0 or (supply >> needs[o]) & 1):
            return False
    return True


@kernel
def chain_sets(base, inventory, events, needs, gives, passable, clears, ends):
    """Return sets, number, outcome and spent: what a chart says of the sets of touched things."""
    things = len(events)
    masks = 1 << things
    items = np.empty(len(inventory), np.int32)
    number, spent = np.full(masks, -1, np.int32), np.zeros(masks, np.bool_)
    for mask in range(masks):
        holds(mask, inventory, needs, gives, items)
        spent[mask] = exhausted(mask, items, base, events, needs, gives)
    outcome = np.empty((masks, things), np.int32)
    number[0] = 0  # from here on ≥ 0 marks a set that can come about
    total = 0
    for mask in range(masks):
        if number[mask] < 0:
            continue
        number[mask] = total
        holds(mask, inventory, needs, gives, items)
        for o in range(things):
            after = mask | 1 << o
            if after == mask:
                outcome[total, o] = WALK if clears[o] else BUMP
            elif needs[o] >= 0 and items[needs[o]] <= 0:
                outcome[total, o] = WALK if passable[o] else BUMP
            elif ends[o] or (events[o] != 0 and spent[after]):
                outcome[total, o] = ENDS
            else:
                outcome[total, o] = after
                number[after] = 0
        total += 1
    sets = np.empty(total, np.int32)
    for mask in range(masks):
        if number[mask] >= 0:
            sets[number[mask]] = mask
    outcome = outcome[:total].copy()
    for s in range(total):
        for o in range(things):
            if outcome[s, o] >= 0:
                outcome[s, o] = number[outcome[s, o]]
    return sets, number, outcome, spent[sets]


@kernel
def draw(grid, flags, rules, inventory):
    """Return the chart of a level whose things have been counted and found in order."""
    things = count(rules, grid, flags)[0]
    thing_rows = describe_things(rules, grid, flags, things)
    cell, events, needs, gives, passable, clears, ends = thing_rows
    cells, at = number_cells(rules, grid, flags, cell, passable, clears)
    ahead, behind, front, facing, echo = link_poses(rules, grid, flags, cells, at)
    base = 0 if pays_forever(rules, grid, flags, at) else np.int64(rules.base)
    sets, number, outcome, spent = chain_sets(
        base, inventory, events, needs, gives, passable, clears, ends
    )
    return Chart(
        cells, ahead, behind, front, facing, echo,
        cell, events, needs, gives, passable, clears, ends,
        sets, number, outcome, spent,
    )  # fmt: skip


def survey(
    grid: NDArray[np.uint8], flags: NDArray[np.uint8], rules: Rules, inventory: NDArray[np.int32]
) -> Chart:
    """Chart one level.

    Args:
        grid: uint8 [W, H, 3], MiniGrid's object, colour and state codes.
        flags: uint8 [W, H], the marks for relational events.
        rules: the task's rule table. With ``base=0`` no episode ends for want of base events,
            which is right for a map that is known only in part.
        inventory: int32 [K], the items held.

    Raises:
        PlannerError: the level has more than `MAX_OBJECTS` things, or one that trades items or
            changes into something that acts, again and again.
    """
    grid = np.ascontiguousarray(grid, np.uint8)
    flags = np.ascontiguousarray(flags, np.uint8)
    check(*count(rules, grid, flags), flags.shape[1])
    return draw(grid, flags, rules, np.ascontiguousarray(inventory, np.int32))


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
