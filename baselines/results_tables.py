"""The tables of results: as text, CSV, LaTeX and Markdown, of the same cells."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from rich.table import Table

from mesabench.baselines.outcomes import Outcome
from mesabench.baselines.results import Row, rows_of
from mesabench.baselines.results_cells import Cells, across_splits, marks_cells, results_cells


@dataclass(frozen=True)
class ResultsTable:
    """A table in every form.

    Attributes:
        cells: its texts.
        csv, latex: its text in these forms, numbers in the one and cells in the other.
        suffix: what tells its files from those of the other table.
    """

    cells: Cells
    csv: str
    latex: str
    suffix: str


def tables_of(outcomes: Sequence[Outcome]) -> list[ResultsTable]:
    """Return the table of each track of which there are runs."""
    rows, found = rows_of(outcomes), list[ResultsTable]()
    if rows:
        cells = results_cells(rows)
        found.append(ResultsTable(cells, as_frame(rows).to_csv(index=False), as_latex(cells), ""))
    if any(outcome.learning for outcome in outcomes):
        cells, frame = marks_cells(outcomes), marks_frame(outcomes)
        found.append(ResultsTable(cells, frame.to_csv(index=False), as_latex(cells), "-learning"))
    for task, cells in across_splits(outcomes).items():
        csv = pd.DataFrame(cells.lines, columns=list(cells.header)).to_csv(index=False)
        found.append(ResultsTable(cells, csv, as_latex(cells), f"-splits-{task}"))
    return found


def as_text(cells: Cells) -> Table:
    """Return a table for the terminal."""
    table = Table(title=cells.title)
    for name in cells.header:
        table.add_column(name, overflow="fold")
    for line in cells.lines:
        table.add_row(*(cell.replace("[", r"\[") for cell in line))
    return table


def as_markdown(cells: Cells) -> str:
    """Return a table in Markdown."""
    rule = ("---",) * len(cells.header)
    lines = (
        [cell.replace("|", r"\|") for cell in line] for line in (cells.header, rule, *cells.lines)
    )
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def as_latex(cells: Cells) -> str:
    """Return a table in LaTeX; it needs the package booktabs."""
    frame = pd.DataFrame(cells.lines, columns=list(cells.header))
    styler: Any = frame.style.hide(axis="index").format(escape="latex")
    styler = styler.format_index(escape="latex", axis="columns")
    text: str = styler.to_latex(hrules=True, column_format="l" * len(cells.header))
    symbols = {
        "≤": r"$\le$",
        "≥": r"$\ge$",
        "±": r"$\pm$",
        "−": "$-$",
        "–": "--",
        "²": "$^2$",
        "†": r"\dag",
    }
    return "".join(symbols.get(letter, letter) for letter in text)


def as_frame(rows: Sequence[Row]) -> pd.DataFrame:
    """Return the rows as numbers: a column for each setting that differs and for each verdict."""
    labels = list(dict.fromkeys(label for row in rows for label in row.counts))
    names = list(dict.fromkeys(name for row in rows for name in row.variant))
    return pd.DataFrame([frame_line(row, names, labels) for row in rows])


def frame_line(row: Row, names: Sequence[str], labels: Sequence[str]) -> dict[str, Any]:
    """Return one line of `as_frame`."""
    n = len(row.outcomes)
    found: dict[str, Any] = {"task": row.task, "algorithm": row.algorithm}
    found |= {name: row.variant.get(name) for name in names} | {"n": n}
    for split, mean in (("heldout", row.heldout), ("test", row.test)):
        found |= {f"{split}_{part}": value for part, value in vars(mean).items()}
    found |= {f"share {label}": row.counts.get(label, 0) / n for label in labels}
    found["calibrated"] = row.calibrated
    return found | {"worst_seed": row.worst.settings.seed, "worst_test": row.worst.test}


def marks_frame(outcomes: Sequence[Outcome]) -> pd.DataFrame:
    """Return the marks as numbers."""
    return pd.DataFrame(
        {
            "task": outcome.task,
            "algorithm": outcome.settings.algorithm,
            "level": " ".join(outcome.settings.level),
            "seed": outcome.settings.seed,
            "mark": mark["line"],
            **{f"found_{part}": value for part, value in mark["found"].items()},
            "asked": mark["asked"],
            "passed": mark["passed"],
        }
        for outcome in outcomes
        if outcome.learning
        for mark in outcome.evaluation["passes"]
    )
