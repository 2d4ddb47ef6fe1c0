"""`audit-levels`: whether a training run saw layouts of the test split.

Splits share out layouts by their hashes, so a training run of a task's own training split cannot
meet one of them; one that used other levels can. A run that drew test levels from all of their
range is found out where layouts are few, or where many levels are looked at. What a run logged is
its owner's word.
"""

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mesabench.engine.batch import Engine
from mesabench.engine.course import MAX_LEVELS
from mesabench.leaderboard.reading import EntryError, brief
from mesabench.registry import get_task
from mesabench.task import Task

COLUMN = "layout"
HASH = re.compile(r"(?:0x)?([0-9a-fA-F]{16})")
LOGS = ("*.csv", "*.txt")
BATCH = 1000
MAX_LINE = 10_000


class LevelAudit(NamedTuple):
    """What a comparison of layouts found.

    Attributes:
        logged: how many different layouts the run logged.
        looked_at: how many levels of the test split were looked at.
        layouts: how many different layouts these have.
        common: hashes that both have, sorted.
    """

    task: Task
    logged: int
    looked_at: int
    layouts: int
    common: tuple[int, ...]

    @property
    def sentence(self) -> str:
        """The finding in words."""
        shown = ", ".join(f"{one:016x}" for one in self.common[:5])
        more = f": {shown}{', …' if len(self.common) > 5 else ''}" if self.common else ""
        few = (
            "" if self.task.disjoint else f" ({self.task.id} has so few that its splits share them)"
        )
        return (
            f"{len(self.common)} of {self.logged:,} layouts that the run logged are among the "
            f"{self.layouts:,} layouts of the first {self.looked_at:,} test levels of "
            f"{self.task.id}{few}{more}"
        )


def audit(run: Path, env: str, levels: int) -> LevelAudit:
    """Compare a run's layouts with those of the first levels of the test split.

    Args:
        run: a log of layout hashes, or a folder with logs.
        env: id of the task.
        levels: how many test levels are looked at.

    Raises:
        EntryError: there is no log, or it holds no layouts.
        TaskError: no such task.
    """
    task = get_task(env)
    if not 1 <= levels <= MAX_LEVELS:
        raise EntryError(f"levels go from 1 to {MAX_LEVELS:,}, not {levels:,}")
    logged = {one for path in logs(run) for one in layouts_in(path)}
    if not logged:
        raise EntryError(f"{str(run)!r} holds no layout hashes; expected 16 hexadecimal digits")
    test = test_layouts(task, levels)
    return LevelAudit(task, len(logged), levels, len(test), tuple(sorted(logged & test)))


def logs(run: Path) -> list[Path]:
    """Return the logs of a run.

    Raises:
        EntryError: there is none.
    """
    if run.is_file():
        return [run]
    found = [p for pattern in LOGS for p in sorted(run.rglob(pattern)) if has_layouts(p)]
    if not found:
        raise EntryError(
            f"{str(run)!r} holds no log of layouts: expected a CSV file with a column {COLUMN!r}, "
            'as VecMonitor(env, folder, info_keywords=("layout",)) writes, or a text file with '
            "one hash a line"
        )
    return found


def has_layouts(path: Path) -> bool:
    """Return whether a file of a run's folder is a log of layouts; others are left alone."""
    try:
        return next(layouts_in(path), None) is not None
    except EntryError:
        return False


def layouts_in(path: Path) -> Iterator[int]:
    """Yield the layout hashes in a log.

    Raises:
        EntryError: the file cannot be read, or a line holds no hash.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            yield from _layouts(path.name, (line[:MAX_LINE] for line in file))
    except OSError as error:
        raise EntryError(f"cannot read {str(path)!r}: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise EntryError(f"{path.name}: no text: {brief(error)}") from error


def _layouts(name: str, lines: Iterator[str]) -> Iterator[int]:
    place = None
    for number, row in enumerate(csv.reader(lines), 1):
        if not row or row[0].startswith("#"):
            continue
        if place is None:
            place = row.index(COLUMN) if COLUMN in row else 0
            if COLUMN in row:
                continue
        cell = row[place].strip() if place < len(row) else ""
        found = HASH.fullmatch(cell)
        if found is None:
            raise EntryError(
                f"{name}, line {number}: expected a layout's 16 hexadecimal digits, "
                f"not {brief(cell[:40])!r}"
            )
        yield int(found.group(1), 16)


def test_layouts(task: Task, levels: int) -> set[int]:
    """Return the hashes of the layouts of the first test levels."""
    found: set[int] = set()
    for first in range(0, levels, BATCH):
        numbers = np.arange(first, min(first + BATCH, levels))
        engine = Engine(task, "test", batch=len(numbers), seed=None, autoreset=False)
        engine.reset(levels=numbers)
        found.update(engine.course.layout.tolist())
    return found
