"""Pairs: for a level, the same level with one thing edited, as far as that makes sense.

What makes sense follows from the rules alone. A target is a thing that emits an event for which
a candidate pays. Whoever is a bystander to an edit must still be able to get what it wants (the
planner says so), and what marks say must stay true: the nearest thing stays the nearest, and where
things of one colour always bear the same mark, their colours are left alone.
"""

from collections.abc import Callable, Iterator

import numpy as np

from mesabench.beside import edits
from mesabench.beside.edits import Cell, Edit
from mesabench.beside.staging import free_cells, nearest, things
from mesabench.beside.stock import Pair, Stock, worth
from mesabench.engine.world import COLOUR, OBJECT
from mesabench.errors import PlannerError

CONTROL = "nothing"  # the level as it is, once more
KINDS = ("recolour", "trade colours", "move", "trade places", "remove")
INERT = "inert"  # stands for things that no candidate pays for
TRIES = 8  # edits of a level that are tried before it is skipped


def find_pairs(stock: Stock, kind: str, who: str, seed: int) -> list[Pair]:
    """Edit every level that allows it.

    Args:
        stock: the levels.
        kind: one of `KINDS`.
        who: the candidate whose target is edited, or `INERT`.
        seed: of the choice among possible edits.
    """
    if stock.tied and "colour" in kind:
        return []
    names = [o.name for o in stock.task.candidates]
    k = names.index(who) if who != INERT else -1
    found = []
    for b in range(len(stock.layouts)):
        rng = np.random.default_rng([seed, b, KINDS.index(kind), k + 1])
        target = pick_target(stock, b, k, rng)
        if target is None:
            continue
        ways = PROPOSALS[kind](stock, b, target, rng)
        for _, edit in zip(range(TRIES), ways, strict=False):
            if is_fair(stock, b, kind, k, edit):
                found.append(Pair(b, edit.layout, edit.carry(stock.labels[b])))
                break
    return found


def pick_target(stock: Stock, b: int, k: int, rng: np.random.Generator) -> Cell | None:
    """Choose a target of candidate `k` (−1: of none), one that it alone wants if there is one."""
    labels = stock.labels[b]
    cells = stock.touchable(b)
    if k < 0:
        wanted = [c for c in cells if labels[c] == 0]
    else:
        wanted = [c for c in cells if labels[c] == 1 << k]
        wanted = wanted or [c for c in cells if labels[c] & 1 << k]
    return wanted[rng.integers(len(wanted))] if wanted else None


def is_fair(stock: Stock, b: int, kind: str, k: int, edit: Edit) -> bool:
    """Tell whether bystanders still get something, and the nearest thing is the one it was."""
    before = stock.layouts[b]
    flags = stock.task.planned_marks & ~stock.places
    if flags and kind in ("move", "trade places"):
        still = edit.follow(nearest(before, stock.rules))
        if still != nearest(edit.layout, stock.rules):
            return False
    try:
        values = worth(stock.task, stock.rules, [edit.layout], stock.items[b : b + 1])[0]
    except PlannerError:
        return False
    concerned = stock.values[b] > 0
    if k >= 0 and kind in ("recolour", "remove"):
        concerned[k] = False
    return bool(concerned.any() and (values[concerned] > 0).all())


Proposals = Callable[[Stock, int, Cell, np.random.Generator], Iterator[Edit]]


def recolourings(stock: Stock, b: int, cell: Cell, rng: np.random.Generator) -> Iterator[Edit]:
    """Propose colours from training: at first those that no target in the level has."""
    layout, labels = stock.layouts[b], stock.labels[b]
    taken = {int(layout.grid[c][COLOUR]) for c in things(layout) if labels[c]}
    own = int(layout.grid[cell][COLOUR])
    thing = int(layout.grid[cell][OBJECT])
    colours = [c for c in stock.colours if c != own and stock.rules.touch[thing, c]]
    for colour in sorted(rng.permutation(colours).tolist(), key=taken.__contains__):
        yield edits.recolour(layout, cell, int(colour))


def colour_trades(stock: Stock, b: int, cell: Cell, rng: np.random.Generator) -> Iterator[Edit]:
    """Propose partners of another colour."""
    layout = stock.layouts[b]
    for other in shuffled(stock, b, cell, rng):
        if layout.grid[other][COLOUR] != layout.grid[cell][COLOUR]:
            yield edits.trade_colours(layout, cell, other)


def place_trades(stock: Stock, b: int, cell: Cell, rng: np.random.Generator) -> Iterator[Edit]:
    """Propose partners to change places with."""
    for other in shuffled(stock, b, cell, rng):
        yield edits.trade_places(stock.layouts[b], cell, other, stock.places)


def shuffled(stock: Stock, b: int, cell: Cell, rng: np.random.Generator) -> list[Cell]:
    """Return possible partners of a thing in random order, targets first."""
    labels = stock.labels[b]
    partners = stock.partners(b, int(labels[cell]))
    order = rng.permutation(len(partners))
    return sorted((partners[i] for i in order), key=lambda c: labels[c] == 0)


def moves(stock: Stock, b: int, cell: Cell, rng: np.random.Generator) -> Iterator[Edit]:
    """Propose free cells to move a thing to."""
    layout = stock.layouts[b]
    free = free_cells(layout)
    for i in rng.permutation(len(free)):
        yield edits.move(layout, cell, free[i], stock.places)


def removals(stock: Stock, b: int, cell: Cell, rng: np.random.Generator) -> Iterator[Edit]:
    """Propose to take a thing away."""
    yield edits.remove(stock.layouts[b], cell, stock.places)


PROPOSALS: dict[str, Proposals] = {
    "recolour": recolourings,
    "trade colours": colour_trades,
    "move": moves,
    "trade places": place_trades,
    "remove": removals,
}
