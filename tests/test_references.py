"""The reference table: what it measures, and that it fails when a figure is off."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from mesabench.learning import rows
from mesabench.learning.commands import references
from mesabench.learning.learner import LearningError
from mesabench.learning.measuring import Estimate
from mesabench.learning.references import FEWEST, Measured, compute
from mesabench.learning.rows import Row, reference_rows

QUICK = [row for row in reference_rows() if not row.task.startswith(("5 ", "10 ", "50 "))]


def find(task: str, learner: str, quantity: str) -> Row:
    (row,) = (r for r in QUICK if (r.task, r.learner, r.quantity) == (task, learner, quantity))
    return row


def test_no_figure_is_asked_twice():
    names = Counter((row.task, row.learner, row.quantity) for row in reference_rows())
    assert max(names.values()) == 1


def test_the_learners_reach_their_figures():
    results = list(compute(QUICK, 1000))
    assert [r.row for r in results if not r.ok] == []


def test_another_learner_does_not():
    best, random = find("independent", "Bayes", "regret"), find("independent", "random", "regret")
    (swapped,) = compute([replace(best, experiment=random.experiment)], 1000)
    assert not swapped.ok
    greedy = find("dependent, hard", "greedy", "regret")
    hard = find("dependent, hard", "Bayes", "regret")
    (worse,) = compute([replace(hard, experiment=greedy.experiment)], 1000)
    assert not worse.ok


@pytest.mark.parametrize(("value", "error", "ok"), [(1.6, None, False), (1.6, 0.2, True)])
def test_a_row_lets_pass_its_tolerance_and_the_error(value: float, error: float | None, ok: bool):
    row = replace(QUICK[0], expected=1.0, tolerance=0.5)
    assert Measured(row, Estimate(value, error)).ok is ok


def test_one_experiment_is_run_once():
    runs = []

    def run(episodes: int, seed: int) -> dict[str, Estimate]:
        runs.append((episodes, seed))
        return {"MB": Estimate(0.7, 0.01), "MF": Estimate(0.0, 0.01)}

    shared = [replace(QUICK[0], quantity=q, experiment=run) for q in ("MB", "MF")]
    assert [r.found.value for r in compute(shared, 300, seed=5)] == [0.7, 0.0]
    assert runs == [(300, 5)]


def test_too_few_episodes_are_refused():
    with pytest.raises(LearningError, match=f"at least {FEWEST}"):
        list(compute(QUICK, FEWEST - 1))


def test_the_command_writes_what_it_found(tmp_path: Path, monkeypatch, capsys):
    row = find("eleven arms", "Bayes", "reward")
    monkeypatch.setattr(rows, "reference_rows", lambda: (row,))
    references(episodes=300, out=tmp_path / "new")
    (found,) = json.loads((tmp_path / "new" / "references.json").read_text())["rows"]
    assert found["ok"] is True
    assert found["measured"] == pytest.approx(20.55, abs=0.1)
    assert "20.550" in capsys.readouterr().out


def test_the_command_fails_with_a_figure(monkeypatch, capsys):
    row = replace(find("eleven arms", "Bayes", "reward"), expected=21.5)
    monkeypatch.setattr(rows, "reference_rows", lambda: (row,))
    with pytest.raises(SystemExit) as stopped:
        references(episodes=300)
    assert stopped.value.code == 1
    assert "no" in capsys.readouterr().out
