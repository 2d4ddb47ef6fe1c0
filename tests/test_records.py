"""Agents on record: what lies there is what was evaluated, and plays as the record says."""

import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest

import mesabench
from mesabench import cli, learning
from mesabench.agents.onnx_agent import OnnxAgent
from mesabench.baselines import records
from mesabench.baselines.evaluating_again import MOST_TEXT, shortened
from mesabench.baselines.outcomes import RECORD, read_outcome
from mesabench.baselines.records import (
    ALL_BYTES,
    FILES,
    FOLDER,
    faults_of,
    list_records,
    put_on_record,
)
from mesabench.baselines.results_page import made_anew, records_beside, write_page
from mesabench.errors import MesaBenchError
from mesabench.observation import observation_space
from mesabench.rollout import rollout

PAGE = FOLDER.parent / "README.md"
TRACK = Path(learning.__file__).parent / "README.md"
SAMPLE, LEVELS = 2, 128
TINY = "--steps 256 --num-envs 8 --rollout 16 --hidden 8 --lstm 8 --threads 1 --levels 16"


def on_objectives(folder: Path) -> list[Path]:
    return [r for r in list_records(folder) if not read_outcome(r).learning]


def replayed(record: Path, split: str) -> tuple[float, float]:
    """Return by how much a replay earns more than the record says, and the standard error."""
    outcome = read_outcome(record)
    task = mesabench.get_task(outcome.task)
    agent = OnnxAgent.load(
        record / "agent.onnx",
        observation_space(task),
        task.actions,
        outcome.evaluation["seed"],
    )
    count = min(LEVELS, outcome.evaluation["levels"][split]["count"])
    played = rollout(agent, task, split, count, **outcome.evaluation["knobs"])
    gained = played.returns(task.base)
    said = outcome.evaluation["returns"][split][task.base.name]["discounted"]
    errors = (said["high"] - said["low"]) / 3.92, gained.std(ddof=1) / np.sqrt(count)
    return gained.mean() - said["mean"], float(np.hypot(*errors))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("runs")
    found = {"RedDoor-v0": folder / "door", "Bandit-v0": folder / "bandit"}
    for task, run in found.items():
        cli.main(["run", task, *TINY.split(), "--out", str(run)])
    return found


