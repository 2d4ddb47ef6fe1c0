"""Touch rules, flags and endings, on corridors written by hand."""

from typing import Any

import minigrid_peer as peer
import numpy as np
import pytest

from mesabench.engine import codes
from mesabench.engine.world import Rules, World, allocate, plain_rules

KEY = (codes.KEY, codes.YELLOW)
CHEST = (codes.BOX, codes.GREEN)
BALL = (codes.BALL, codes.RED)
DOOR = (codes.DOOR, codes.YELLOW)
EMPTY = (codes.EMPTY, 0)
CELLS = {" ": (*EMPTY, 0), ">": (*EMPTY, 0), "<": (*EMPTY, 0), "#": (codes.WALL, codes.GREY, 0)}
CELLS |= {"K": (*KEY, 0), "C": (*CHEST, 0), "O": (*BALL, 0), "D": (*DOOR, codes.LOCKED)}
GIFT, OPENED, SPECIAL, PICKED = range(4)  # events


def corridor(cells: str) -> World:
    """Return one world with a corridor from (1, 1) on; agent 0 is ``>``, agent 1 is ``<``."""
    world = allocate(1, 12, 9, agents=2, items=2, events=4)
    world.grid[...] = CELLS["#"]
    world.pose[0, 1] = (0, 0, 0)
    world.horizon[0] = 100
    for x, cell in enumerate(cells, start=1):
        world.grid[0, x, 1] = CELLS[cell]
        if cell in "><":
            world.pose[0, "><".index(cell)] = (x, 1, 2 * "><".index(cell))
    return world


def touch_rules(kinds: dict[tuple[int, int], dict[str, Any]], *, base: int = 0) -> Rules:
    """Return rules by kind of thing; ``event`` is short for the one emitted by a touch."""
    rules = plain_rules()
    rules.base = base
    for kind, fields in kinds.items():
        rules.touch[kind] = True
        for name, value in fields.items():
            if name == "event":
                rules.events[codes.ON_TOUCH, *kind, 0] = 1 << value
            elif name == "ends":
                rules.ends[codes.ON_TOUCH, *kind] = value
            else:
                rules[name][kind] = value
    return rules


def do(world: World, rules: Rules, *actions: int) -> list[int]:
    """Let agent 0 act; return the events of its last action."""
    for action in actions:
        peer.play(world, np.array([[action, codes.DONE]]), peer.repeat(rules, 1))
    return world.events[0, 0].tolist()


def at(world: World, x: int) -> tuple[int, ...]:
    """Return the object and colour in cell x of the corridor."""
    return tuple(world.grid[0, x, 1, :2].tolist())


KEYS_CHESTS = {
    KEY: {"passable": True, "taken": True, "gives": 1, "event": GIFT},
    CHEST: {"passable": True, "taken": True, "needs": 1, "event": OPENED},
}


def test_touch_takes_and_gives():
    world = corridor(">KC ")
    world.marks[0, 2, 1] = 1
    assert do(world, touch_rules(KEYS_CHESTS), codes.FORWARD) == [1, 0, 0, 0]
    assert at(world, 2) == EMPTY
    assert world.pose[0, 0, 0] == 2
    assert world.inventory[0, 0].tolist() == [0, 1]
    assert world.marks[0, 2, 1] == 0
    assert do(world, touch_rules(KEYS_CHESTS), codes.FORWARD) == [0, 1, 0, 0]
    assert at(world, 3) == EMPTY
    assert world.inventory[0, 0].tolist() == [0, 0]


def test_touch_without_the_needed_item_has_no_effect_but_a_passable_thing_is_entered():
    world = corridor(">C ")
    rules = touch_rules({CHEST: {**KEYS_CHESTS[CHEST], "gives": 0, "ends": True}})
    assert do(world, rules, codes.FORWARD) == [0, 0, 0, 0]
    assert at(world, 2) == CHEST
    assert world.pose[0, 0, 0] == 2
    assert not world.terminated[0]
    assert not world.inventory.any()


def test_touch_becomes_another_thing():
    world = corridor(">C ")
    world.marks[0, 2, 1] = 1
    rules = touch_rules({CHEST: {"becomes": (*DOOR, codes.OPEN), "event": OPENED}})
    assert do(world, rules, codes.FORWARD) == [0, 1, 0, 0]
    assert world.grid[0, 2, 1].tolist() == [*DOOR, codes.OPEN]
    assert world.marks[0, 2, 1] == 0
    assert world.pose[0, 0, 0] == 1
    assert do(world, rules, codes.FORWARD) == [0, 0, 0, 0]
    assert world.pose[0, 0, 0] == 2


def test_a_flagged_thing_emits_the_events_of_its_flags_too():
    rules = touch_rules({BALL: {"event": GIFT}})
    rules.events[codes.ON_TOUCH, *BALL, 1 + 3] = 1 << SPECIAL | 1 << GIFT
    world = corridor(">O")
    world.marks[0, 2, 1] = 1 << 2
    assert do(world, rules, codes.FORWARD) == [1, 0, 0, 0]
    world.marks[0, 2, 1] |= 1 << 3
    assert do(world, rules, codes.FORWARD) == [2, 0, 1, 0]
    assert world.marks[0, 2, 1] == 1 << 2 | 1 << 3


