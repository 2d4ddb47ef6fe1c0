"""Sweeps: each run is done once whatever stops, a failure costs one run, nothing is lost."""

import errno
import importlib.util
import io
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

import mesabench
from mesabench import cli
from mesabench.baselines import child, locks, runs
from mesabench.baselines.algorithms import ALGORITHMS
from mesabench.baselines.checkpoints import read_checkpoint
from mesabench.baselines.config import TrainConfig
from mesabench.baselines.executors import Ended
from mesabench.baselines.grid import TIER_A, Grid, expand
from mesabench.baselines.sweep_progress import SweepProgress
from mesabench.errors import MesaBenchError

HANGS = 900.0  # seconds after which a process that is waited for will never be done
LONG = 16_384  # steps of a run that is still going on when it is stopped, however fast
TOY = "DeceptiveToy-v0"
SMALL = ["num_envs=8", "rollout=16", "minibatches=2", "lstm=8", "hidden=8", "checkpoint_every=256"]
TINY = TrainConfig(
    num_envs=8, rollout=16, minibatches=2, lstm=8, hidden=8, checkpoint_every=256, threads=1
)


def command(out: Path, *more: str, steps: int = 512) -> list[str]:
    settings = ["--set", *SMALL, "--steps", str(steps)]
    return ["sweep", *more, *settings, "--levels", "16", "--out", str(out)]


def text_of(capsys) -> str:
    out = capsys.readouterr()
    return re.sub(r"\x1b\[[0-9;]*m", "", out.out + out.err)


def until(happens: Callable[[], Any], seconds: float = HANGS) -> None:
    end = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < end, "it has not happened"
        time.sleep(0.05)


def checkpoints(out: Path) -> list[Path]:
    return sorted(out.glob("*/*/checkpoints/*.pt"))


def test_a_grid_has_every_combination_once_and_every_first_seed_first():
    grid = Grid(["RedDoor-v0", TOY], ["recurrent-ppo", "ppo"], (0, 3), (0.0, 0.03), (None, 100))
    jobs = grid.jobs(Path("out"), 64)
    assert len(jobs) == len({job.folder for job in jobs}) == 2**5
    assert [job.settings.seed for job in jobs] == [0] * 16 + [3] * 16
    found = {(j.task, j.settings.algorithm, j.settings.alpha, j.settings.num_levels) for j in jobs}
    assert len(found) == 2**4
    assert Path("out/RedDoor-v0/ppo-alpha0.03-levels100-seed3") in {job.folder for job in jobs}
    assert all(job.settings.threads == 1 for job in jobs)


def test_groups_stand_for_their_tasks():
    assert expand(["tier-a", "RedDoor-v0", f"MesaBench/{TOY}"]) == [*TIER_A, TOY]
    assert sorted(expand(["all"])) == sorted(mesabench.task_ids(None))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("task_id", [TOY, "Bandit-v0"])
