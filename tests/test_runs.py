"""The folder of a run: whether it is finished, and what may be trained in it."""

import json
from dataclasses import replace
from pathlib import Path

import onnx
import pytest
from tiny_runs import TINY, TOY, command, text_of

import mesabench
from mesabench import cli
from mesabench.agents.export import export_sb3
from mesabench.baselines import runs
from mesabench.baselines.config import TrainConfig
from mesabench.baselines.options import as_options
from mesabench.baselines.train import build_model, write_config
from mesabench.errors import MesaBenchError


def finished(run: Path, settings: TrainConfig, trained: int) -> None:
    """Make a folder look like that of a run whose agent was trained for so many steps."""

    task = mesabench.get_task(TOY)
    write_config(task, settings, run)
    (run / "evaluation.json").write_text("{}")
    export_sb3(build_model(task, settings), run / "agent.onnx")

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


def test_a_run_whose_evaluation_is_damaged_is_to_be_done_again(tmp_path):
    settings = replace(TINY, steps=512)
    finished(tmp_path, settings, trained=512)
    for damaged in ("nope", "{}", "[]", json.dumps({"env": "RedDoor-v0"})):
        (tmp_path / "evaluation.json").write_text(damaged)
        assert not runs.is_done(tmp_path, TOY, settings)
    (tmp_path / "evaluation.json").write_text(json.dumps({"env": TOY}))
    assert runs.is_done(tmp_path, TOY, settings)


def test_a_folder_in_which_nothing_was_trained_is_free(tmp_path):
    """As after settings that no network could have."""
    write_config(mesabench.get_task(TOY), replace(TINY, hidden=64), tmp_path)
    runs.refuse_others(tmp_path, TOY, TINY)
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "1.pt").touch()
    with pytest.raises(MesaBenchError, match="hidden 64, not"):
        runs.refuse_others(tmp_path, TOY, TINY)


def test_a_damaged_configuration_is_named(tmp_path):
    write_config(mesabench.get_task(TOY), TINY, tmp_path)
    text = (tmp_path / "config.json").read_text()
    (tmp_path / "config.json").write_text(text.replace(f'"steps": {TINY.steps}', '"steps": "x"'))
    with pytest.raises(MesaBenchError, match=r"config\.json: .*steps must be int, not 'x'"):
        runs.read_settings(tmp_path)


def test_an_evaluation_is_set_aside_when_a_training_goes_on(tmp_path):
    """Or else an agent would be taken for evaluated that never was."""
    arguments = ["train", TOY, *as_options(replace(TINY, steps=512)), "--out", str(tmp_path)]
    cli.main(arguments)
    (tmp_path / "evaluation.json").write_text("{}")
    assert runs.is_finished(tmp_path, TOY, replace(TINY, steps=512))
    cli.main([*arguments, "--steps", "1024"])
    assert runs.trained_steps(tmp_path) == 1024
    assert not runs.is_finished(tmp_path, TOY, replace(TINY, steps=1024))
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
