"""Strangers' files, mutated by what the readers' own lines tell the fuzzer (see `fuzz`)."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

if importlib.util.find_spec("atheris") is None:
    pytest.skip("Atheris is not installed", allow_module_level=True)

RUNS = 40_000


def fuzz(which: str) -> "subprocess.CompletedProcess[str]":
    """Fuzz one of the readers in a process of its own, which a crash would end."""
    script = Path(__file__).with_name("fuzz.py")
    command = [sys.executable, str(script), which, str(RUNS), "1"]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.mark.parametrize("reader", ["entry", "agent"])
def test_what_a_stranger_may_send_is_read_or_refused_and_does_nothing(reader: str) -> None:
    done = fuzz(reader)
    assert done.returncode == 0, done.stderr[-2000:]
    assert f"Done {RUNS} runs" in done.stderr


def test_a_reader_that_writes_is_caught() -> None:
    done = fuzz("leaky")
    assert done.returncode != 0
    assert "Broken: open" in done.stdout + done.stderr
