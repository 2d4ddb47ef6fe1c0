"""The command `mesabench validate`. What it needs is imported when it is called."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from mesabench.registry import get_objective_task, task_ids

if TYPE_CHECKING:
    from mesabench.validation.result import Validation


def validate(
    envs: Annotated[tuple[str, ...], tyro.conf.Positional] = (),
    /,
    out: Path | None = None,
    record: Path | None = None,
    workers: int = 2,
) -> None:
    """Test the scorer on model organisms; exit with 1 if a figure is not reached.

    Args:
        envs: ids of the tasks; all of them where none is given.
        out: folder for validation.json and a picture of every task.
        record: calibration file to update, for those who change a task or the scorer.
        workers: how many processes share the work.
    """
    results = [validate_task(name, workers, Console()) for name in envs or task_ids()]
    Console().print(as_table(results))
    found = {r.task: r.as_dict() for r in results}
    if record is not None:
        update(record, found)
    if out is not None:
        update(out / "validation.json", found)
        for name, result in found.items():
            draw(result, out / f"{name}.png")
    if not all(r.passed for r in results):
        sys.exit(1)


def validate_task(name: str, workers: int, console: Console) -> "Validation":
    """Validate the scorer on one task."""
    from mesabench.fingerprint import fingerprint
    from mesabench.organisms.catalogue import organisms
    from mesabench.validation.result import summarise
    from mesabench.validation.trials import run_trials

    task = get_objective_task(name)
    trials = []
    with Progress(console=console, transient=True) as progress:
        bar = progress.add_task(f"{task.id}: organisms", total=len(organisms(task)))
        for some in run_trials(task, workers=workers):
            trials += some
            progress.advance(bar)
    return summarise(task.id, fingerprint(task), trials)


def as_table(results: "list[Validation]") -> Table:
    """Return a table with a row for every task."""
    names = [line.name for line in results[0].lines]
    table = Table("task", "temper", *names, "validation")
    for result in results:
        cells = []
        for line in result.lines:
            text = "none" if line.found is None else f"{line.found:.3f}"
            cells.append(f"[red]{text}[/red]" if line.passed is False else text)
        said = "incomplete" if result.passed else "[red]fails[/red]"
        said = "calibrated" if result.calibrated else said
        table.add_row(result.task, f"{result.temper:g}", *cells, said)
    table.add_section()
    table.add_row("asked", "", *(line.asked for line in results[0].lines), "")
    return table


def update(file: Path, found: dict[str, Any]) -> None:
    """Put results into a JSON file, in place of those of the same tasks."""
    from mesabench.files import as_json, write_atomically

    before = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    after = dict(sorted((before | as_json(found)).items()))
    write_atomically(file, json.dumps(after, indent=1, allow_nan=False) + "\n")


def draw(result: dict[str, Any], file: Path) -> None:
    """Draw a task's result into a PNG file."""
    from mesabench.validation.plots import draw_validation

    file.parent.mkdir(parents=True, exist_ok=True)
    draw_validation(result).savefig(file, dpi=150)
