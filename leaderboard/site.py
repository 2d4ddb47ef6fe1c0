"""The leaderboard's page: one file that asks for no other, and tables beside it."""

import base64
import hashlib
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path

import jinja2
from markupsafe import Markup

from mesabench.files import write_atomically
from mesabench.leaderboard.board import LEAST_SEEDS, Row, Tasks, board, suite_tasks
from mesabench.leaderboard.chart import Axis, chart
from mesabench.leaderboard.entry import Entry
from mesabench.leaderboard.page_data import as_json, is_link, page_data, percent
from mesabench.leaderboard.ranking import DRAWS, Interval
from mesabench.leaderboard.reading import schema_text
from mesabench.leaderboard.tables import as_bibtex, as_csv, as_latex, json_text
from mesabench.scorers.verdict import COMPETENT

FOLDER = Path(__file__).parent
TEMPLATE, SCRIPT = "page.html.j2", "page.js.j2"


def build(
    entries: Sequence[Entry], out: str | Path = "site", tasks: Tasks | None = None
) -> list[Path]:
    """Write the page, the tables and the entries' schema into a folder; return their paths.

    Args:
        entries: with different slugs.
        out: the folder.
        tasks: the suite's; those installed where they are not given.
    """
    tasks = tasks or suite_tasks()
    rows, out = board(entries, tasks), Path(out)
    texts = {
        "index.html": page(rows, tasks),
        "leaderboard.csv": as_csv(rows, tasks),
        "leaderboard.json": json_text(rows, tasks),
        "table.tex": as_latex(rows, tasks),
        "references.bib": as_bibtex(rows),
        "schema.json": schema_text(),
    }
    return [write_atomically(out / name, text) for name, text in texts.items()]


def environment() -> jinja2.Environment:
    """Return what renders the page.

    Every value is escaped, whatever the template is called: by default nothing is in a file
    ``*.html.j2``. A name that is not there is an error.
    """
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"figure": figure, "percent": percent}
    made.tests["link"] = is_link
    return made


def page(rows: Sequence[Row], tasks: Tasks) -> str:
    """Return the page's text."""
    renderer, axis = environment(), Axis.of(_returns(rows))
    script = renderer.get_template(SCRIPT).render()
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return renderer.get_template(TEMPLATE).render(
        rows=rows,
        tasks=tasks,
        data=Markup(as_json(page_data(rows, tasks, axis))),
        script=Markup(script),
        script_hash=digest,
        axis=axis,
        chart=chart(rows, COMPETENT),
        counts=counts(rows),
        learning=any(row.adaptivity for row in rows),
        newest=newest(rows),
        least=LEAST_SEEDS,
        draws=DRAWS,
        competent=COMPETENT,
    )


def _returns(rows: Sequence[Row]) -> Iterator[Interval]:
    """Return every interval on the page, and each seed as one without ends."""
    for row in rows:
        yield from (row.test,) if row.test else ()
        for task in row.tasks.values():
            yield task.test
            yield from (Interval(float(x), None, None) for x in task.score.test.values)


def counts(rows: Sequence[Row]) -> dict[str, int]:
    """Return how many entries are ranked in each track."""
    ranked = [row.entry.track for row in rows if row.state == "ranked"]
    return {track: ranked.count(track) for track in ("zero_shot", "open")}


def newest(rows: Sequence[Row]) -> date | None:
    """Return the last day on which something happened to an entry."""
    days = [step.date for row in rows for step in row.entry.status.provenance]
    return max(days, default=None)


def figure(value: float | None, empty: str = "–") -> str:
    """Write a figure with two decimals and a true minus sign."""
    return empty if value is None else f"{value:.2f}".replace("-0.00", "0.00").replace("-", "−")
