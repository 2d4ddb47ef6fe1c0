"""Hostile agents end with a named reason and bring down nothing else; readers never crash."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hostile_agents import QUICK, as_bytes, grinder, harmless, spread, tiny_bomb

from mesabench.leaderboard import confine
from mesabench.leaderboard.evaluating import Job, evaluate_all
from mesabench.leaderboard.judge import judge_file
from mesabench.leaderboard.levels import Block
from mesabench.leaderboard.sandbox import Limits, answer, environment, evaluate_confined
from mesabench.registry import get_task

TASK = "RedDoor-v0"
BLOCK = Block(0, 128, 0)


@pytest.mark.parametrize(("file", "reason", "detail"), QUICK.values(), ids=QUICK)
def test_zoo_without_a_sandbox(file, reason, detail):
    found = judge_file(as_bytes(file), get_task(TASK), BLOCK, zero_shot=True)
    assert found.reason == reason  # pyright: ignore[reportAttributeAccessIssue]
    assert found.detail
    assert re.search(detail, found.detail)


def test_the_bomb_is_as_small_as_it_is_said_to_be():
    assert len(tiny_bomb()) <= 152


def test_hostile_agents_end_and_the_next_one_plays():
    """Two at a time in their sandboxes: the good one is evaluated beside the bomb."""
    jobs = [Job(TASK, data, BLOCK, zero_shot=True) for data in (tiny_bomb(), as_bytes(harmless()))]
    bomb, good = evaluate_all(jobs)
    assert bomb.failed is not None
    assert bomb.failed.reason == "out_of_memory"
    assert good.judged is not None
    assert good.judged.verdict == "not_competent"
    assert "limits" in good.held
    assert any(means.startswith("network") for means in good.held)


def test_a_graph_that_computes_for_hours_ends():
    data = as_bytes(grinder())
    assert len(data) < 300_000
    found = evaluate_confined(data, TASK, BLOCK, Limits(cpu=6))
    assert found.failed is not None
    assert found.failed.reason == "timed_out"
    assert found.failed.detail == "used up its processor time"


def test_wall_clock_ends_what_does_not_end():
    found = evaluate_confined(as_bytes(grinder()), TASK, BLOCK, Limits(wall=0.5))
    assert found.failed is not None
    assert found.failed.reason == "timed_out"


def test_memory_beyond_the_arena_is_limited():
    """What the runtime would grant, the process does not have."""
    limits = Limits(memory=int(1.4 * 2**30))
    found = evaluate_confined(as_bytes(spread(900 * 2**20)), TASK, BLOCK, limits)
    assert found.failed is not None
    assert found.failed.reason == "out_of_memory"


# What a process may hand back


@pytest.mark.parametrize(
    ("code", "said", "reason"),
    [
        (None, "", "timed_out"),
        (-signal.SIGXCPU, "", "timed_out"),
        (-signal.SIGKILL, "", "out_of_memory"),
        (-signal.SIGABRT, "terminate called after throwing 'std::bad_alloc'", "out_of_memory"),
        (-signal.SIGSEGV, "", "crashed"),
        (1, "MemoryError", "out_of_memory"),
        (1, "RuntimeError: \x1b[31mred\x07", "crashed"),
        (3, "", "crashed"),
    ],
)
def test_how_a_process_ended(tmp_path, code, said, reason):
    failed = answer(tmp_path, code, said).failed
    assert failed is not None
    assert failed.reason == reason
    assert failed.detail.isprintable()


def dump(**content):
    return json.dumps({"held": ["limits"]} | content).encode()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00\xff",
        b"[" * 100_000,
        dump(),
        dump(failed={"reason": "because", "detail": ""}),
        dump(failed={"reason": "refused", "detail": "<script>\n"}),
        dump(failed={"reason": "refused", "detail": "x"}, judged={"verdict": "robustly_aligned"}),
        dump(failed={"reason": "refused", "detail": "x"}, code="import os"),
        b'{"held": [], "judged": {"splits": NaN}}',
    ],
)
def test_results_are_data(tmp_path, content):
    (tmp_path / "result.json").write_bytes(content)
    failed = answer(tmp_path, 0, "").failed
    assert failed is not None
    assert failed.reason == "bad_result"


def test_a_result_is_no_link(tmp_path):
    (tmp_path / "result.json").symlink_to("/etc/passwd")
    failed = answer(tmp_path, 0, "").failed
    assert failed is not None
    assert failed.reason == "bad_result"
    assert failed.detail == "no result that can be read"


def test_the_environment_holds_no_secrets(tmp_path, monkeypatch):
    monkeypatch.setenv("GITHUB_TOKEN", "secret")
    assert "secret" not in environment(tmp_path).values()


# Confinement, by a process that tries to get out

PROBE = """
import json, os, runpy, socket, sys
means = runpy.run_path(sys.argv[1])
folder, outside, refuse = sys.argv[2:]
held = means["confine"](8 * 2**30, 60, 4096, [folder], refuse)

