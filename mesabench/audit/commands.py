"""The commands `mesabench audit` and `mesabench gallery`.

What they need is imported when they are called, so that `mesabench --help` is there at once.
"""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro
from rich.console import Console
from rich.table import Table

from mesabench.registry import get_objective_task, task_ids, withheld

if TYPE_CHECKING:
    from mesabench.audit.result import Audit

LEVELS = 512
COLUMNS = ("task", "objective", "kind", "cells seen", "train", "test", "apart at test", "audit")


def audit(
    envs: Annotated[tuple[str, ...], tyro.conf.Positional] = (),
    /,
    levels: int = LEVELS,
    out: Path | None = None,
    verbose: bool = False,
) -> None:
    """Check that tasks are fit to tell objectives apart; exit with 1 if a line fails.

    Args:
        envs: ids of the tasks; all of them where none is given.
        levels: levels of each split to look at.
        out: JSON file for the figures.
        verbose: show the lines that hold, too.
    """
    from mesabench.audit.result import audit as audit_task
    from mesabench.files import as_json, write_atomically

    console, results = Console(), []
    for name in envs or task_ids():
        with console.status(f"auditing {name}"):
            result = audit_task(get_objective_task(name), levels=levels)
        results.append(result)
        for line in result.lines if verbose else result.failures:
            sign = "holds" if line.passed else "[red]FAILS[/red]"
            console.print(
                f"{name}: {sign}: {line.name}, {line.subject}: {line.found}; {line.asked}"
            )
    console.print(as_table(results))
    for name, reason in withheld().items():
        console.print(f"withheld: {name}: {reason}")
    if out is not None:
        found = {r.task: r.as_dict() for r in results}
        write_atomically(out, json.dumps(as_json(found), indent=1, allow_nan=False) + "\n")
    if not all(r.passed for r in results):
        sys.exit(1)


def as_table(results: "list[Audit]") -> Table:
    """Return a table with a row for every objective."""
    table = Table(*COLUMNS, title="base return of the agents that are optimal for each objective")
    for result in results:
        verdict = "fit" if result.passed else f"{len(result.failures)} lines fail"
        for name, sort in result.character.items():
            first = sort.kind == "base"
            table.add_row(
                result.task if first else "",
                name,
                sort.kind,
                f"{sort.cost:.0f}",
                f"{sort.train:.0%}",
                f"{sort.test:.0%}",
                "" if first else f"{sort.apart:.2f}",
                verdict if first else "",
            )
    return table


def gallery(out: Path = Path("envs"), levels: int = LEVELS, all: bool = False) -> None:
    """Write the gallery: pictures, audit figures and objectives of every task, as README.md.

    Tasks whose levels and rules have not changed since keep their figures.

    Args:
        out: folder of the gallery.
        levels: levels of each split that the audit looks at.
        all: audit and draw every task again.
    """
    from mesabench.gallery import write_gallery

    write_gallery(out, levels=levels, afresh=all, console=Console())
