"""The leaderboard as CSV, JSON, LaTeX and BibTeX. Texts in it are strangers' and are escaped."""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from typing import Any

from mesabench.files import versions
from mesabench.leaderboard.board import Row, TaskRow, Tasks
from mesabench.leaderboard.cite import KEY, sources, suite_bibtex
from mesabench.leaderboard.ranking import Interval
from mesabench.leaderboard.tex import bibtex_of, escaped, printable

# What a spreadsheet takes for the beginning of a formula, at full width too.
FORMULA = "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"
COLUMNS = (
    *("slug", "method", "authors", "track", "badge", "state", "why"),
    *("rank", "rank_low", "rank_high", "test_mean", "test_low", "test_high"),
    *("heldout_iqm", "misaligned", "capable", "worst_seed"),
    *("adaptivity_mean", "adaptivity_low", "adaptivity_high", "tasks", "seeds"),
)
TRACKS = {"zero_shot": "zero-shot", "open": "open"}
ENDS = ("mean", "low", "high")
CAPTION = (
    "% Needs the package booktabs; keys are those of references.bib. Mean normalised base return\n"
    "% on test over tasks (random agent 0, optimum 1) with its 95 % t-interval over seeds; rank\n"
    "% with its 95 % interval, within the track.\n"
)


def as_csv(rows: Sequence[Row], tasks: Tasks) -> str:
    """Return one line for each entry; its figures on each task are columns of their own."""
    header, lines = _header(tasks), [_line(row, tasks) for row in rows]
    file = io.StringIO()
    writer = csv.DictWriter(file, header, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: cell(line.get(name)) for name in header} for line in lines)
    return file.getvalue()


def cell(value: Any) -> Any:
    """Return a cell that no spreadsheet takes for a formula; numbers stay numbers."""
    if isinstance(value, float):
        return round(value, 6)
    if not isinstance(value, str):
        return value
    text = printable(value)
    return f"'{text}" if text.startswith(tuple(FORMULA)) else text


def _header(tasks: Tasks) -> list[str]:
    by_task = (f"{name} {what}" for name in tasks.all for what in ("test", "rank", "seeds"))
    return [*COLUMNS, *by_task]


def _line(row: Row, tasks: Tasks) -> dict[str, Any]:
    found = summary(row)
    for end in ENDS:
        for name in ("test", "adaptivity"):
            found[f"{name}_{end}"] = (found[name] or {}).get(end)
    for end, name in (("rank", "rank"), ("low", "rank_low"), ("high", "rank_high")):
        found[name] = getattr(row.rank, end, None)
    found["authors"] = "; ".join(row.entry.method.authors)
    for name, task in row.tasks.items():
        found[f"{name} test"] = task.test.mean
        found[f"{name} rank"] = task.rank.rank if task.rank else None
        found[f"{name} seeds"] = len(task.score.agents)
    return found


def summary(row: Row) -> dict[str, Any]:
    """Return an entry's standing and figures over tasks, as JSON has them."""
    entry = row.entry
    return {
        "slug": entry.slug,
        "method": entry.method.name,
        "authors": list(entry.method.authors),
        "track": entry.track,
        "badge": entry.status.badge,
        "state": row.state,
        "why": row.why,
        "rank": row.rank._asdict() if row.rank else None,
        "test": _ends(row.test),
        "heldout_iqm": row.capability,
        "misaligned": row.misaligned.part,
        "capable": row.misaligned.of,
        "worst_seed": row.worst,
        "adaptivity": _ends(row.adaptivity),
        "tasks": row.covered,
        "seeds": row.seeds,
    }


def _ends(interval: Interval | None) -> dict[str, float | None] | None:
    return interval._asdict() if interval else None


def json_text(rows: Sequence[Row], tasks: Tasks) -> str:
    """Return every figure of the page and every seed's, as JSON."""
    found = {
        "versions": versions(),
        "tasks": tasks._asdict(),
        "entries": [
            summary(row)
            | {
                "unknown_tasks": row.unknown,
                "failed": len(row.entry.failed),
                "reported": row.entry.reported,
                "by_task": {name: _task(task) for name, task in row.tasks.items()},
            }
            for row in rows
        ],
    }
    return json.dumps(found, separators=(",", ":"), allow_nan=False) + "\n"


def _task(task: TaskRow) -> dict[str, Any]:
    return {
        "test": _ends(task.test),
        "rank": task.rank._asdict() if task.rank else None,
        "seeds": [agent._asdict() for agent in task.score.agents],
    }


def as_latex(rows: Sequence[Row], tasks: Tasks) -> str:
    """Return the entries that stand, as a table in LaTeX."""
    shown = [row for row in rows if row.state in ("ranked", "unranked")]
    learning = any(row.adaptivity for row in shown)
    head = ["Track", "Rank", "Method", "Test", "Held-out", "Misaligned", "Worst seed"]
    head += [*(["Adaptivity"] if learning else []), "Tasks", "Seeds"]
    keys = citation_keys(rows)
    lines = [
        " & ".join(_cells(row, keys[row.entry.slug], len(tasks.ranked), learning=learning))
        for row in shown
    ]
    body = "".join(f"{line} \\\\\n" for line in lines)
    columns = "lll" + "r" * (len(head) - 3)
    return (
        f"{CAPTION}\\begin{{tabular}}{{{columns}}}\n\\toprule\n{' & '.join(head)} \\\\\n\\midrule\n"
        f"{body}\\bottomrule\n\\end{{tabular}}\n"
    )


def _cells(row: Row, key: str, of: int, *, learning: bool) -> Iterable[str]:
    yield TRACKS[row.entry.track]
    yield f"{row.rank.rank} [{row.rank.low}, {row.rank.high}]" if row.rank else "--"
    yield f"{escaped(row.entry.method.name)}~\\cite{{{key}}}"
    yield _interval(row.test)
    yield _number(row.capability)
    yield f"{row.misaligned.part}/{row.misaligned.of}" if row.misaligned.of else "--"
    yield _number(row.worst)
    if learning:
        yield _interval(row.adaptivity)
    yield f"{row.covered}/{of}"
    yield str(row.seeds)


def _number(value: float | None) -> str:
    return "--" if value is None else f"${value:.2f}$"


def _interval(interval: Interval | None) -> str:
    if interval is None or interval.low is None or interval.high is None:
        return _number(interval.mean if interval else None)
    return f"${interval.mean:.2f}$ [${interval.low:.2f}$, ${interval.high:.2f}$]"


def as_bibtex(rows: Sequence[Row]) -> str:
    """Return the records of the suite, of its sources and of every entry that stands."""
    tasks = sorted({name for row in rows for name in row.tasks})
    keys = citation_keys(rows)
    methods = [
        bibtex_of(row.entry, keys[row.entry.slug])
        for row in rows
        if row.state in ("ranked", "unranked")
    ]
    return "\n\n".join([suite_bibtex(), *sources(tasks).values(), *methods]) + "\n"


def citation_keys(rows: Iterable[Row]) -> dict[str, str]:
    """Return slug → key in references.bib: the slug, unless the suite or a source has that key."""
    rows = list(rows)
    taken = {KEY, *sources(sorted({name for row in rows for name in row.tasks}))}
    slugs = [row.entry.slug for row in rows]
    return {slug: f"{slug}:entry" if slug in taken else slug for slug in slugs}
