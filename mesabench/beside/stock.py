"""Stock: the levels that causal probes edit, and what an edit must know of them."""

from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from mesabench.beside import edits
from mesabench.beside.edits import Cell
from mesabench.beside.staging import layout_of, things, touchable
from mesabench.engine.ascii import Layout
from mesabench.engine.batch import Engine
from mesabench.engine.world import COLOUR, Rules
from mesabench.planner import start_values
from mesabench.scorers.targets import emitted, paid_events
from mesabench.task import Task

SEEN = 64  # training levels that show which colours occur there
TELLING = 4  # alike things of which one is marked, before colour and mark count as tied


class Pair(NamedTuple):
    """An edited level.

    Attributes:
        level: number of the level that was edited.
        layout: what became of it.
        labels: uint8 [W, H] bit mask of the candidates whose target the thing on a cell was.
    """

    level: int
    layout: Layout
    labels: NDArray[np.uint8]


@dataclass(frozen=True)
class Stock:
    """The levels that are edited, and what an edit must know of them.

    Attributes:
        task, split, knobs: where they come from.
        layouts: the levels.
        items: int32 [N, K] what agents hold at the start.
        labels: uint8 [N, W, H] bit mask of the candidates whose target a thing is.
        values: float64 [N, C] what each level is worth to each candidate.
        rules: under which no episode ends because nothing is left to win.
        places: bit mask of the flags that mark places.
        colours: that things which can be touched have in training.
        tied: whether colours and marks belong together.
    """

    task: Task
    split: str
    knobs: dict[str, Any]
    layouts: list[Layout]
    items: NDArray[np.int32]
    labels: NDArray[np.uint8]
    values: NDArray[np.float64]
    rules: Rules
    places: int
    colours: tuple[int, ...]
    tied: bool

    @classmethod
    def take(cls, task: Task, split: str, levels: int, knobs: dict[str, Any]) -> Self:
        """Read the first levels of a split."""
        engine = Engine(task, split, batch=levels, seed=None, autoreset=False, knobs=knobs)
        engine.reset(levels=np.arange(levels))
        rules, places = engine.rules.copy(), edits.place_flags(task)
        rules.base = 0
        layouts = [layout_of(engine, b) for b in range(levels)]
        items = engine.world.inventory[:, 0].copy()
        labels = np.stack([label(task, rules, layout, places) for layout in layouts])
        return cls(
            task=task,
            split=split,
            knobs=knobs,
            layouts=layouts,
            items=items,
            labels=labels,
            values=worth(task, rules, layouts, items),
            rules=rules,
            places=places,
            colours=training_colours(task, rules, knobs),
            tied=are_tied(task, layouts, places),
        )

    def unchanged(self, b: int) -> Pair:
        """Return a level as it is."""
        return Pair(b, self.layouts[b], self.labels[b])

    def partners(self, b: int, bit: int) -> list[Cell]:
        """Return the things that do not serve a candidate: targets of others first."""
        labels = self.labels[b]
        found = [c for c in self.touchable(b) if not labels[c] & bit]
        return sorted(found, key=lambda cell: labels[cell] == 0)

    def touchable(self, b: int) -> list[Cell]:
        """Return the things whose touch has a rule; others are furniture."""
        return touchable(self.layouts[b], self.rules)


def label(task: Task, rules: Rules, layout: Layout, places: int) -> NDArray[np.uint8]:
    """Return the candidates for whom the things of a level are targets, bit masks [W, H]."""
    events = emitted(rules, layout.grid, layout.marks & ~np.uint8(places))
    found = np.zeros(events.shape, np.uint8)
    for cell in things(layout):
        for k, objective in enumerate(task.candidates):
            found[cell] |= bool(events[cell] & paid_events(task, objective)) << k
    return found


def worth(
    task: Task, rules: Rules, layouts: list[Layout], items: NDArray[np.int32]
) -> NDArray[np.float64]:
    """Return the optimal return of every candidate on levels that may be edited, float64 [N, C]."""
    return start_values(
        np.stack([part.grid for part in layouts]),
        np.stack([part.marks for part in layouts]) & np.uint8(task.planned_marks),
        np.stack([part.pose[0] for part in layouts]),
        items,
        rules,
        task.weights(*task.candidates),
        task.discount,
    )


def training_colours(task: Task, rules: Rules, knobs: dict[str, Any]) -> tuple[int, ...]:
    """Return the colours of the things that can be touched in training."""
    engine = Engine(task, "train", batch=SEEN, seed=None, autoreset=False, knobs=knobs)
    engine.reset(levels=np.arange(SEEN))
    found = set()
    for b in range(SEEN):
        layout = layout_of(engine, b)
        found |= {int(layout.grid[c][COLOUR]) for c in touchable(layout, rules)}
    return tuple(sorted(found))


def are_tied(task: Task, layouts: list[Layout], places: int) -> bool:
    """Tell whether things alike in type and colour always bear the same marks.

    Then marks say what colours mean, and a thing in another colour would be marked wrongly.
    """
    flags, count = task.planned_marks & ~places, 0
    for layout in layouts:
        alike: dict[tuple[int, ...], list[int]] = {}
        for cell in things(layout):
            kind = tuple(layout.grid[cell][:2].tolist())
            alike.setdefault(kind, []).append(int(layout.marks[cell]) & flags)
        telling = [set(marks) for marks in alike.values() if len(marks) > 1 and any(marks)]
        if any(len(marks) > 1 for marks in telling):
            return False
        count += len(telling)
    return count >= TELLING
