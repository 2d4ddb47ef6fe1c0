"""The sandbox: a stranger's agent is evaluated in a process of its own, which is held to limits.

The process has so much memory, processor time and wall-clock time, no network, and a folder of its
own in which alone it may write (see `mesabench.leaderboard.confine`). It hands back one file, which
is read as data. Whatever an agent brings about there ends that agent, with a reason.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field

from mesabench.engine.cache import Kernel, cache_folder, cache_root
from mesabench.leaderboard import confine
from mesabench.leaderboard.counts import Record
from mesabench.leaderboard.entry import Failure, Judged, Line, Reason
from mesabench.leaderboard.judge import NO_MEMORY
from mesabench.leaderboard.levels import Block
from mesabench.leaderboard.reading import EntryError, brief, decoded, read_bounded, validated
from mesabench.registry import get_task


@dataclass(frozen=True)
class Limits:
    """What an agent's evaluation may use.

    Attributes:
        memory: bytes of address space; the runtime alone takes one GiB of it.
        cpu: seconds of processor time.
        file_size: bytes of any file that it writes.
        wall: seconds.
        refuse: means of confinement to do without, for tests.
    """

    memory: int = 4 * 2**30
    cpu: int = 600
    file_size: int = 16 * 2**20
    wall: float = 1200.0
    refuse: str = ""


class Answer(Record):
    """What comes back from the sandbox."""

    held: Annotated[tuple[Line, ...], Field(max_length=10)]
    judged: Judged | None = None
    failed: Failure | None = None


def evaluate_confined(
    data: bytes,
    task: str,
    block: Block,
    limits: Limits | None = None,
    *,
    zero_shot: bool = False,
) -> Answer:
    """Evaluate an agent's file in a sandbox.

    Args:
        data: the file's bytes.
        task: id of the task.
        block: the levels that it plays.
        limits: what it may use.
        zero_shot: whether its owner says that it never saw the test split.

    Returns:
        What was found, or why nothing was, and how the process was confined.
    """
    limits = limits or Limits()
    get_task(task)  # loads its kernels
    with tempfile.TemporaryDirectory(prefix="mesabench-") as name:
        folder = Path(name).resolve()
        (folder / "agent.onnx").write_bytes(data)
        terms = {k: v for k, v in asdict(limits).items() if k != "wall"}
        request = {"task": task, "block": block, "limits": terms, "zero_shot": zero_shot}
        (folder / "request.json").write_text(json.dumps(request), encoding="utf-8")
        link_kernels(folder / "cache" / "kernels")
        code, said = run(folder, limits.wall)
        return answer(folder, code, said)


def run(folder: Path, wall: float) -> tuple[int | None, str]:
    """Run the confined process; return its exit status (None: out of time) and last words."""
    command = [sys.executable, "-P", confine.__file__, str(folder)]
    with open(folder / "stderr", "wb") as words:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment(folder),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=words,
            start_new_session=True,
        )
    try:
        code = process.wait(wall)
    except subprocess.TimeoutExpired:
        code = None
    finally:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    said = (folder / "stderr").read_bytes()[-4000:].decode("utf-8", "replace")
    return code, said


def environment(folder: Path) -> dict[str, str]:
    """Return the environment variables of the process: none of the caller's secrets."""
    kept = {name: os.environ[name] for name in ("HOME", "LANG", "PATH") if name in os.environ}
    one = ("OPENBLAS", "OMP", "MKL", "NUMBA")
    return kept | {
        "TMPDIR": str(folder),
        "MPLCONFIGDIR": str(folder),
        "MESABENCH_CACHE_DIR": str(folder / "cache"),
        **{f"{name}_NUM_THREADS": "1" for name in one},
    }


def link_kernels(folder: Path) -> None:
    """Give a process the compiled kernels to read: it writes new ones here and nowhere else."""
    root = cache_root()
    for path in (path for kept in kernel_folders() for path in kept.rglob("*.nb[ci]")):
        target = folder / path.relative_to(root)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(path)


def kernel_folders() -> set[Path]:
    """Return the cache folders of the kernels that are loaded here, those of the task included."""
    modules = [module for name, module in list(sys.modules.items()) if name != "__main__"]
    kernels = [k for module in modules for k in vars(module).values() if isinstance(k, Kernel)]
    return {cache_folder(Path(kernel.py_func.__code__.co_filename)) for kernel in kernels}


def answer(folder: Path, code: int | None, said: str) -> Answer:
    """Read what a process handed back, or tell from its end why there is nothing."""
    if code is None:
        return ended("timed_out", "used up its time")
    if code < 0:
        return by_signal(-code, said)
    if code != 0:
        last = next(reversed(said.strip().splitlines()), "")
        reason = "out_of_memory" if lacked_memory(said) else "crashed"
        return ended(reason, last or f"exit status {code}")
    try:
        data = read_bounded(folder / "result.json")
    except EntryError:
        return ended("bad_result", "no result that can be read")
    try:
        found = validated(Answer, decoded(data, "result"), "result")
    except EntryError as error:
        return ended("bad_result", str(error))
    if (found.judged is None) == (found.failed is None):
        return ended("bad_result", "neither figures nor a failure, or both")
    return found


def by_signal(number: int, said: str) -> Answer:
    """Say why a signal ended a process."""
    if number == signal.SIGXCPU:
        return ended("timed_out", "used up its processor time")
    if number == signal.SIGKILL or lacked_memory(said):
        return ended("out_of_memory", "stopped for want of memory")
    with suppress(ValueError):
        return ended("crashed", signal.Signals(number).name)
    return ended("crashed", f"signal {number}")


def lacked_memory(said: str) -> bool:
    """Return whether a process's last words are about memory."""
    return any(words in said.lower() for words in NO_MEMORY)


def ended(reason: Reason, detail: str) -> Answer:
    """Return the answer of a process that gave none."""
    return Answer(held=(), failed=Failure(reason=reason, detail=brief(detail)))
