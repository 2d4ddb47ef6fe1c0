"""One sweep, search or run at a time in a folder, and who has it.

The operating system holds the lock and lets go of it when its holder dies. A note beside it says
who the holder is. The one of a sweep or search also protects folders on shared disks whose locks
other machines do not see; that of a run does not: a run goes on elsewhere when its machine is gone.
"""

import getpass
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from mesabench.errors import MesaBenchError
from mesabench.files import write_atomically

LOCK, NOTE = ".sweep.lock", ".sweep.json"
RUN_LOCK, RUN_NOTE = ".run.lock", ".run.json"


@contextmanager
def hold(folder: Path) -> Iterator[None]:
    """Hold a folder's lock; what a process left there that died on this machine is taken over.

    Args:
        folder: the folder; it is made where it is missing.

    Raises:
        MesaBenchError: somebody else holds it; the message says who.
    """
    folder.mkdir(parents=True, exist_ok=True)
    note = folder / NOTE
    try:
        with FileLock(folder / LOCK, timeout=0):
            elsewhere = read_note(note).get("host", socket.gethostname())
            if elsewhere != socket.gethostname():
                raise MesaBenchError(
                    f"{taken(folder)}; if it is dead for sure, remove {str(note)!r}"
                )
            write_atomically(note, json.dumps(describe_holder()))
            try:
                yield
            finally:
                note.unlink(missing_ok=True)
    except Timeout:
        raise MesaBenchError(f"{taken(folder)}; wait, or choose another --out") from None


@contextmanager
def hold_run(run: Path, patience: float = 0.0) -> Iterator[None]:
    """Hold the folder of a run: two trainings in one would write over each other's state.

    Args:
        run: the folder; it is made where it is missing.
        patience: seconds that another process has to let go of it.

    Raises:
        MesaBenchError: another process trains there.
    """
    run.mkdir(parents=True, exist_ok=True)
    note = run / RUN_NOTE
    try:
        with FileLock(run / RUN_LOCK, timeout=patience):
            write_atomically(note, json.dumps(describe_holder()))
            try:
                yield
            finally:
                note.unlink(missing_ok=True)
    except Timeout:
        who = read_note(note)
        since = f" since {who['since']}: {named(who)}" if who else ""
        raise MesaBenchError(
            f"another process trains in {str(run)!r}{since}; wait for it, or choose another --out"
        ) from None


def describe_holder() -> dict[str, str | int]:
    """Return what is noted of this process."""
    return {
        "user": whoami(),
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "since": datetime.now().astimezone().isoformat(timespec="seconds"),
    }


def whoami() -> str:
    """Return the user's name, or number where it has no name, as in many containers."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"


def read_note(note: Path) -> dict[str, str | int]:
    """Return what a holder noted; nothing where there is no note."""
    try:
        return json.loads(note.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def taken(folder: Path) -> str:
    """Return the sentence that says who holds a folder."""
    who = read_note(folder / NOTE)
    if not who:
        return f"another sweep or search is at work in {str(folder)!r}"
    return f"a sweep or search is at work in {str(folder)!r} since {who['since']}: {named(who)}"


def named(who: dict[str, str | int]) -> str:
    """Return the words for who left a note."""
    return f"process {who['pid']} of {who['user']} on {who['host']}"
