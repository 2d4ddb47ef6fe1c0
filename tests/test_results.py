"""Results: tables and pages say what runs said."""

import dataclasses
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_outcomes import outcome

import mesabench
from mesabench import cli
from mesabench.adaptivity.marks import ASKED_OF_OTHERS
from mesabench.baselines.config import TrainConfig
from mesabench.baselines.outcomes import read_outcomes
from mesabench.baselines.records import FOLDER as RECORDS
from mesabench.baselines.results import rows_of
from mesabench.baselines.results_cells import (
    UNMET,
    Cells,
    across_splits,
    marks_by_seed,
    marks_cells,
    results_cells,
)
from mesabench.baselines.results_page import (
    BEGIN,
    EMPTY,
    END,
    commands,
    made_anew,
    write_page,
)
from mesabench.baselines.results_tables import as_latex, as_markdown
from mesabench.errors import MesaBenchError

TASK = "DeceptiveToy-v0"
TINY = "--steps 256 --num-envs 8 --rollout 16 --hidden 8 --lstm 8 --threads 1 --levels 16"


def run(task: str, seed: int, folder: Path, *given: str) -> Path:
    cli.main(["run", task, *TINY.split(), "--seed", str(seed), "--out", str(folder), *given])
    return folder


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    for task, seed in ((TASK, 0), (TASK, 1), ("Bandit-v0", 0)):
        run(task, seed, folder / task / str(seed))
    run("Bandit-v0", 0, folder / "Bandit-v0" / "easy", "--level", "prior=2")
    return folder


def test_runs_say_in_the_table_what_their_evaluations_say(runs: Path) -> None:
    found = [o for o in read_outcomes([runs]) if not o.settings.level]
    assert [(o.task, o.settings.seed) for o in found] == [("Bandit-v0", 0), (TASK, 0), (TASK, 1)]
    (row,) = rows_of(found)
    base, values = mesabench.get_task(TASK).base.name, []
    for seed in (0, 1):
        said = json.loads((runs / TASK / str(seed) / "evaluation.json").read_text())
        values.append(said["returns"]["test"][base]["normalised"]["mean"])
    assert row.test.mean == pytest.approx(np.mean(values))
    assert row.counts == {"not competent": 2}  # 256 steps teach nothing


def test_marks_of_learning_have_a_line_each(runs: Path) -> None:
    found = [o for o in read_outcomes([runs]) if not o.settings.level]
    said = json.loads((runs / "Bandit-v0" / "0" / "evaluation.json").read_text())["passes"]
    cells = marks_cells(found)
    assert [line[3] for line in cells.lines] == [mark["line"] for mark in said]
    assert [line[-1] == "yes" for line in cells.lines] == [mark["passed"] for mark in said]


def test_seeds_stand_side_by_side_where_they_are_asked_the_same(runs: Path) -> None:
    found = [o for o in read_outcomes([runs]) if o.learning]
    (usual,) = (o for o in found if not o.settings.level)
    again = dataclasses.replace(usual, settings=dataclasses.replace(usual.settings, seed=7))
    cells = marks_by_seed([*found, again])
    assert cells.header[-2:] == ("seed 0", "seed 7")
    asked = [m for m in usual.evaluation["passes"] if m["line"] not in ASKED_OF_OTHERS]
    assert len(asked) == len(usual.evaluation["passes"]) - 1
    for line, mark in zip(cells.lines, asked, strict=True):
        assert line[2:4] == (mark["line"], mark["asked"])
        assert line[4] == line[5]
        assert (UNMET in line[4]) != mark["passed"]


def test_a_bar_in_a_cell_is_no_border() -> None:
    cells = Cells("", ("mark",), [("|MF index|",)])
    assert as_markdown(cells).splitlines()[-1] == r"| \|MF index\| |"


def test_a_page_deeper_than_the_records_shows_the_learning_track(
    runs: Path, tmp_path: Path
) -> None:
    page = tmp_path / "package" / "track" / "README.md"
    page.parent.mkdir(parents=True)
    (tmp_path / "baselines" / "agents").mkdir(parents=True)
    page.write_text(f"before\n{BEGIN}\n{END}\nafter\n")
    text = made_anew(page, read_outcomes([runs]))
    assert "Bandit-v0: regret of agents trained on different levels" in text
    assert TASK not in text
    assert EMPTY in made_anew(page, [outcome()])


def test_agents_trained_on_other_arms_are_told_apart_and_compared_on_every_split(
    runs: Path,
) -> None:
    found = read_outcomes([runs])
    assert {line[1] for line in marks_cells(found).lines} == {
        "recurrent-ppo",
        "recurrent-ppo, prior=2",
    }
    (cells,) = across_splits(found).values()
    assert cells.header[2:] == ("heldout", "test", "easy", "medium", "hard")
    for line, name in zip(cells.lines, ("0", "easy"), strict=True):
        said = json.loads((runs / "Bandit-v0" / name / "evaluation.json").read_text())["splits"]
        regrets = [f"{said[split]['figures']['regret']['mean']:.2f}" for split in cells.header[2:]]
        assert [cell.split()[0] for cell in line[2:]] == regrets
    assert not across_splits([o for o in found if not o.settings.level])


