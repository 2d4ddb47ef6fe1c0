"""A rule-book of touch worlds, written for clarity and on Python's own types; the planner's too."""

from typing import NamedTuple

import numpy as np

from mesabench.engine import codes
from mesabench.engine.world import plain_rules
from mesabench.planner import (
    locate,
)
from mesabench.planner.things import CELL

EVENTS = 4  # the last one has no weight, so that things which stay may emit it
ITEMS = 2
LOOKS = (
    (codes.KEY, codes.YELLOW),
    (codes.BOX, codes.GREEN),
    (codes.BALL, codes.BLUE),
    (codes.DOOR, codes.RED),
)
GROUND = {
    ".": (codes.EMPTY, codes.RED, 0),
    "#": (codes.WALL, codes.GREY, 0),
    "B": (codes.BALL, codes.PURPLE, 0),  # blocks the way
    "o": (codes.DOOR, codes.GREY, codes.OPEN),  # does not
}
AHEAD = ((1, 0), (0, 1), (-1, 0), (0, -1))


class Kind(NamedTuple):
    """What the touch of a thing does."""

    fate: str  # taken, ends, wall or door (what it becomes), stays
    passable: bool = True
    needs: int | None = None
    gives: int | None = None
    events: frozenset[int] = frozenset()
    marked: frozenset[int] = frozenset()  # further events where the cell bears flag 0


class Level(NamedTuple):
    ground: tuple[str, ...]  # ground[x][y]
    kinds: tuple[Kind, ...]
    things: dict  # (x, y) -> index of its kind
    flags: frozenset  # cells that bear flag 0
    entering: frozenset[int]  # events of entering an empty cell that bears flag 0
    items: tuple[int, ...]
    base: frozenset[int]
    start: tuple[int, int, int]


class State(NamedTuple):
    pose: tuple[int, int, int]
    things: frozenset  # of ((x, y), kind, or "wall" or "door" for what it has become)
    flags: frozenset
    items: tuple[int, ...]


def play(level, state, action):
    """Return the state after an action, the events, and whether the episode ended."""
    x, y, way = state.pose
    if action == codes.LEFT:
        return state._replace(pose=(x, y, (way - 1) % 4)), frozenset(), False
    if action == codes.RIGHT:
        return state._replace(pose=(x, y, (way + 1) % 4)), frozenset(), False
    cell = (x + AHEAD[way][0], y + AHEAD[way][1])
    moved = state._replace(pose=(*cell, way))
    things = dict(state.things)
    if not (0 <= cell[0] < len(level.ground) and 0 <= cell[1] < len(level.ground[0])):
        return state, frozenset(), False
    if cell not in things:
        ground = level.ground[cell[0]][cell[1]]
        if ground in "#B":
            return state, frozenset(), False
        if ground != "." or cell not in state.flags or not level.entering:
            return moved, frozenset(), False
        after = moved._replace(flags=state.flags - {cell})
        return after, level.entering, spent(level, after)
    if isinstance(things[cell], str):
        return (moved if things[cell] == "door" else state), frozenset(), False
    kind = level.kinds[things[cell]]
    after = moved if kind.passable else state
    items = list(state.items)
    if kind.needs is not None:
        if items[kind.needs] == 0:
            return after, frozenset(), False
        items[kind.needs] -= 1
    if kind.gives is not None:
        items[kind.gives] += 1
    events = kind.events | (kind.marked if cell in state.flags else frozenset())
    flags = state.flags
    if kind.fate in ("taken", "wall", "door"):
        flags = flags - {cell}
        del things[cell]
        if kind.fate != "taken":
            things[cell] = kind.fate
    after = State(after.pose, frozenset(things.items()), flags, tuple(items))
    return after, events, kind.fate == "ends" or (bool(events) and spent(level, after))


