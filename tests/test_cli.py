"""The command line: what it lists, what it says of bad input, and that it writes what it says."""

import contextlib
import io
import json
import re
import sys
from dataclasses import replace
from inspect import signature
from pathlib import Path
from typing import NamedTuple

import pytest

import mesabench
from mesabench import cli, report
from mesabench.agents.export import export_sb3
from mesabench.baselines import commands
from mesabench.baselines.algorithms import FLAGSHIP, get_algorithm
from mesabench.baselines.config import TrainConfig
from mesabench.baselines.configs import load_settings
from mesabench.baselines.grid import Grid
from mesabench.baselines.train import build_model, describe
from mesabench.beside import adversary, thinking

TINY = TrainConfig(num_envs=4, rollout=8, lstm=8, hidden=8, threads=1)
WHOLE = "CheeseDish-v0"  # all looks at an agent take a while, so one task has to do for them


class Evaluated(NamedTuple):
    """What `mesabench evaluate` wrote into a folder and said."""

    folder: Path
    said: str


def evaluate(agent_file: Path, name: str, *, page: bool = True) -> Evaluated:
    task_id, out = agent_file.parent.name, agent_file.parent / name
    more = [] if task_id == WHOLE else ["--brief"]
    with contextlib.redirect_stdout(io.StringIO()) as said, pytest.MonkeyPatch.context() as patch:
        patch.setattr(adversary, "BUDGET", 100)
        patch.setattr(thinking, "LEVELS", 64)
        if not page:  # which takes as long as all the rest
            patch.setattr(report, "write_report", lambda result, folder, **given: folder)
        cli.main(["evaluate", str(agent_file), "--out", str(out), "--levels", "8", *more])
    return Evaluated(out, said.getvalue())


@pytest.fixture(scope="module", params=mesabench.task_ids())
def agent_file(request, tmp_path_factory) -> Path:
    task = mesabench.get_task(request.param)
    folder = tmp_path_factory.mktemp("agent") / task.id
    folder.mkdir()
    return export_sb3(build_model(task, TINY), folder / "agent.onnx", metadata=describe(task, TINY))


@pytest.fixture(scope="module")
def evaluated(agent_file) -> Evaluated:
    return evaluate(agent_file, "first")


def text_of(capsys) -> str:
    out = capsys.readouterr()
    return re.sub(r"\x1b\[[0-9;]*m", "", out.out + out.err)


def test_the_version_is_the_packages(capsys):
    cli.main(["--version"])
    assert capsys.readouterr().out == f"mesabench {mesabench.__version__}\n"


