"""The gallery: a page on which every task shows its levels, its objectives and its audit."""

import json
import shutil
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined
from rich.console import Console

from mesabench.audit.result import audit
from mesabench.files import as_json, write_atomically
from mesabench.fingerprint import fingerprint
from mesabench.registry import get_task, task_ids, withheld
from mesabench.render import render_splits
from mesabench.task import Task

FIGURES = "audit.json"
PICTURED = 3  # levels in a picture


@dataclass(frozen=True)
class Exhibit:
    """One task of the gallery: what it declares, and what its audit found."""

    task: Task
    audit: dict[str, Any]

    @property
    def lines(self) -> dict[str, list[dict[str, Any]]]:
        """The lines of the audit by name."""
        found: dict[str, list[dict[str, Any]]] = {}
        for line in self.audit["lines"]:
            found.setdefault(line["name"], []).append(line)
        return found


def write_gallery(folder: Path, *, levels: int, afresh: bool, console: Console) -> Path:
    """Write pictures, figures and page; return the page's path.

    Args:
        folder: where to.
        levels: levels of each split that the audit looks at.
        afresh: whether tasks that have not changed are audited and drawn again, too.
        console: where progress is shown.
    """
    known = read_figures(folder)
    figures: dict[str, Any] = {}
    for name in task_ids():
        task = get_task(name)
        mark = fingerprint(task)
        old, pictures = known.get(name, {}), folder / "pictures" / name
        same = old.get("fingerprint") == mark and old.get("levels") == levels
        if afresh or not same or not drawn(pictures):
            with console.status(f"auditing and drawing {name}"):
                figures[name] = audit(task, levels=levels).as_dict() | {"fingerprint": mark}
                draw(task, pictures)
        else:
            figures[name] = old
        write_figures(folder, known | figures)
    write_figures(folder, figures)
    for path in (folder / "pictures").iterdir():
        if path.name not in figures:
            shutil.rmtree(path)
    return write_atomically(folder / "README.md", page(figures))


def drawn(folder: Path) -> bool:
    """Tell whether a task has its pictures."""
    return all((folder / f"{split}.png").exists() for split in ("train", "test"))


def write_figures(folder: Path, figures: dict[str, Any]) -> None:
    """Write the audit figures; what is no number is null."""
    text = json.dumps(as_json(figures), indent=1, allow_nan=False)
    write_atomically(folder / FIGURES, text + "\n")


def draw(task: Task, folder: Path) -> None:
    """Draw levels of the train and test splits."""
    for path in render_splits(task, folder, levels=PICTURED):
        if path.suffix == ".gif":
            path.unlink()


def read_figures(folder: Path) -> dict[str, Any]:
    """Return the audit figures that a gallery holds, by task."""
    path = folder / FIGURES
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def page(figures: dict[str, Any]) -> str:
    """Return the page for the registered tasks and their figures."""
    template = resources.files("mesabench").joinpath("gallery.md").read_text(encoding="utf-8")
    writer = Environment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    exhibits = [Exhibit(get_task(name), figures[name]) for name in task_ids()]
    text = writer.from_string(template).render(exhibits=exhibits, withheld=withheld())
    return text.rstrip() + "\n"
