"""Sweeps: what they do, refuse and say; a failure costs one run."""

import io
import json
import os
import shlex
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from tiny_runs import TINY, TOY, command, text_of

import mesabench
from mesabench import cli
from mesabench.baselines import child, locks, runs
from mesabench.baselines.algorithms import ALGORITHMS
from mesabench.baselines.executors import Ended
from mesabench.baselines.grid import TIER_A, Grid, expand
from mesabench.baselines.sweep_progress import SweepProgress
from mesabench.errors import MesaBenchError


def test_a_grid_has_every_combination_once_and_every_first_seed_first():
    grid = Grid(["RedDoor-v0", TOY], ["recurrent-ppo", "ppo"], (0, 3), (0.0, 0.03), (None, 100))
    jobs = grid.jobs(Path("out"), 64)
    assert len(jobs) == len({job.folder for job in jobs}) == 2**5
    assert [job.settings.seed for job in jobs] == [0] * 16 + [3] * 16
    found = {(j.task, j.settings.algorithm, j.settings.alpha, j.settings.num_levels) for j in jobs}
    assert len(found) == 2**4
    assert Path("out/RedDoor-v0/ppo-alpha0.03-levels100-seed3") in {job.folder for job in jobs}
    assert all(job.settings.threads == 1 for job in jobs)


def test_a_sweep_of_unequal_chances_says_so(tmp_path, capsys, monkeypatch):
    """Settings were searched for some algorithms, but not for all."""
    monkeypatch.setattr("mesabench.baselines.sweep.sweep", lambda *given: [])
    several = ["sweep", "RedDoor-v0", "--algorithms", "recurrent-ppo", "ppo-frames"]
    for more, said in (([], "1 of 2 pairs of task and algorithm"), (["--no-tuned"], "")):
        cli.main([*several, *more, "--out", str(tmp_path)])
        shown = text_of(capsys)
        assert said in shown
        assert bool(shown.strip()) == bool(said)


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
        ([TOY, "--set", "hidden=-3"], "the setting hidden is 1 or more, not -3"),
        ([TOY, "--alphas", "0", "1.5"], "the setting alpha is from 0 to 1, not 1.5"),
        ([TOY, "--levels", "0"], "1 level of each split or more, not 0"),
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
    assert f"failed {TOY}/recurrent-ppo-seed0\n  error: " in shown
    assert "Not a directory" in shown
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


def test_a_folder_in_which_somebody_trains_is_refused(tmp_path, capsys):
    with locks.hold_run(tmp_path), pytest.raises(SystemExit) as stop:
        cli.main(["train", TOY, "--steps", "512", "--out", str(tmp_path)])
    assert stop.value.code == 2
    shown = text_of(capsys).replace("\n", " ")
    assert "another process trains in" in shown
    assert f"process {os.getpid()} of" in shown
    assert [path.name for path in tmp_path.iterdir()] == [locks.RUN_LOCK]


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
        who = f"process {holder.pid} of {locks.whoami()} on {socket.gethostname()}"
        assert who in said.replace("\n", " ")
        assert not (tmp_path / TOY).exists()
    finally:
        holder.kill()
        holder.wait()
    assert (tmp_path / locks.NOTE).exists()  # it died with the lock in its hand
    with locks.hold(tmp_path):
        assert locks.read_note(tmp_path / locks.NOTE)["pid"] == os.getpid()
    assert not (tmp_path / locks.NOTE).exists()


def test_a_user_without_a_name_has_a_number(monkeypatch):
    """As in a container that is run as anybody."""

    def nameless() -> str:
        raise KeyError("getpwuid(): uid not found: 54321")

    monkeypatch.setattr(locks.getpass, "getuser", nameless)
    assert locks.describe_holder()["user"] == f"user {os.getuid()}"


def test_a_sweep_of_another_machine_is_not_taken_for_dead(tmp_path):
    note = {"user": "ada", "host": "far-away", "pid": 1, "since": "yesterday"}
    (tmp_path / locks.NOTE).write_text(json.dumps(note))
    with (
        pytest.raises(MesaBenchError, match=r"process 1 of ada on far-away; .* remove"),
        locks.hold(tmp_path),
    ):
        pass
    assert json.loads((tmp_path / locks.NOTE).read_text()) == note


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