def test_listed_commands_ask_for_the_runs_of_the_sweep(
    algorithm, task_id, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    axes = ["--seeds", "7", "8", "--alphas", "0", "0.03", "--num-levels", "none", "100"]
    changed = ["recolour=true", "level=size=5", "hidden=24", "objective=none"]
    more = ["--set", *changed, "--steps", "5000", "--algorithms", algorithm]
    cli.main(["sweep", task_id, *axes, *more, "--list"])
    lines = capsys.readouterr().out.splitlines()
    asked = []
    monkeypatch.setattr(
        "mesabench.baselines.train.train", lambda *given: asked.append(given) or sys.exit(0)
    )
    for line in lines:
        program, *arguments = shlex.split(line)
        assert program == "mesabench"
        with pytest.raises(SystemExit):
            cli.main(arguments)
    grid = Grid([task_id], [algorithm], (7, 8), (0, 0.03), (None, 100), 5000, changed)
    jobs = grid.jobs(Path("runs/sweep"), 1024)
    assert len(jobs) == 8
    assert [(t.id, s, f) for t, s, f, _ in asked] == [(j.task, j.settings, j.folder) for j in jobs]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["tier-b"], "did you mean 'tier-a'"),
        (["RedDor-v0"], "did you mean 'RedDoor-v0'"),
        ([], "name tasks"),
        ([TOY, "--algorithms", "pppo"], "did you mean 'ppo'"),
        ([TOY, "--set", "lsmt=3"], "did you mean 'lstm'"),
        ([TOY, "--set", "lstm=3", "--algorithms", "ppo"], "unknown setting of ppo 'lstm'"),
        ([TOY, "--set", "lstm=many"], "'many' is no value of the setting lstm (int)"),
        ([TOY, "--set", "lstm"], "key=value"),
        ([TOY, "--set", "seed=3"], "use --seeds"),
        ([TOY, "--set", "level=siez=3"], "did you mean 'size'"),
        ([TOY, "--executor", "ray"], "--address"),
        ([TOY, "--address", "localhost:1"], "--executor ray"),
    ],
)
def test_bad_input_is_named_before_anything_happens(given, said, tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["sweep", *given, "--out", str(tmp_path / "out")])
    assert stop.value.code == 2
    assert said in text_of(capsys).replace("\n", " ")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_failed_run_costs_only_itself_and_finished_ones_are_left_alone(tmp_path, capsys):
    first, second = (tmp_path / TOY / f"recurrent-ppo-seed{seed}" for seed in (0, 1))
    blocked = first / "logs"
    first.mkdir(parents=True)
    blocked.touch()  # where a folder has to be
    given = command(tmp_path, TOY, "--seeds", "0", "1", "--jobs", "2")
    with pytest.raises(SystemExit) as stop:
        cli.main(given)
    assert stop.value.code == 1
    shown = text_of(capsys)
    assert f"failed {TOY}/recurrent-ppo-seed0\n  NotADirectoryError" in shown
    assert f"finished {TOY}/recurrent-ppo-seed1" in shown
    found = json.loads((second / "evaluation.json").read_text())
    assert found["env"] == TOY
    assert found["levels"]["test"]["count"] == 16
    assert runs.steps_done(second) == 512
    written = {path: path.stat().st_mtime_ns for path in second.rglob("*")}

    blocked.unlink()
    cli.main(given)
    assert "2 runs, 1 of them finished before" in text_of(capsys)
    assert runs.is_finished(first, TOY, replace(TINY, steps=512))
    assert {path: path.stat().st_mtime_ns for path in second.rglob("*")} == written


@pytest.mark.slow
def test_stopped_runs_keep_their_state_and_the_same_command_goes_on(tmp_path):
    """The sweep is killed, so that its run is an orphan; then interrupted; then left to finish."""
    given = [sys.executable, "-m", "mesabench.cli", *command(tmp_path, TOY, steps=LONG)]
    run = tmp_path / TOY / "recurrent-ppo-seed0"
    kept = 0
    for number in (signal.SIGKILL, signal.SIGINT):
        sweep = subprocess.Popen(given, stdout=subprocess.PIPE, text=True)
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


def test_a_folder_in_which_somebody_trains_is_refused(tmp_path, capsys):
    with locks.hold_run(tmp_path), pytest.raises(SystemExit) as stop:
        cli.main(["train", TOY, "--steps", "512", "--out", str(tmp_path)])
    assert stop.value.code == 2
    assert "another process trains in" in text_of(capsys)
    assert [path.name for path in tmp_path.iterdir()] == [locks.RUN_LOCK]


def finished(run: Path, settings: TrainConfig, trained: int) -> None:
    """Make a folder look like that of a run whose agent was trained for so many steps."""
    from mesabench.agents.export import export_sb3
    from mesabench.baselines.train import build_model, write_config

    task = mesabench.get_task(TOY)
    write_config(task, settings, run)
    (run / "evaluation.json").write_text("{}")
    export_sb3(build_model(task, settings), run / "agent.onnx")
    import onnx

    model = onnx.load(run / "agent.onnx")
    for prop in model.metadata_props:
        if prop.key == "training_steps":
            prop.value = str(trained)
    onnx.save(model, run / "agent.onnx")