@pytest.fixture(scope="module")
def kept(runs: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home") / "agents"
    cli.main(["keep", *map(str, runs.values()), "--out", str(folder)])
    return folder


@pytest.fixture
def record(kept: Path, tmp_path: Path) -> Path:
    """A copy that may be spoilt."""
    place = Path("RedDoor-v0") / "recurrent-ppo-seed0"
    shutil.copytree(kept / place, tmp_path / place)
    return tmp_path / place


def test_a_kept_run_is_sound_and_small(kept: Path) -> None:
    found = list_records(kept)
    assert [r.relative_to(kept).as_posix() for r in found] == [
        "Bandit-v0/recurrent-ppo-seed0",
        "RedDoor-v0/recurrent-ppo-seed0",
    ]
    assert [fault for r in found for fault in faults_of(r)] == []
    for each in found:
        assert {path.name for path in each.iterdir()} == {*FILES}
        types = {t.data_type for t in onnx.load(each / "agent.onnx").graph.initializer}
        assert onnx.TensorProto.FLOAT16 in types


def test_what_is_on_record_was_measured_on_the_file_on_record(kept: Path, runs) -> None:
    said = read_outcome(kept / "RedDoor-v0" / "recurrent-ppo-seed0").evaluation
    task = mesabench.get_task("RedDoor-v0")
    path = kept / "RedDoor-v0" / "recurrent-ppo-seed0" / "agent.onnx"
    agent = OnnxAgent.load(path, observation_space(task), task.actions)
    found = mesabench.evaluate(agent, task, levels=16, **said["knobs"]).as_dict()
    assert said["returns"] == json.loads(json.dumps(found["returns"]))
    before = json.loads((runs["RedDoor-v0"] / "evaluation.json").read_text())
    assert (said["levels"], said["seed"]) == (before["levels"], before["seed"])


def test_a_record_says_how_it_came_about(kept: Path, runs: dict[str, Path]) -> None:
    for task, run in runs.items():
        place = kept / task / "recurrent-ppo-seed0"
        before, after = read_outcome(run), read_outcome(place)
        assert (after.task, after.settings) == (before.task, before.settings)
        assert after.command == before.command
        shown = (place / "card.md").read_text()
        assert after.command in shown
        assert all(words in shown for words in ("Licence: MIT", "One seed says nothing"))
    assert "Not competent" in (kept / "RedDoor-v0/recurrent-ppo-seed0/card.md").read_text()


def test_the_replay_agrees_with_the_record_and_would_not_with_another(record: Path) -> None:
    for split in ("heldout", "test"):
        difference, error = replayed(record, split)
        assert abs(difference) <= 2 * error + 1e-12
    config = json.loads((record / "evaluation.json").read_text())
    base = mesabench.get_task("RedDoor-v0").base.name
    config["returns"]["test"][base]["discounted"] = {"mean": 0.9, "low": 0.88, "high": 0.92}
    (record / "evaluation.json").write_text(json.dumps(config))
    difference, error = replayed(record, "test")
    assert abs(difference) > 2 * error


def test_faults_of_a_record_are_found(record: Path) -> None:
    assert faults_of(record) == []
    agent = onnx.load(record / "agent.onnx")
    agent.doc_string = "another file"
    onnx.save(agent, record / "agent.onnx")
    assert "is not the file that was evaluated" in faults_of(record)[0]
    config = json.loads((record / "config.json").read_text())
    config[RECORD] |= {"fingerprint": "0", "steps": 1}
    (record / "config.json").write_text(json.dumps(config))
    said = "; ".join(faults_of(record))
    assert "other levels or objectives now" in said
    assert "fewer steps" in said
    other = record.rename(record.with_name("ppo-seed0"))
    assert "another name" in "; ".join(faults_of(other))
    (other / "card.md").unlink()
    assert faults_of(other) == [f"{other} lacks card.md"]


def test_too_large_an_agent_is_refused_and_leaves_nothing(runs, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(records, "MOST_BYTES", 1000)
    with pytest.raises(MesaBenchError, match=r"bytes in half precision.*1,000"):
        put_on_record(runs["RedDoor-v0"], tmp_path)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_run_takes_its_own_place_on_record_and_no_others(runs, record: Path) -> None:
    folder = record.parent.parent
    (record / "card.md").write_text("old")
    assert put_on_record(runs["RedDoor-v0"], folder) == record
    assert faults_of(record) == []
    config = json.loads((record / "config.json").read_text()) | {"learning_rate": 0.5}
    (record / "config.json").write_text(json.dumps(config))
    with pytest.raises(MesaBenchError, match="other settings; remove that record first"):
        put_on_record(runs["RedDoor-v0"], folder)


def test_keep_asks_for_runs(capsys) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main(["keep"])
    assert stop.value.code == 2
    assert "name the folders" in capsys.readouterr().err


def test_a_run_that_is_not_finished_is_not_kept(runs, tmp_path: Path) -> None:
    shutil.copytree(runs["RedDoor-v0"], tmp_path / "run")
    (tmp_path / "run" / "evaluation.json").unlink()
    with pytest.raises(MesaBenchError, match="is not finished"):
        put_on_record(tmp_path / "run", tmp_path / "agents")


def test_a_long_evaluation_loses_what_is_beside_it_first() -> None:
    short = {"env": "x", "beside": {"a": 1}}
    assert shortened(short) == (json.dumps(short, indent=1) + "\n", [])
    text, left_out = shortened({"env": "x", "beside": ["word"] * MOST_TEXT})
    assert json.loads(text) == {"env": "x", "beside": None}
    assert left_out == ["what is beside the verdict"]
    many = {"figures": {"regret": 1.0}, "curves": {"c": [0.5] * MOST_TEXT}, "samples": {}}
    text, left_out = shortened({"splits": {"test": many}, "references": {"test": {"B": many}}})
    assert json.loads(text)["references"]["test"]["B"]["figures"] == {"regret": 1.0}
    assert len(text) <= MOST_TEXT
    assert left_out == ["curves and samples of references", "curves and samples of splits"]


def test_the_page_is_written_from_the_records(kept: Path) -> None:
    page = kept.parent / "README.md"
    page.write_text(PAGE.read_text(encoding="utf-8"), encoding="utf-8")
    cli.main(["results", "--write", str(page)])
    text = page.read_text(encoding="utf-8")
    assert "| RedDoor-v0 | recurrent-ppo | 1 |" in text
    for outcome in records_beside(page):
        assert outcome.command in text
        assert (page.parent / f"agents/{outcome.task}/{outcome.run.name}/card.md").is_file()
    assert (page.parent / "pictures" / "returns.png").is_file()
    assert made_anew(page, records_beside(page)) == text
    write_page(page)
    assert page.read_text(encoding="utf-8") == text


def test_every_record_of_the_package_is_sound() -> None:
    assert [fault for record in list_records() for fault in faults_of(record)] == []


def test_all_records_together_stay_small() -> None:
    files = [path for path in FOLDER.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= ALL_BYTES
    assert {path.parent for path in files} == {*list_records()}


@pytest.mark.parametrize("page", [PAGE, TRACK])
def test_the_tables_of_the_pages_are_what_the_records_make(page: Path) -> None:
    assert made_anew(page, records_beside(page)) == page.read_text(encoding="utf-8")


@pytest.mark.parametrize("part", range(SAMPLE))
@pytest.mark.parametrize("split", ["heldout", "test"])
def test_a_sample_of_the_records_plays_as_it_says(part: int, split: str) -> None:
    found = on_objectives(FOLDER)
    if len(found) <= part:
        pytest.skip("no agent is on record yet")
    record = found[part * len(found) // SAMPLE]
    difference, error = replayed(record, split)
    assert abs(difference) <= 2 * error + 1e-12, record