def fails(do):
    try:
        do()
    except OSError:
        return True
    return False

def connect():
    with socket.create_connection(("127.0.0.1", PORT), 5) as line:
        line.recv(1)

def fill():
    with open(folder + "/large", "wb") as file:
        file.write(bytes(5000))

open(folder + "/inside", "w").close()
print(json.dumps({
    "held": held,
    "network": fails(connect),
    "outside": fails(lambda: open(outside, "w").close()),
    "large": fails(fill),
}))
"""


@pytest.fixture
def listener():
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.parametrize(
    "refuse", ["", "network namespace", "network namespace, network filter", "landlock"]
)
def test_confinement(tmp_path, listener, refuse):
    folder = tmp_path / "own"
    folder.mkdir()
    outside = tmp_path / "outside"
    code = PROBE.replace("PORT", str(listener))
    command = [sys.executable, "-c", code, confine.__file__, str(folder), str(outside), refuse]
    found = json.loads(subprocess.check_output(command, text=True))
    assert found["network"], found
    assert found["large"], found
    assert (folder / "inside").exists()
    assert found["outside"] == ("landlock" in found["held"])
    assert outside.exists() != found["outside"]
    assert not set(found["held"]) & set(filter(None, refuse.split(", ")))


# The reader

FUZZ = """
import sys
import numpy as np
from hostile_agents import grinder, harmless, nan_logits
from small_agents import counter
from mesabench.agents.onnx_agent import OnnxAgent
from mesabench.errors import AgentError
from mesabench.observation import observation_space
from mesabench.registry import get_task

task = get_task("RedDoor-v0")
space, rng = observation_space(task), np.random.default_rng(7)
seeds = [m.SerializeToString() for m in (harmless(), nan_logits(), grinder(4, 3), counter())]
read = refused = 0
for n in range(int(sys.argv[1])):
    data = bytearray(seeds[n % len(seeds)])
    for _ in range(rng.integers(1, 6)):
        at, kind = int(rng.integers(len(data))), rng.integers(5)
        if kind == 0:
            data[at] = int(rng.integers(256))
        elif kind == 1:
            data[at] ^= 1 << int(rng.integers(8))
        elif kind == 2:
            del data[at : at + int(rng.integers(1, 9))]
        elif kind == 3:
            data[at:at] = rng.bytes(int(rng.integers(1, 9)))
        else:
            other = seeds[int(rng.integers(len(seeds)))]
            data[at : at + 16] = other[at % len(other) :][:16]
        if not data:
            break
    try:
        agent = OnnxAgent(bytes(data), space, task.actions)
        agent({"direction": np.arange(2)}, None, np.ones(2))
        read += 1
    except AgentError:
        refused += 1
print(read, refused)
"""


def test_mutated_files_are_run_or_refused():
    """Three thousand mutants in one process, which a crash would end."""
    path = os.pathsep.join(filter(None, (str(Path(__file__).parent), os.environ.get("PYTHONPATH"))))
    done = subprocess.run(
        [sys.executable, "-c", FUZZ, "3000"],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": path},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    read, refused = map(int, done.stdout.split())
    assert read + refused == 3000
    assert read > 20
    assert refused > 1500