def test_a_run_is_finished_if_its_evaluation_belongs_to_these_settings(tmp_path):
    settings = replace(TINY, steps=512)
    finished(tmp_path, settings, trained=512)
    assert runs.is_finished(tmp_path, TOY, settings)
    assert runs.is_finished(tmp_path, TOY, replace(settings, threads=2, checkpoint_every=1))
    longer, other = replace(settings, steps=1024), replace(settings, entropy=0.5)
    for wanted in (longer, other, replace(settings, action="sample")):
        assert not runs.is_finished(tmp_path, TOY, wanted)
    runs.refuse_others(tmp_path, TOY, longer)
    with pytest.raises(MesaBenchError, match=r"entropy 0\.01, not 0\.5"):
        runs.refuse_others(tmp_path, TOY, other)
    with pytest.raises(MesaBenchError, match="steps 512, not 256"):
        runs.refuse_others(tmp_path, TOY, replace(settings, steps=256))
    with pytest.raises(MesaBenchError, match="task DeceptiveToy-v0, not Bandit-v0"):
        runs.refuse_others(tmp_path, "Bandit-v0", settings)
    # A longer training had begun, and was killed, when only the shorter one had been evaluated.
    finished(tmp_path, longer, trained=512)
    assert not runs.is_finished(tmp_path, TOY, longer)
    child.set_aside(tmp_path)
    assert [p.name for p in tmp_path.glob("*evaluation.json")] == ["before.evaluation.json"]


def test_a_sweep_refuses_a_folder_with_other_runs_and_leaves_it_as_it_is(tmp_path, capsys):
    run = tmp_path / TOY / "recurrent-ppo-seed0"
    finished(run, replace(TINY, steps=512, entropy=0.5), trained=512)
    before = {path: path.read_bytes() for path in run.iterdir()}
    with pytest.raises(SystemExit):
        cli.main(command(tmp_path, TOY))
    assert "other settings (entropy 0.5, not 0.01)" in text_of(capsys)
    for name in ("run", "train"):
        with pytest.raises(SystemExit):
            cli.main([name, TOY, "--lstm", "9", "--out", str(run)])
        assert "lstm 8, not 9" in text_of(capsys)
    assert {path: path.read_bytes() for path in run.iterdir()} == before


def test_one_sweep_at_a_time_and_the_error_says_whose(tmp_path, capsys):
    code = (
        "import sys, time; from pathlib import Path; from mesabench.baselines.locks import hold\n"
        "with hold(Path(sys.argv[1])): print('held', flush=True); time.sleep(600)"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(SystemExit) as stop:
            cli.main(command(tmp_path, TOY))
        assert stop.value.code == 2
        said = text_of(capsys)
        assert f"process {holder.pid} on {socket.gethostname()}" in said
        assert not (tmp_path / TOY).exists()
    finally:
        holder.kill()
        holder.wait()
    assert (tmp_path / locks.NOTE).exists()  # it died with the lock in its hand
    with locks.hold(tmp_path):
        assert locks.read_note(tmp_path / locks.NOTE)["pid"] == os.getpid()
    assert not (tmp_path / locks.NOTE).exists()


def test_a_sweep_of_another_machine_is_not_taken_for_dead(tmp_path):
    note = {"user": "ada", "host": "far-away", "pid": 1, "since": "yesterday"}
    (tmp_path / locks.NOTE).write_text(json.dumps(note))
    with (
        pytest.raises(MesaBenchError, match=r"of ada .*process 1 on far-away.* remove"),
        locks.hold(tmp_path),
    ):
        pass
    assert json.loads((tmp_path / locks.NOTE).read_text()) == note


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


def test_progress_is_read_off_the_logs(tmp_path):
    jobs = Grid([TOY], seeds=(0, 1, 2), steps=1000).jobs(tmp_path, 16)
    text = io.StringIO()
    with SweepProgress(jobs, Console(file=text, width=200)) as progress:
        for job in jobs[:2]:
            log = job.folder / "logs" / "from-0" / "progress.csv"
            log.parent.mkdir(parents=True)
            log.write_text("time/fps,time/total_timesteps\n9,250\n9,500\n9,7")  # being written
            (job.folder / child.LOG).write_text("step")
        progress.update([])
        assert "0/3 runs ended, 33% of the steps done" in text.getvalue()
        progress.update([Ended(jobs[0]), Ended(jobs[2], "no luck")])
    last = text.getvalue().splitlines()[-1]
    assert f"FAILED {TOY}/recurrent-ppo-seed2: no luck" in text.getvalue()
    assert last.startswith("2/3 runs ended, 75% of the steps done")


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