def test_list_names_every_task_and_its_objectives(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    cli.main(["list"])
    shown = text_of(capsys)
    for name in mesabench.task_ids():
        assert name in shown
        assert mesabench.get_task(name).base.name in shown
    assert all(name in shown for name in mesabench.task_ids("learning"))


@pytest.mark.parametrize("task_id", mesabench.task_ids())
def test_info_gives_docstring_splits_knobs_and_bibtex(task_id, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")
    cli.main(["info", task_id])
    shown, task = text_of(capsys), mesabench.get_task(task_id)
    assert "Base objective:" in shown
    assert task.bibtex in shown
    for name, split in task.splits.items():
        assert name in shown
        assert all(f"{k}={v}" in shown for k, v in split.level._asdict().items())


def test_evaluate_reads_the_task_from_the_file_and_writes_json_and_page(agent_file, evaluated):
    found = json.loads((evaluated.folder / "evaluation.json").read_text())
    assert found["env"] == agent_file.parent.name
    assert found["verdict"] == "not_competent"
    assert "Not competent" in evaluated.said
    assert "Not competent" in (evaluated.folder / "report.html").read_text()


@pytest.mark.parametrize("task_id", mesabench.task_ids("learning"))
def test_evaluate_profiles_an_agent_of_a_learning_task(task_id, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")
    task = mesabench.get_task(task_id)
    path = tmp_path / "agent.onnx"
    export_sb3(build_model(task, TINY), path, metadata=describe(task, TINY))
    cli.main(["evaluate", str(path), "--levels", "48"])
    found = json.loads((tmp_path / "evaluation.json").read_text())
    assert (found["env"], found["track"]) == (task_id, "learning")
    assert "verdict" not in found
    headline = found["statements"][0]
    assert headline.startswith("not history-conditioned"), headline
    assert headline in text_of(capsys).replace("\n", " ")
    assert (tmp_path / "report.html").stat().st_size > 10_000


def test_learning_tasks_have_no_objectives_to_audit_or_validate(capsys):
    for command in ("audit", "validate", "organisms", "alpha"):
        with pytest.raises(SystemExit):
            cli.main([command, "Bandit-v0"])
        assert "no objectives to tell apart" in text_of(capsys).replace("\n", " ")


def test_evaluating_the_same_file_twice_gives_the_same_figures(agent_file, evaluated):
    again = evaluate(agent_file, "second", page=False)
    first, second = (e.folder.joinpath("evaluation.json").read_bytes() for e in (evaluated, again))
    assert first == second


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["info", "KeyChests-v0"], "did you mean 'KeysChests-v0'"),
        (["render", "KeysChests-v0", "--level", "siez=9"], "did you mean 'size'"),
        (["render", "KeysChests-v0", "--level", "size"], "knob=number"),
        (["evaluate", "nowhere.onnx", "--env", "KeysChests-v0"], "nowhere.onnx"),
        (["bench", "--only", "engin"], "did you mean 'engine'"),
    ],
)
def test_bad_input_is_named_and_ends_with_status_2(command, said, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        cli.main(command)
    assert stop.value.code == 2
    assert said in text_of(capsys).replace("\n", " ")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", ["train", "run", "tune", "sweep"])
def test_a_file_where_a_folder_has_to_be_is_named(command, tmp_path, capsys):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(SystemExit) as stop:
        cli.main([command, "RedDoor-v0", "--out", str(tmp_path / "file")])
    assert stop.value.code == 2
    said = text_of(capsys).replace("\n", "")
    assert f"'{tmp_path / 'file'}': " in said
    assert "choose another place" in said
    assert (tmp_path / "file").read_text() == "mine"


def test_results_are_not_written_over_a_folder(tmp_path, capsys):
    (tmp_path / "table").mkdir()
    with pytest.raises(SystemExit) as stop:
        cli.main(["results", "--csv", str(tmp_path / "table")])
    assert stop.value.code == 2
    assert f"'{tmp_path / 'table'}': Is a directory" in text_of(capsys).replace("\n", "")
    assert [path.name for path in tmp_path.iterdir()] == ["table"]


@pytest.mark.parametrize("task_id", ["RedDoor-v0", "Bandit-v0"])
def test_an_evaluation_without_levels_or_place_is_refused_at_once(task_id, tmp_path, capsys):
    task = mesabench.get_task(task_id)
    agent_file = tmp_path / "agent.onnx"
    export_sb3(build_model(task, TINY), agent_file, metadata=describe(task, TINY))
    for given, said in (
        (["--levels", "0"], "plays 1 level of each split or more, not 0"),
        (["--seed", "-1"], "seed of an evaluation is 0 or more, not -1"),
        (["--out", str(agent_file)], "File exists"),
    ):
        with pytest.raises(SystemExit) as stop:
            cli.main(["evaluate", str(agent_file), *given])
        assert stop.value.code == 2
        assert said in text_of(capsys).replace("\n", " ")


def test_knobs_of_another_task_in_a_file_are_refused(agent_file, tmp_path, capsys):
    import onnx

    model = onnx.load(agent_file)
    for prop in model.metadata_props:
        if prop.key == "knobs":
            prop.value = '{"palete": 1}'
    onnx.save(model, tmp_path / "odd.onnx")
    with pytest.raises(SystemExit):
        cli.main(["evaluate", str(tmp_path / "odd.onnx"), "--levels", "16"])
    assert "did you mean 'palette'" in text_of(capsys).replace("\n", " ")


def test_training_starts_from_the_tuned_settings_of_the_task():
    for task in mesabench.task_ids(None):
        for given in (task, f"MesaBench/{task}"):
            command = cli.all_commands(["train", given, "--seed", "3"])["train"]
            assert signature(command).parameters["config"].default == load_settings(
                task, "recurrent-ppo"
            )
    other = cli.all_commands(["run", "RedDoor-v0", "--algorithm=ppo"])["run"]
    assert signature(other).parameters["config"].default == load_settings("RedDoor-v0", "ppo")
    untold = signature(cli.all_commands(())["train"]).parameters["config"].default
    assert untold == TrainConfig()


def test_training_starts_from_the_defaults_where_the_tuned_settings_are_not_wanted():
    assert load_settings("Bandit-v0", "recurrent-ppo") != TrainConfig()
    for given, begun in (
        (["--no-tuned"], TrainConfig()),
        (["--no_tuned"], TrainConfig()),  # tyro reads both
        (["--no-tuned", "--tuned"], load_settings("Bandit-v0", "recurrent-ppo")),
    ):
        command = cli.all_commands(["run", "Bandit-v0", *given])["run"]
        assert signature(command).parameters["config"].default == begun
    for tuned, begun in ((False, TrainConfig()), (True, load_settings("Bandit-v0", FLAGSHIP))):
        (job,) = Grid(["Bandit-v0"], tuned=tuned).jobs(Path("runs"), 64)
        assert job.settings == replace(begun, threads=1)


def test_settings_are_those_of_the_task_that_is_trained_on(monkeypatch, capsys):
    """An option's value may be a task's name, too."""
    begun = []
    monkeypatch.setattr(
        "mesabench.baselines.train.train", lambda task, *given: begun.append(task.id) or sys.exit(0)
    )
    monkeypatch.setattr(commands, "refuse_others", lambda *given: None)
    monkeypatch.setattr(commands, "hold_run", lambda *given: contextlib.nullcontext())
    with pytest.raises(SystemExit) as stop:
        cli.main(["train", "--out", "RedDoor-v0", "KeysChests-v0"])
    assert stop.value.code == 2
    assert "put it before the options" in capsys.readouterr().err.replace("\n", " ")
    assert not begun
    for given in (["KeysChests-v0", "--out"], ["--no-tuned", "KeysChests-v0", "--out"]):
        with pytest.raises(SystemExit):
            cli.main(["train", *given, "RedDoor-v0"])
    assert begun == ["KeysChests-v0"] * 2


def test_the_last_algorithm_counts():
    given = ["run", "RedDoor-v0", "--algorithm", "ppo", "--algorithm", "qrdqn"]
    command = cli.all_commands(given)["run"]
    assert isinstance(signature(command).parameters["config"].default, get_algorithm("qrdqn").Args)


def test_the_algorithm_of_another_command_is_its_own_business():
    assert set(cli.all_commands(["export", "model.zip", "--algorithm", "PPO"])) >= {
        "export",
        "train",
    }
