"""Frozen states of the leaderboard: ranks that can be cited, of entries pinned by their hashes."""

import hashlib
import json
import re
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

from mesabench.errors import MesaBenchError
from mesabench.files import write_atomically
from mesabench.leaderboard.board import Tasks, board, read_entries, suite_tasks
from mesabench.leaderboard.tables import summary

SNAPSHOTS = Path(__file__).parent / "snapshots"
NAME = re.compile(r"v[0-9]+(\.[0-9]+)*")


def freeze(
    name: str, entries: Path, folder: str | Path = SNAPSHOTS, tasks: Tasks | None = None
) -> Path:
    """Write ``<name>.json``: the suite's version, and each entry's hash, rank and figures.

    Args:
        name: v and a number, such as ``v1``.
        entries: the folder of the entries.
        folder: of the snapshots.
        tasks: the suite's; those installed where they are not given.

    Raises:
        MesaBenchError: the name is none, or there is a snapshot of that name: they never change.
        EntryError: a file is no entry.
    """
    if NAME.fullmatch(name) is None:
        raise MesaBenchError(f"a snapshot is called v and a number, such as v1, not {name!r}")
    path = Path(folder) / f"{name}.json"
    if path.exists():
        raise MesaBenchError(f"there is a snapshot {name} already, and snapshots never change")
    return write_atomically(
        path, json.dumps(_state(entries, tasks or suite_tasks()), indent=1) + "\n"
    )


def _state(entries: Path, tasks: Tasks) -> dict[str, Any]:
    rows = board(read_entries(entries), tasks)
    return {
        "suite": version("mesabench"),
        "date": str(date.today()),
        "tasks": tasks._asdict(),
        "entries": [
            {"sha256": _digest(entries / f"{row.entry.slug}.json")} | summary(row) for row in rows
        ],
    }


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
