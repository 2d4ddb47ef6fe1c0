"""Find agents' files: ``<task>/<agent>.onnx``, or ``<task>/<run>/agent.onnx`` as runs leave them.

Files are read here and hashed; what is in them is looked at in the sandbox alone.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

from mesabench.agents.vetting import MAX_BYTES
from mesabench.errors import nearest, unknown
from mesabench.leaderboard.entry import repeated
from mesabench.leaderboard.reading import EntryError
from mesabench.registry import task_ids

ARCHIVES = (".zip", ".pkl", ".pt", ".pth")  # whose loaders run code that they may hold
LOCAL = re.compile(r"baselines/(agents|organisms)(/[A-Za-z0-9_][A-Za-z0-9_.-]*)+$")


class AgentFile(NamedTuple):
    """An agent's file.

    Attributes:
        name: its path in the folder, with slashes.
        data: its bytes.
    """

    task: str
    seed: int
    name: str
    path: Path
    data: bytes

    @property
    def sha256(self) -> str:
        """The file's hash."""
        return hashlib.sha256(self.data).hexdigest()

    @property
    def local(self) -> str | None:
        """The file's path in this repository, where it is one of it."""
        found = LOCAL.search(self.path.resolve().as_posix())
        return None if found is None else found.group()


def collect(folder: Path, seeds: Mapping[str, int], only: str = "*") -> list[AgentFile]:
    """Return the agents in a folder, by task and seed.

    Args:
        folder: holds one folder for each task, by its id.
        seeds: training seeds by name; of other files, the number at the end of the name.
        only: pattern (``*``, ``?``) of the names of runs, or of files that lie in no run's folder.

    Raises:
        EntryError: a folder is no task's or holds no agent, a file has no seed or is not ONNX, or a
            seed or file occurs twice.
    """
    if not folder.is_dir():
        raise EntryError(f"{str(folder)!r} is no folder; expected <task id>/<agent>.onnx in one")
    refuse_archives(folder.glob("*"), "TASK")
    every = [name for task in task_folders(folder) for name in onnx_files(folder, task)]
    names = [name for name in every if fnmatchcase(called(name), only)]
    if not names:
        raise EntryError(f"no agent in {str(folder)!r} is called {only!r}; there is {every[0]}")
    if strange := sorted(set(seeds) - set(names)):
        raise EntryError(f"seeds: {unknown('file', strange[0], names)}")
    agents = [read_agent(folder, name, seeds) for name in names]
    refuse_repetitions(agents)
    return sorted(agents, key=lambda agent: (agent.task, agent.seed))


def task_folders(folder: Path) -> list[str]:
    """Return the ids of the tasks that have a folder.

    Raises:
        EntryError: a folder is named otherwise, or there is none.
    """
    known = task_ids(None)
    found = sorted(p.name for p in folder.iterdir() if p.is_dir() and p.name[0] not in "._")
    for name in found:
        if name not in known:
            raise EntryError(f"{folder / name}: {unknown('task', name, known)}")
    if not found:
        near = nearest(folder.name, known)
        hint = f"; did you mean the folder above, {str(folder.parent)!r}?" if near else ""
        raise EntryError(f"{str(folder)!r} holds no folder named by a task's id{hint}")
    return found


def onnx_files(folder: Path, task: str) -> list[str]:
    """Return the names of a task's agents.

    Raises:
        EntryError: there is none, or there is a file that must be converted first.
    """
    inside = folder / task
    refuse_archives((*inside.glob("*"), *inside.glob("*/*")), task)
    # A run's folder also holds snapshots of training; its agent has this name.
    found = [*inside.glob("*.onnx"), *inside.glob("*/agent.onnx")]
    if not found:
        raise EntryError(
            f"{inside} holds no agent: expected {task}/<agent>.onnx or {task}/<run>/agent.onnx"
        )
    return sorted(path.relative_to(folder).as_posix() for path in found)


def refuse_archives(paths: Iterable[Path], task: str) -> None:
    """Refuse what would have to be unpickled, unless its agent lies beside it; say what to do.

    Raises:
        EntryError: there is such a file.
    """
    for path in sorted(paths):
        twins = (path.with_suffix(".onnx"), path.with_name("agent.onnx"))
        if path.suffix.lower() in ARCHIVES and not any(twin.is_file() for twin in twins):
            raise EntryError(
                f"{path} is never opened here, because its loader runs code that it may hold. On "
                f"its owner's machine: mesabench export {path.name} --out {path.stem}.onnx "
                f"--env {task}"
            )


def read_agent(folder: Path, name: str, seeds: Mapping[str, int]) -> AgentFile:
    """Read one agent.

    Raises:
        EntryError: the file cannot be read, is too long, or has no seed.
    """
    path = folder / name
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise EntryError(f"cannot read {str(path)!r}: {error.strerror}") from error
    if not data or len(data) > MAX_BYTES:
        size = "is empty" if not data else f"has more than {MAX_BYTES:,} bytes"
        raise EntryError(f"{path} {size}")
    return AgentFile(name.partition("/")[0], seed_of(name, seeds), name, path, data)


def seed_of(name: str, seeds: Mapping[str, int]) -> int:
    """Return an agent's training seed: from the table, or the number at the end of its name.

    Raises:
        EntryError: neither says it.
    """
    if name in seeds:
        return seeds[name]
    found = re.search(r"(\d{1,18})$", called(name))
    if found is None:
        raise EntryError(
            f"{name}: no training seed; end its name in one ({called(name)}-0), or say it under "
            f"seeds in the method file, as {name}: 0"
        )
    return int(found.group())


def called(name: str) -> str:
    """Return what an agent is called: its run, or its file where it lies in no run's folder."""
    path = Path(name)
    return path.parent.name if path.name == "agent.onnx" else path.stem


def refuse_repetitions(agents: list[AgentFile]) -> None:
    """Refuse a seed that would count twice.

    Raises:
        EntryError: two agents of a task have one seed, or are one file.
    """
    for what, key in (("training seed", "seed"), ("file", "sha256")):
        again = repeated((agent.task, getattr(agent, key)) for agent in agents)
        if again is not None:
            same = [a.name for a in agents if (a.task, getattr(a, key)) == again]
            raise EntryError(
                f"{' and '.join(same)} are the same {what}: it counts once; where a folder holds "
                "agents of several methods, choose one's by --only"
            )