def test_a_rows_command_trains_with_the_rows_settings(runs: Path, tmp_path, monkeypatch) -> None:
    """Also what is on record does so, and whatever is tuned later."""
    monkeypatch.chdir(tmp_path)
    odd = TrainConfig(learning_rate=0.5, lstm=7, steps=11)
    monkeypatch.setattr("mesabench.baselines.configs.load_settings", lambda *_: odd)

    class Asked(Exception):
        pass

    def train(task, config, folder, console):
        raise Asked(task.id, config)

    monkeypatch.setattr("mesabench.baselines.train.train", train)
    for found in read_outcomes([runs, RECORDS]):
        with pytest.raises(Asked) as asked:
            cli.main(found.command.split()[1:])
        assert asked.value.args == (found.task, found.settings)


def test_results_writes_csv_latex_and_pictures(runs: Path, tmp_path: Path, capsys) -> None:
    files = ["--csv", str(tmp_path / "t.csv"), "--latex", str(tmp_path / "t.tex")]
    cli.main(["results", str(runs), *files, "--pictures", str(tmp_path / "pictures")])
    assert "worst" in capsys.readouterr().out
    frame = pd.read_csv(tmp_path / "t.csv")
    (row,) = rows_of(read_outcomes([runs]))
    assert frame["n"].tolist() == [2]
    assert frame["heldout_mean"].tolist() == pytest.approx([row.heldout.mean])
    evaluations = [json.loads(path.read_text()) for path in runs.rglob("evaluation.json")]
    marks = [mark["line"] for found in evaluations for mark in found.get("passes", ())]
    assert pd.read_csv(tmp_path / "t-learning.csv")["mark"].tolist() == marks
    assert len(marks) >= 3
    assert r"\toprule" in (tmp_path / "t.tex").read_text()
    assert "$\\le$" in (tmp_path / "t-learning.tex").read_text()
    for name in ("returns", "verdicts"):
        assert (tmp_path / "pictures" / f"{name}.png").read_bytes().startswith(b"\x89PNG")


def test_latex_escapes_what_latex_would_read() -> None:
    found = outcome(verdict="pseudo_aligned", goal="reach_red", num_levels=10)
    text = as_latex(results_cells(rows_of([found, outcome(1)])))
    assert r"reach\_red" in text
    assert r"num\_levels=10" in text
    assert not re.search(r"(?<!\\)_", text)


def test_the_same_run_twice_an_unfinished_one_and_none_are_refused(
    runs: Path, tmp_path: Path
) -> None:
    first = runs / TASK / "0"
    for name in ("config.json", "agent.onnx", "evaluation.json"):
        (tmp_path / "copy").mkdir(exist_ok=True)
        (tmp_path / "copy" / name).write_bytes((first / name).read_bytes())
    with pytest.raises(MesaBenchError, match="hold the same run"):
        read_outcomes([first, tmp_path])
    assert len(read_outcomes([first, runs])) == 4
    (tmp_path / "copy" / "evaluation.json").write_text("{")
    with pytest.raises(MesaBenchError, match=r"evaluation\.json' is damaged"):
        read_outcomes([tmp_path])
    (tmp_path / "copy" / "evaluation.json").unlink()
    with pytest.raises(MesaBenchError, match="is not finished"):
        read_outcomes([tmp_path / "copy"])
    with pytest.raises(MesaBenchError, match="holds no finished run"):
        read_outcomes([tmp_path])


def test_runs_that_differ_in_the_seed_alone_share_a_loop() -> None:
    lines = commands([outcome(2), outcome(0), outcome(0, steps=5)])
    assert lines == [
        "for seed in 0 2; do mesabench run RedDoor-v0 --seed $seed --steps 2000000; done",
        "mesabench run RedDoor-v0 --seed 0 --steps 5",
    ]


def test_only_the_marked_part_of_a_page_is_written(tmp_path: Path) -> None:
    page = tmp_path / "README.md"
    with pytest.raises(MesaBenchError, match="there is no page"):
        write_page(page)
    page.write_text(f"before\n{END} {BEGIN}")
    with pytest.raises(MesaBenchError, match="in this order"):
        write_page(page)
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    write_page(page)
    assert page.read_text() == f"before\n{BEGIN}\n\n{EMPTY}\n\n{END}\nafter\n"


def test_a_page_above_the_records_shows_their_headline(tmp_path: Path) -> None:
    page = tmp_path / "README.md"
    (tmp_path / "baselines" / "agents").mkdir(parents=True)
    page.write_text(f"before\n{BEGIN}\n{END}\nafter\n")
    some = [outcome(0), outcome(1)]
    text = made_anew(page, some)
    assert "![returns](baselines/pictures/returns.png)" in text
    assert "| RedDoor-v0 | recurrent-ppo | 2 |" in text
    assert not any(o.command in text for o in some)
    assert text.startswith("before")
    assert text.endswith("after\n")
