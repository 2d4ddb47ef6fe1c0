"""A run as a child process, which stops and keeps its state when its parent stops it or dies.

The child's standard input is a pipe whose other end the parent has. It ends when the parent closes
it and when the parent is gone, however that came about; an orphan would go on writing into a folder
that the next sweep, or another machine of a cluster, gives to a new process.
"""

import _thread
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

LOG = "output.log"
PROMPT = "$ "  # begins the line of a log in which a session's command stands
GRACE = 60.0  # seconds that a run has to keep its state
AGAIN = 5.0  # seconds until it is told once more to stop
PAUSE = 0.2  # seconds between two looks at a child


def start(arguments: Sequence[str], folder: Path, threads: int) -> "subprocess.Popen[bytes]":
    """Start ``mesabench ARGUMENTS``; what it prints is added to ``output.log`` of a folder.

    Args:
        arguments: of the command line.
        folder: the run's folder.
        threads: of numerical libraries.
    """
    folder.mkdir(parents=True, exist_ok=True)
    libraries = {"OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": str(threads)}
    with (folder / LOG).open("ab", buffering=0) as log:
        log.write(f"{PROMPT}{shlex.join(['mesabench', *arguments])}\n".encode())
        return subprocess.Popen(
            [sys.executable, "-m", __name__, str(folder), *arguments],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=libraries | os.environ | {"PYTHONUNBUFFERED": "1"},
            start_new_session=True,  # Ctrl-C reaches the parent alone, which then stops the child
        )


def stop(children: "Sequence[subprocess.Popen[bytes]]") -> None:
    """Stop children: they keep their state first; those that take too long are killed."""
    for child in children:
        if child.stdin is not None:
            child.stdin.close()
    end = time.monotonic() + GRACE
    try:
        for child in children:
            child.wait(max(end - time.monotonic(), 0.1))
    except subprocess.TimeoutExpired:
        pass
    finally:
        for child in children:
            child.kill()
            child.wait()


def perform(arguments: Sequence[str], folder: Path, threads: int) -> str | None:
    """Start a run and wait for its end; return why it failed, or None. Arguments as of `start`."""
    child = start(arguments, folder, threads)
    try:
        while (code := child.poll()) is None:
            time.sleep(PAUSE)
    finally:
        stop([child])
    return reason(folder, code)


def reason(folder: Path, code: int) -> str | None:
    """Return why a run with this exit status failed; None where it did not."""
    if code == 0:
        return None
    try:
        lines = (folder / LOG).read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:
        lines = []
    last = next((line.strip() for line in reversed(lines) if line.strip()), PROMPT)
    said = "" if last.startswith(PROMPT) else last
    if code > 0:
        return said or f"it ended with status {code} and said nothing"
    name = signal.Signals(-code).name
    return f"it was killed by {name}" + (f", after: {said}" if said else "")


def watch_parent() -> None:
    """Interrupt this process, as Ctrl-C does, when its standard input ends."""
    while os.read(0, 1 << 10):
        pass
    # Once may not do: an interrupt that falls into a callback of compiled code can be lost there.
    for _ in range(round(GRACE / AGAIN)):
        _thread.interrupt_main()
        time.sleep(AGAIN)
    os._exit(130)


def main() -> None:
    """Be the child: the first argument is the run's folder, the others are `mesabench`'s."""
    from mesabench import cli
    from mesabench.baselines.locks import hold_run

    signal.signal(signal.SIGINT, signal.default_int_handler)  # Ray's processes ignore it
    threading.Thread(target=watch_parent, daemon=True).start()
    folder, *arguments = sys.argv[1:]
    sys.argv = ["mesabench", *arguments]  # a stopped run tells the command that goes on with it
    # A predecessor whose machine was given up may still be keeping its state.
    with hold_run(Path(folder), patience=2 * GRACE):
        pass
    cli.main(arguments)  # which holds it again


if __name__ == "__main__":
    main()
