"""The command `mesabench references`. What it needs is imported when it is called."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import track

if TYPE_CHECKING:
    from mesabench.learning.references import Measured


def references(episodes: int = 20_000, seed: int = 0, out: Path | None = None) -> None:
    """Measure the reference learners of within-episode learning; exit with 1 if one is off.

    Args:
        episodes: how many episodes each learner plays (fewer where these are long).
        seed: draws the episodes.
        out: folder for references.json.
    """
    from mesabench.files import as_json, write_atomically
    from mesabench.learning.references import as_table, compute
    from mesabench.learning.rows import reference_rows

    rows = reference_rows()
    console = Console()
    measuring = compute(rows, episodes, seed)
    results = list(track(measuring, "learners", total=len(rows), console=console, transient=True))
    console.print(as_table(results))
    if out is not None:
        found = {"episodes": episodes, "seed": seed, "rows": [as_dict(r) for r in results]}
        out.mkdir(parents=True, exist_ok=True)
        file = out / "references.json"
        write_atomically(file, json.dumps(as_json(found), indent=1, allow_nan=False) + "\n")
    if not all(r.ok for r in results):
        sys.exit(1)


def as_dict(result: "Measured") -> dict[str, Any]:
    """Return a result in plain types."""
    row = result.row
    return {
        "task": row.task,
        "learner": row.learner,
        "quantity": row.quantity,
        "expected": row.expected,
        "tolerance": row.tolerance,
        "source": row.source,
        "measured": result.found.value,
        "standard_error": result.found.error,
        "ok": result.ok,
    }
