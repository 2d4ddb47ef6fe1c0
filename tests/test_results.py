"""Results: intervals in closed form, rows that mix nothing, tables that say what runs said."""

import dataclasses
import json
import math
import re
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

import mesabench
from mesabench import cli
from mesabench.adaptivity.marks import ASKED_OF_OTHERS
from mesabench.baselines.config import TrainConfig
from mesabench.baselines.outcomes import Outcome, read_outcomes
from mesabench.baselines.records import FOLDER as RECORDS
from mesabench.baselines.results import LABELS, mean_over_seeds, rows_of
from mesabench.baselines.results_cells import (
    UNCALIBRATED,
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
from mesabench.baselines.results_plots import (
    INKS,
    by_gap,
    draw_returns,
    returns_picture,
    verdicts_picture,
)
from mesabench.baselines.results_tables import as_frame, as_latex, as_markdown
from mesabench.errors import MesaBenchError
from mesabench.scorers.verdict import Verdict

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


def outcome(seed: int = 0, task: str = "RedDoor-v0", **given: Any) -> Outcome:
    names = {field.name for field in dataclasses.fields(TrainConfig)}
    settings = TrainConfig(seed=seed, **{k: v for k, v in given.items() if k in names})
    base = mesabench.get_task(task).base.name

    def earned(split: str) -> dict[str, Any]:
        mean = given.get(split, 0.5)
        return {base: {"normalised": None if mean is None else {"mean": mean}}}

    evaluation = {
        "env": task,
        "verdict": given.get("verdict", "inconclusive"),
        "objective": given.get("goal"),
        "scored": given.get("scored", True),
        "calibrated": given.get("calibrated", True),
        "returns": {split: earned(split) for split in ("heldout", "test")},
    }
    command = f"mesabench run {task} --seed {seed} --steps {settings.steps}"
    return Outcome(Path(f"{task}-{seed}"), task, settings, evaluation, command)


@pytest.mark.parametrize(
    ("values", "half"),
    [
        ([0.0, 1.0], math.tan(math.pi * 0.475) / 2),  # one degree of freedom: Cauchy; s/√n = ½
        ([1.0, 2.0, 3.0], 0.95 * math.sqrt(2 / (1 - 0.95**2)) / math.sqrt(3)),  # two: closed form
        ([0.3] * 5, 0.0),
    ],
)
def test_the_interval_over_seeds_is_students(values: list[float], half: float) -> None:
    found = mean_over_seeds(values)
    assert found.mean == pytest.approx(np.mean(values))
    assert found.low == pytest.approx(found.mean - half)
    assert found.high == pytest.approx(found.mean + half)


def test_the_interval_covers_the_mean_as_often_as_it_says() -> None:
    draws = np.random.default_rng(0).normal(0.7, 0.2, (600, 4))
    covered = [f.low <= 0.7 <= f.high for f in map(mean_over_seeds, draws) if f.low and f.high]
    assert np.mean(covered) == pytest.approx(0.95, abs=0.027)  # 3 standard errors


def test_one_seed_has_no_interval_and_is_marked() -> None:
    found = mean_over_seeds([0.4])
    assert (found.mean, found.low, found.high) == (0.4, None, None)
    (line,) = results_cells(rows_of([outcome(heldout=0.9)])).lines
    assert "0.90 (n = 1)" in line
    assert as_frame(rows_of([outcome()]))[["heldout_low", "test_high"]].isna().all(axis=None)


def test_verdicts_that_are_not_calibrated_are_marked() -> None:
    some = [outcome(), outcome(task="KeysChests-v0", calibrated=False)]
    table = results_cells(rows_of(some))
    assert [line[0] for line in table.lines if UNCALIBRATED in line[-2]] == ["KeysChests-v0"]
    assert UNCALIBRATED in table.title
    assert UNCALIBRATED not in results_cells(rows_of(some[:1])).title
    assert as_frame(rows_of(some))["calibrated"].tolist() == [False, True]


def test_what_differs_in_more_than_the_seed_is_not_pooled() -> None:
    some = [outcome(0), outcome(1), outcome(2, threads=1), outcome(0, alpha=0.1)]
    rows = rows_of([*some, outcome(0, num_levels=100), outcome(0, task="KeysChests-v0")])
    assert [(r.task, r.name, len(r.outcomes)) for r in rows] == [
        ("KeysChests-v0", "", 1),
        ("RedDoor-v0", "", 3),
        ("RedDoor-v0", "num_levels=100", 1),
        ("RedDoor-v0", "alpha=0.1", 1),
    ]
    assert "settings" in results_cells(rows).header
    assert "settings" not in results_cells(rows_of(some[:3])).header


def test_agents_that_draw_their_actions_are_not_pooled_with_greedy_ones() -> None:
    some = [outcome(0), outcome(0, action="sample"), outcome(0, recolour=True)]
    assert [row.name for row in rows_of(some)] == ["", "action=sample", "recolour"]


def test_shares_of_verdicts_name_the_proxies_and_the_worst_seed_is_the_lowest_at_test() -> None:
    proxied = {"verdict": "pseudo_aligned"}
    some = [
        outcome(0, test=0.3, goal="reach_red", **proxied),
        outcome(1, test=-0.2, goal="nearest_object", **proxied),
        outcome(2, test=0.9, verdict="robustly_aligned", goal="reach_door"),
        outcome(3, test=0.4, goal="reach_red", **proxied),
        outcome(4, test=None, verdict="not_competent"),
    ]
    (row,) = rows_of(some)
    assert [*row.counts.items()] == [
        ("robustly aligned", 1),
        ("pseudo-aligned: nearest_object", 1),
        ("pseudo-aligned: reach_red", 2),
        ("not competent", 1),
    ]
    assert row.worst.settings.seed == 1
    shares = as_frame([row]).filter(like="share ").iloc[0]
    assert shares["share pseudo-aligned: reach_red"] == pytest.approx(0.4)
    assert shares.sum() == pytest.approx(1)


def test_every_verdict_has_a_place_and_an_ink() -> None:
    verdicts = get_args(Verdict)
    labels = {outcome(verdict=verdict, goal="x").label.partition(":")[0] for verdict in verdicts}
    assert labels | {"control"} == {*LABELS} == {*INKS}
    assert outcome(verdict="pseudo_aligned", goal="x", scored=False).label == "control: x"


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


def test_every_seed_is_a_dot_and_shares_fill_a_bar() -> None:
    rows = rows_of(
        [outcome(s, test=s / 4, verdict=v) for s, v in enumerate(("other_goal", "inconclusive"))]
        + [outcome(0, task="KeysChests-v0")]
    )
    axes = Figure().subplots()
    draw_returns(axes, rows, "test")
    dots = [np.asarray(c.get_offsets())[:, 0].tolist() for c in axes.collections]
    assert sorted(dots) == [[0.0, 0.25], [0.5]]
    bars = verdicts_picture(rows).axes[0].patches
    widths = [sum(b.get_width() for b in bars if round(b.get_y() + 0.4) == y) for y in (0, 1)]
    assert widths == pytest.approx([1, 1])


def test_pictures_mark_what_is_not_calibrated_and_are_not_squeezed_by_wide_intervals() -> None:
    given = {"RedDoor-v0": True, "KeysChests-v0": False}
    pairs = [(task, sure, seed) for task, sure in given.items() for seed in (0, 1)]
    rows = rows_of([outcome(s, task=t, calibrated=sure, test=float(s)) for t, sure, s in pairs])
    assert all(row.test.low is not None and row.test.low < -5 for row in rows)  # t of one degree
    axes = verdicts_picture(rows).axes[0]
    titles = {label.get_text() for label in axes.get_yticklabels()}
    assert titles == {"RedDoor-v0 (n = 2)", "KeysChests-v0 (n = 2) †"}
    assert {bar.get_hatch() for bar in axes.patches} == {None, "///"}
    low, high = returns_picture(rows).axes[0].get_xlim()
    assert -0.2 < low < 0 < 1 < high < 1.2


def test_pictures_begin_with_the_task_on_which_returns_fall_farthest() -> None:
    falls = {"RedDoor-v0": 0.8, "KeysChests-v0": 0.1, "ButtonLamp-v0": 0.5}
    rows = rows_of([outcome(task=task, heldout=1.0, test=x) for task, x in falls.items()])
    assert [row.task for row in by_gap(rows)] == ["KeysChests-v0", "ButtonLamp-v0", "RedDoor-v0"]


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
