"""Coverage-guided fuzzing of what reads strangers' files, with Atheris.

``python tests/fuzz.py entry|agent|leaky RUNS SEED [FOLDER]`` makes so many mutants of sound files,
led by which lines of the reader they reach; those that reach new ones are kept in the folder and
begin the next session. It ends with another status than 0 where reading ends in anything but a
named refusal, or tries to write a file, to start a process, to reach the network or to unpickle.
``leaky`` is no reader of ours: it writes a file now and then, so that a test can see that this is
noticed.
"""

import json
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import atheris
from atheris.import_hook import instrument_imports

with instrument_imports(
    include=["mesabench.leaderboard", "mesabench.agents"],
    enable_loader_override=False,
):
    from mesabench.agents.onnx_agent import OnnxAgent
    from mesabench.leaderboard.reading import EntryError, parse_entry

from hostile_agents import grinder, harmless, nan_logits
from leaderboard_entries import an_entry

from mesabench.errors import AgentError
from mesabench.leaderboard.reading import entry_text
from mesabench.observation import observation_space
from mesabench.registry import get_task

FORBIDDEN = (
    *("os.system", "os.exec", "os.posix_spawn", "subprocess.Popen", "pickle.find_class"),
    *("socket.connect", "socket.bind", "os.remove", "os.rename", "os.mkdir", "shutil.rmtree"),
)
TASK = get_task("RedDoor-v0")
SPACE = observation_space(TASK)
reading = False


class Broken(Exception):
    """Reading did what reading must not do."""


def watch(event: str, arguments: tuple[Any, ...]) -> None:
    """End the process where a file that is being read makes it do something."""
    if not reading:
        return
    if event == "open":
        mode, flags = arguments[1], arguments[2]
        writes = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        if not (writes or (isinstance(mode, str) and set(mode) & set("wax+"))):
            return
    elif event not in FORBIDDEN:
        return
    raise Broken(f"{event}{arguments}")


def read_entry(data: bytes) -> None:
    """Read an entry, or refuse it in one printable line."""
    try:
        entry = parse_entry(data)
    except EntryError as error:
        said = str(error)
    else:
        said = "read"
        assert parse_entry(entry_text(entry)) == entry
    assert said.isprintable()


def read_agent(data: bytes) -> None:
    """Read an agent, or refuse it with a reason."""
    said = "read"
    try:
        OnnxAgent(data, SPACE, TASK.actions)
    except AgentError as error:
        said = str(error)
    assert said


def read_leaky(data: bytes) -> None:
    """Read anything, and write a file where it is long enough."""
    if len(data) > 40:
        Path(tempfile.gettempdir(), "leak").write_bytes(data)


def guarded(target: Callable[[bytes], None]) -> Callable[[bytes], None]:
    """Return a target during which the audit hook is awake."""

    def read(data: bytes) -> None:
        global reading
        reading = True
        try:
            target(data)
        finally:
            reading = False

    return read


def main() -> None:
    """Fuzz one of the readers."""
    which, runs, seed, *kept = sys.argv[1:]
    targets = {"entry": read_entry, "agent": read_agent, "leaky": read_leaky}
    sound = {
        "entry": [entry_text(an_entry()).encode(), json.dumps({"version": 1}).encode()],
        "agent": [m.SerializeToString() for m in (harmless(), nan_logits(), grinder(4, 3))],
        "leaky": [b"short"],
    }
    for data in sound[which]:
        targets[which](data)  # whatever is imported or compiled at first use is there from now on
    sys.addaudithook(watch)
    with tempfile.TemporaryDirectory() as scratch:
        corpus = Path(kept[0]) if kept else Path(scratch) / "corpus"
        corpus.mkdir(parents=True, exist_ok=True)
        for number, data in enumerate(sound[which]):
            (corpus / f"sound-{number}").write_bytes(data)
        options = [f"-runs={runs}", f"-seed={seed}", "-max_len=65536", "-timeout=60"]
        options += ["-rss_limit_mb=4096", f"-artifact_prefix={scratch}/", "-print_final_stats=1"]
        atheris.Setup([sys.argv[0], *options, str(corpus)], guarded(targets[which]))
        atheris.Fuzz()


if __name__ == "__main__":
    main()
