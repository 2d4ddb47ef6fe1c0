"""Sweeps are stopped, disks are full, nodes die: each run is done once, nothing is lost."""

import errno
import importlib.util
import os
import signal
import socket
import subprocess
import sys
import tempfile
from dataclasses import replace
from typing import Any

import pytest
from tiny_runs import HANGS, LONG, SMALL, TINY, TOY, checkpoints, command, text_of, until

from mesabench import cli
from mesabench.baselines import child, locks, runs
from mesabench.baselines.checkpoints import read_checkpoint
from mesabench.baselines.grid import Grid


def hear_ctrl_c() -> None:
    """Be interruptible also where the tests are not: a shell's background jobs ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.slow
def test_stopped_runs_keep_their_state_and_the_same_command_goes_on(tmp_path):
    """The sweep is killed, so that its run is an orphan; then interrupted; then left to finish."""
    given = [sys.executable, "-m", "mesabench.cli", *command(tmp_path, TOY, steps=LONG)]
    run = tmp_path / TOY / "recurrent-ppo-seed0"
    kept = 0
    for number in (signal.SIGKILL, signal.SIGINT):
        sweep = subprocess.Popen(given, stdout=subprocess.PIPE, text=True, preexec_fn=hear_ctrl_c)
        until(lambda: [p for p in checkpoints(tmp_path) if int(p.stem) > kept])  # noqa: B023
        sweep.send_signal(number)
        said = sweep.communicate(timeout=HANGS)[0]
        with locks.hold_run(run, HANGS):  # held by the run until it has ended
            newest = checkpoints(tmp_path)[-1]
        assert read_checkpoint(newest)["steps"] > kept
        kept = int(newest.stem)
        assert not (run / "evaluation.json").exists()
    assert sweep.returncode == 130
    assert "To go on, give the same command again:\n  mesabench sweep" in said
    subprocess.run(given, check=True, capture_output=True)
    assert f"resuming at step {kept:,}" in (run / "output.log").read_text()
    assert runs.is_finished(run, TOY, replace(TINY, steps=LONG))


@pytest.mark.slow
def test_a_full_disk_ends_a_run_with_a_reason_and_leaves_checkpoints_whole(
    tmp_path, capsys, monkeypatch
):
    job = Grid([TOY], changes=SMALL, steps=1024).jobs(tmp_path, 16)[0]
    real = tempfile.NamedTemporaryFile

    def full(*given: Any, **options: Any) -> Any:
        file = real(*given, **options)
        if options["prefix"].startswith(f".{512:012d}.pt"):
            file.write(b"what still had room")

            def write(data: bytes) -> int:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

            file.write = write
        return file

    monkeypatch.setattr(tempfile, "NamedTemporaryFile", full)
    with pytest.raises(SystemExit) as stop:
        cli.main(job.arguments)
    assert stop.value.code == 2
    assert "error: the disk is full" in text_of(capsys).splitlines()[-1]
    folder = job.folder / "checkpoints"
    assert [path.name for path in folder.iterdir()] == [f"{256:012d}.pt"]
    assert read_checkpoint(folder / f"{256:012d}.pt")["steps"] == 256
    monkeypatch.undo()
    cli.main(job.arguments)
    assert "resuming at step 256" in text_of(capsys)
    assert runs.is_finished(job.folder, TOY, job.settings)


def test_why_a_run_failed_is_the_last_that_it_said(tmp_path):
    log = tmp_path / child.LOG
    log.write_text("$ mesabench run X\nstep 1\nerror: the disk is full\n\n")
    assert child.reason(tmp_path, 0) is None
    assert child.reason(tmp_path, 2) == "error: the disk is full"
    assert child.reason(tmp_path, -9) == "it was killed by SIGKILL, after: error: the disk is full"
    log.write_text("an earlier session\n$ mesabench run X\n")
    assert child.reason(tmp_path, -9) == "it was killed by SIGKILL"


def test_ray_that_is_missing_or_silent_is_an_error(tmp_path, capsys, monkeypatch):
    given = [*command(tmp_path, TOY), "--executor", "ray", "--timeout", "1", "--address"]
    with socket.create_server(("127.0.0.1", 0)) as silent:
        place = f"127.0.0.1:{silent.getsockname()[1]}"
        if importlib.util.find_spec("ray"):
            with pytest.raises(SystemExit):
                cli.main([*given, place])
            assert f"no Ray cluster answers at {place}: nothing within 1 s" in text_of(capsys)
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(SystemExit):
        cli.main([*given, place])
    assert "pip install 'mesabench[ray]'" in text_of(capsys)
    assert not checkpoints(tmp_path)


@pytest.mark.slow
def test_a_dying_node_of_a_ray_cluster_loses_no_run(tmp_path, monkeypatch):
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'mesabench[ray]'")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    from ray.cluster_utils import Cluster

    cluster = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False}
    )
    given = [*command(tmp_path, TOY, "--seeds", "0", "1", "2", steps=8_192)]
    given += ["--executor", "ray", "--address", cluster.address]
    sweep = None
    try:
        doomed = cluster.add_node(num_cpus=1)
        sweep = subprocess.Popen([sys.executable, "-m", "mesabench.cli", *given])
        # With one CPU on each node, two runs with checkpoints mean one on each.
        until(lambda: len({path.parent for path in checkpoints(tmp_path)}) == 2)
        assert not list(tmp_path.glob("*/*/evaluation.json"))
        cluster.remove_node(doomed, allow_graceful=False)
        assert sweep.wait(timeout=HANGS) == 0
    finally:
        if sweep is not None:
            sweep.terminate()
            sweep.wait()
        cluster.shutdown()
    logs = [path.read_text() for path in sorted(tmp_path.glob("*/*/output.log"))]
    begun = sorted(log.count("$ mesabench run") for log in logs)
    assert begun == [1, 1, 2]
    assert sum("resuming at step" in log for log in logs) == 1
    for seed in range(3):
        run = tmp_path / TOY / f"recurrent-ppo-seed{seed}"
        assert runs.is_finished(run, TOY, replace(TINY, steps=8_192, seed=seed))
