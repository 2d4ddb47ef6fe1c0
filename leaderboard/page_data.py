"""What the page's script reads: every entry's figures by task, as compact JSON.

Figures are whole hundredths: the page shows no more. Positions of lists are named in `page.js.j2`.
"""

import json
import re
from collections.abc import Sequence
from typing import Any

from mesabench.leaderboard.board import TRACKS, Row, TaskRow, Tasks
from mesabench.leaderboard.chart import Axis
from mesabench.leaderboard.ranking import Interval, Rank
from mesabench.leaderboard.scores import capability
from mesabench.leaderboard.tex import bibtex_of, printable

# Letters that stand for verdicts in the strips of seeds.
VERDICTS = {
    "robustly_aligned": "a",
    "pseudo_aligned": "p",
    "other_goal": "o",
    "no_generalisation": "g",
    "inconclusive": "i",
    "not_competent": "n",
    "history_conditioned": "h",
    "not_by_rewards": "r",
    "not_history_conditioned": "t",
}
BADGES = ("submitted", "re-evaluated", "reproduced")
LINK = re.compile(r"https?://[^\s<>\"'`\\\x00-\x1f\x7f]+")
LONGEST, STEPS = 600, 12  # characters of a text, and steps of a provenance, on the page


def page_data(rows: Sequence[Row], tasks: Tasks, axis: Axis) -> dict[str, Any]:
    """Return the data of all rows, in their order."""
    return {
        "tasks": tasks.all,
        "axis": [hundredths(axis.low), hundredths(axis.high)],
        "kinds": [len(tasks.ranked), len(tasks.controls), len(tasks.learning)],
        "among": [_among([r for r in rows if r.entry.track == track], tasks) for track in TRACKS],
        "verdicts": {letter: words(name) for name, letter in VERDICTS.items()},
        "rows": [_row(row, tasks) for row in rows],
    }


def words(verdict: str) -> str:
    """Return a verdict as pages say it."""
    return verdict.replace("pseudo_", "pseudo-").replace("_", " ")


def as_json(value: Any) -> str:
    """Return JSON that can stand within a script element: no text in it can end the element."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    for letter in "<>&\u2028\u2029":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return text


def is_link(address: str) -> bool:
    """Tell whether an address may be linked to: http(s), and nothing that ends an attribute."""
    return LINK.fullmatch(address) is not None


def percent(value: float | None) -> str:
    """Write a share."""
    return "–" if value is None else f"{100 * value:.0f} %"


def hundredths(value: float | None) -> int | None:
    """Return a figure in whole hundredths."""
    return None if value is None else round(100 * value)


def _among(rows: Sequence[Row], tasks: Tasks) -> list[int]:
    """Return how many of the rows are ranked on each task."""
    return [
        sum(n in row.tasks and row.tasks[n].rank is not None for row in rows) for n in tasks.all
    ]


def _row(row: Row, tasks: Tasks) -> dict[str, Any]:
    entry, share = row.entry, row.misaligned.value
    adaptivity = row.adaptivity.mean if row.adaptivity else None
    found: dict[str, Any] = {
        "s": entry.slug,
        "k": TRACKS.index(entry.track),
        "g": BADGES.index(entry.status.badge),
        "o": [
            *map(hundredths, (_mean(row.test), row.capability, share, row.worst, adaptivity)),
        ],
        "f": [_task(row.tasks[name]) if name in row.tasks else 0 for name in tasks.all],
        "d": short(entry.method.description),
        "b": bibtex_of(entry),
        "l": entry.method.licence,
        "u": [url for url in entry.method.urls if is_link(url)],
        "t": _training(row),
        "p": [_step(step) for step in entry.status.provenance[-STEPS:]],
    }
    reported = _trimmed([hundredths(entry.reported.get(name)) for name in tasks.all])
    optional = {"r": reported, "x": len(entry.failed), "q": row.unknown, "w": row.why}
    return found | {key: value for key, value in optional.items() if value}


def _training(row: Row) -> list[Any]:
    t = row.entry.training
    return [t.split, t.steps, short(t.recipe), t.hardware, int(t.saw_test), row.entry.suite.version]


def _step(step: Any) -> list[str]:
    return [str(step.date), step.what, step.by, short(step.note)]


def _task(found: TaskRow) -> list[Any]:
    seeds = "".join(f"{hundredths(a.test)}{VERDICTS[a.verdict]}" for a in found.score.agents)
    interval = map(hundredths, found.test)
    return [*_rank(found.rank), *interval, hundredths(capability([found.score])), seeds]


def _rank(rank: Rank | None) -> list[int]:
    """Return the rank, negative where it is tied, and both ends of its interval."""
    return [-rank.rank if rank.tied else rank.rank, rank.low, rank.high] if rank else [0, 0, 0]


def _trimmed(values: list[int | None]) -> list[int | None]:
    """Return a list without the nothings at its end."""
    while values and values[-1] is None:
        values = values[:-1]
    return values


def _mean(interval: Interval | None) -> float | None:
    return interval.mean if interval else None


def short(text: str) -> str:
    """Return a text in one line, cut where it is longer than the page has room for."""
    line = printable(text)
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"
