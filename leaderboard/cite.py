"""What to cite: the suite, and the papers that its tasks come from."""

from collections.abc import Iterable
from importlib.metadata import metadata

from mesabench.leaderboard.tex import key_of, made
from mesabench.registry import get_task, task_ids

# CITATION.cff and the README say the same, which a test sees to.
KEY, TITLE, YEAR = "mesabench", "MesaBench: which objective did this trained agent learn?", "2026"


def suite_bibtex() -> str:
    """Return the suite's own BibTeX record."""
    about = metadata("mesabench")
    return made(
        KEY,
        "software",
        [
            ("title", TITLE),
            ("author", f"{{{about['Author']}}}"),
            ("year", YEAR),
            ("version", about["Version"]),
        ],
    )


def sources(tasks: Iterable[str]) -> dict[str, str]:
    """Return key → BibTeX record of the papers that tasks come from, each once.

    Raises:
        TaskError: there is no such task.
    """
    found = dict[str, str]()
    for name in tasks:
        text = get_task(name).bibtex.strip()
        if text:
            found.setdefault(key_of(text), text)
    return dict(sorted(found.items()))


def citation(task: str | None = None) -> str:
    """Return the suite's BibTeX, then the source's of a task, or of every task.

    Raises:
        TaskError: there is no such task.
    """
    papers = sources(task_ids(None) if task is None else [task])
    return "\n\n".join([suite_bibtex(), *papers.values()])
