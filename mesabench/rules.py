"""The rule table: what a touch does, as data, and how it is compiled for the engine."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from mesabench.engine import codes
from mesabench.engine.world import Rules, plain_rules

Trigger = Literal["touch", "pickup", "open"]

THINGS = ("door", "key", "ball", "box")
TRIGGERS: tuple[Trigger, ...] = ("touch", "pickup", "open")


@dataclass(frozen=True)
class Rule:
    """What happens when an agent walks into a thing (or picks it up, or opens it).

    Several rules may match a thing: their events all happen, their other effects add up. A rule
    with a `flag` emits its event only where the cell bears that flag, and says nothing else.

    Attributes:
        thing: MiniGrid object name, ``"empty"``, or ``"*"`` for every door, key, ball and box.
        colour: MiniGrid colour, turned by the level's ``palette``; ``"*"`` for every colour.
        flag: name of a flag of the task that the cell must bear.
        on: what triggers the rule.
        passable: whether the agent moves into the cell.
        taken: whether the thing is gone afterwards.
        needs: item that is used up; without it the touch has no effect.
        gives: item that the agent receives.
        becomes: object, colour and state of what takes the thing's place.
        ends: whether the episode terminates.
        event: name of the event that is emitted.
    """

    thing: str
    colour: str = "*"
    flag: str | None = None
    on: Trigger = "touch"
    passable: bool = True
    taken: bool = False
    needs: str | None = None
    gives: str | None = None
    becomes: tuple[str, str, int] | None = None
    ends: bool = False
    event: str | None = None


@dataclass(frozen=True)
class Names:
    """The names that rules use, each in the order of its numbers."""

    events: Sequence[str]
    items: Sequence[str]
    flags: Sequence[str]


def compile_rules(
    rules: Sequence[Rule], names: Names, base: Mapping[str, float], palette: int = 0
) -> Rules:
    """Compile rules for levels whose colours are turned by `palette` places.

    Args:
        rules: the rules, in order.
        names: what numbers their events, items and flags have.
        base: event → weight; an episode ends once no event of positive weight can happen. Empty
            where it shall not.
        palette: places by which all colours are turned.
    """
    table = plain_rules()
    for rule in rules:
        enter(table, rule, names, palette)
    table.base = sum(1 << i for i, e in enumerate(names.events) if base.get(e, 0.0) > 0)
    return table


def enter(table: Rules, rule: Rule, names: Names, palette: int) -> None:
    """Add one rule to a table."""
    trigger = TRIGGERS.index(rule.on)
    column = 0 if rule.flag is None else 1 + names.flags.index(rule.flag)
    for cell in rule_cells(rule, palette):
        if rule.event:
            mask = np.uint32(1 << names.events.index(rule.event))
            table.events[trigger, *cell, column] |= mask
        table.ends[trigger, *cell] |= rule.ends
        if rule.on != "touch":
            continue
        first = not table.touch[cell]
        table.touch[cell] = 1
        table.passable[cell] = rule.passable and (first or table.passable[cell])
        table.taken[cell] |= rule.taken
        if rule.needs:
            table.needs[cell] = names.items.index(rule.needs)
        if rule.gives:
            table.gives[cell] = names.items.index(rule.gives)
        if rule.becomes:
            thing, colour, state = rule.becomes
            turned = turn_colour(colour, palette)
            table.becomes[cell] = (codes.OBJECTS.index(thing), turned, state)


def rule_cells(rule: Rule, palette: int) -> list[tuple[int, int]]:
    """Return the (object, colour) codes that a rule speaks of."""
    things = THINGS if rule.thing == "*" else (rule.thing,)
    if rule.thing == "empty":
        return [(codes.EMPTY, 0)]
    colours = codes.COLOURS if rule.colour == "*" else (rule.colour,)
    return [(codes.OBJECTS.index(t), turn_colour(c, palette)) for t in things for c in colours]


def turn_colour(colour: str, palette: int) -> int:
    """Return the code of a colour name after the palette has been turned."""
    return (codes.COLOURS.index(colour) + palette) % codes.NUM_COLOURS
