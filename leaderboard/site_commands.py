"""The commands `mesabench leaderboard` and `mesabench cite`.

What they need is imported when they are called, so that `mesabench --help` is there at once and
works without the packages of the extra `leaderboard`.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

import tyro
from rich.console import Console

from mesabench.errors import MesaBenchError
from mesabench.leaderboard.commands import needs_extra

Positional = tyro.conf.Positional


@needs_extra
def leaderboard(
    action: Annotated[Literal["build", "snapshot"], Positional],
    name: Annotated[str, Positional] = "",
    /,
    entries: Path | None = None,
    out: Path | None = None,
) -> None:
    """Build the leaderboard's page with its tables, or freeze a snapshot of its ranks.

    Args:
        action: build: write the page; snapshot: freeze the ranks under a name.
        name: of the snapshot, such as v1.
        entries: folder of the entries; the package's own where it is not given.
        out: folder to write into; site for the page, the package's own for snapshots.
    """
    from mesabench.leaderboard.board import ENTRIES, read_entries
    from mesabench.leaderboard.site import build
    from mesabench.leaderboard.snapshots import SNAPSHOTS, freeze

    console, folder = Console(), entries or ENTRIES
    if action == "build":
        if name:
            raise MesaBenchError(
                f"build takes no name, and {name!r} was given; --out is its folder"
            )
        with no_collection():
            paths = build(read_entries(folder), out or Path("site"))
    else:
        paths = [freeze(name, folder, out or SNAPSHOTS)]
    console.print("\n".join(map(str, paths)), highlight=False, markup=False, soft_wrap=True)


@contextmanager
def no_collection() -> Iterator[None]:
    """Look for no cycles of references: entries are trees, and it took a third of the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def cite(task: Annotated[str | None, Positional] = None, /) -> None:
    """Print the BibTeX of the suite, and of the papers that a task, or all tasks, come from.

    Args:
        task: id of the task; all of them where it is not given.
    """
    from mesabench.leaderboard.cite import citation

    print(citation(task))