def test_a_flagged_empty_cell_emits_its_event_once():
    rules = touch_rules({EMPTY: {"passable": True}})
    rules.events[codes.ON_TOUCH, *EMPTY, 1 + 0] = 1 << SPECIAL
    world = corridor(">  ")
    world.marks[0, 2, 1] = 0b11
    assert do(world, rules, codes.FORWARD) == [0, 0, 1, 0]
    assert world.marks[0, 2, 1] == 0b10
    again = (codes.FORWARD, codes.LEFT, codes.LEFT, codes.FORWARD)
    assert do(world, rules, *again) == [0, 0, 0, 0]
    assert world.pose[0, 0, 0] == 2


def test_touch_ends_the_episode_also_at_the_horizon():
    world = corridor(">O")
    world.horizon[0] = 1
    do(world, touch_rules({BALL: {"ends": True}}), codes.FORWARD)
    assert (world.terminated[0], world.truncated[0]) == (True, True)


def test_the_episode_ends_when_no_base_event_is_left():
    rules = touch_rules(KEYS_CHESTS, base=1 << OPENED)
    world = corridor(">KCKC")
    do(world, rules, codes.FORWARD, codes.FORWARD, codes.FORWARD)
    assert not world.terminated[0]
    do(world, rules, codes.FORWARD)
    assert world.terminated[0]


def test_the_episode_ends_when_what_a_base_event_needs_is_gone():
    rules = touch_rules(KEYS_CHESTS, base=1 << OPENED)
    world = corridor(">KCC")
    do(world, rules, codes.FORWARD)
    assert not world.terminated[0]
    do(world, rules, codes.FORWARD)
    assert world.terminated[0]


def test_an_episode_without_base_things_goes_on_until_an_event():
    rules = touch_rules(KEYS_CHESTS, base=1 << OPENED)
    world = corridor("> K")
    do(world, rules, codes.FORWARD)
    assert not world.terminated[0]
    do(world, rules, codes.FORWARD)
    assert world.terminated[0]


@pytest.mark.parametrize("place", ["box", "hand", "box in hand", "flag", "successor"])
def test_base_things_out_of_sight_count(place):
    rules = touch_rules({**KEYS_CHESTS, BALL: {}}, base=1 << SPECIAL)
    world = corridor(">K O" if place in ("flag", "successor") else ">K C")
    if place == "flag":
        rules.events[codes.ON_TOUCH, *BALL, 1 + 5] = 1 << SPECIAL
        world.marks[0, 4, 1] = 1 << 5
    elif place == "successor":
        rules.becomes[BALL] = (codes.GOAL, codes.GREEN, 0)
        rules.touch[codes.GOAL] = True
        rules.events[codes.ON_TOUCH, codes.GOAL, :, 0] = 1 << SPECIAL
    else:
        rules.events[codes.ON_TOUCH, *BALL, 0] = 1 << SPECIAL
        packed = BALL[0] * 8 + BALL[1]
        world.inside[0, 4, 1] = packed if place == "box" else 0
        if place != "box":
            world.carrying[0, 0] = (*BALL, 0) if place == "hand" else (*CHEST, packed)
    assert do(world, rules, codes.FORWARD)[GIFT] == 1
    assert not world.terminated[0]
    world.marks[...], world.inside[...], world.carrying[...] = 0, 0, 0
    rules.becomes[...] = -1
    world.grid[0, 3, 1] = (*KEY, 0)
    do(world, rules, codes.FORWARD)
    assert world.terminated[0]


def test_pickup_and_opening_trigger_events():
    rules = plain_rules()
    rules.events[codes.ON_PICKUP, *KEY, 0] = 1 << PICKED
    rules.events[codes.ON_OPEN, *DOOR, 0] = 1 << OPENED
    rules.events[codes.ON_OPEN, *CHEST, 1 + 0] = 1 << SPECIAL
    rules.ends[codes.ON_OPEN, *CHEST] = True
    world = corridor(">KDC")
    world.marks[0, 4, 1] = 1
    assert do(world, rules, codes.PICKUP) == [0, 0, 0, 1]
    assert do(world, rules, codes.PICKUP) == [0, 0, 0, 0]
    assert do(world, rules, codes.FORWARD, codes.TOGGLE) == [0, 1, 0, 0]
    assert do(world, rules, codes.TOGGLE) == [0, 0, 0, 0]
    assert do(world, rules, codes.TOGGLE, codes.FORWARD, codes.TOGGLE) == [0, 0, 1, 0]
    assert world.terminated[0]
    assert at(world, 4) == EMPTY


@pytest.mark.parametrize("action", [codes.FORWARD, codes.PICKUP, codes.DROP, codes.TOGGLE])
def test_a_cell_with_another_agent_is_left_alone(action):
    world = corridor("><")
    world.carrying[0, 0] = (*BALL, 0)
    world.marks[0, 2, 1] = 1
    rules = touch_rules({EMPTY: {"passable": True, "event": GIFT}})
    before = world.copy()
    assert do(world, rules, action) == [0, 0, 0, 0]
    before.clock[0], before.image[...] = 1, world.image
    assert world == before