def spent(level, state):
    """Tell whether no base event is left that could happen."""
    live = [(cell, level.kinds[k]) for cell, k in state.things if not isinstance(k, str)]
    supply = {kind.gives for _, kind in live} | {i for i, n in enumerate(state.items) if n}
    for cell, kind in live:
        events = kind.events | (kind.marked if cell in state.flags else frozenset())
        if events & level.base and (kind.needs is None or kind.needs in supply):
            return False
    full = {cell for cell, _ in state.things}
    empty = [c for c in state.flags - full if level.ground[c[0]][c[1]] == "."]
    return bool(level.base) and not (empty and level.entering & level.base)


def start(level):
    return State(level.start, frozenset(level.things.items()), level.flags, level.items)


def explore(level):
    """Return every state that can be reached, and for each [state, action] what `play` says."""
    states, moves = {start(level): 0}, []
    queue = list(states)
    for state in queue:
        moves.append([play(level, state, action) for action in range(3)])
        for after, _, ended in moves[-1]:
            if not ended and after not in states:
                states[after] = len(states)
                queue.append(after)
    return states, moves


def iterate_values(states, moves, rewards, discount, stops=None):
    """Return Q* [states, 3, n] by value iteration; `stops` [states, n]: going forward is the end.

    `rewards` is [states, 3, n].
    """
    after = np.array([[states.get(s, 0) for s, _, _ in row] for row in moves])
    goes_on = np.array([[not ended for _, _, ended in row] for row in moves], float)[..., None]
    goes_on = np.repeat(goes_on, rewards.shape[2], axis=2)
    if stops is not None:
        goes_on[:, codes.FORWARD][stops] = 0
    q = np.zeros_like(rewards)
    while True:
        new = rewards + discount * goes_on * q.max(1)[after]
        if np.abs(new - q).max() < 1e-13:
            return new
        q = new


# --- the same level for the planner ---------------------------------------------------------------


def rule_table(level):
    rules = plain_rules()
    mask = {e: np.uint32(sum(1 << i for i in e)) for e in _event_sets(level)}
    for kind, look in zip(level.kinds, LOOKS, strict=False):
        rules.touch[look] = True
        rules.passable[look] = kind.passable
        rules.taken[look] = kind.fate == "taken"
        rules.ends[codes.ON_TOUCH, *look] = kind.fate == "ends"
        rules.needs[look] = -1 if kind.needs is None else kind.needs
        rules.gives[look] = -1 if kind.gives is None else kind.gives
        if kind.fate in ("wall", "door"):
            rules.becomes[look] = GROUND["#" if kind.fate == "wall" else "o"]
        rules.events[codes.ON_TOUCH, *look, 0] = mask[kind.events]
        rules.events[codes.ON_TOUCH, *look, 1] = mask[kind.marked]
    if level.entering:
        rules.touch[codes.EMPTY] = rules.passable[codes.EMPTY] = True
        rules.events[codes.ON_TOUCH, codes.EMPTY, :, 1] = mask[level.entering]
    rules.base = sum(1 << i for i in level.base)
    return rules


def _event_sets(level):
    return {level.entering} | {e for kind in level.kinds for e in (kind.events, kind.marked)}


def arrays(level):
    """Return grid, flags, rules and inventory, as `survey` takes them."""
    grid = np.array([[GROUND[g] for g in column] for column in level.ground], np.uint8)
    for cell, kind in level.things.items():
        grid[cell] = (*LOOKS[kind], 0)
    flags = np.zeros(grid.shape[:2], np.uint8)
    for cell in level.flags:
        flags[cell] = 1
    return grid, flags, rule_table(level), np.array(level.items, np.int32)


def number(chart, level, state):
    """Return the planner's (set, pose) of a state of the rule-book."""
    height = len(level.ground[0])
    untouched = {cell for cell, kind in state.things if not isinstance(kind, str)}
    untouched |= {c for c in state.flags if level.ground[c[0]][c[1]] == "." and level.entering}
    mask = 0
    for o, cell in enumerate(chart.things[:, CELL]):
        mask |= (divmod(int(cell), height) not in untouched) << o
    assert chart.number[mask] >= 0
    return int(chart.number[mask]), locate(chart, *state.pose)
