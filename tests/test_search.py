"""A search looks at held-out levels, can be stopped, and writes what it found."""

import io
import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import optuna
import pytest
import yaml
from rich.console import Console

from mesabench import cli
from mesabench.baselines import search as searching
from mesabench.baselines.config import Settings, TrainConfig
from mesabench.baselines.configs import (
    load_settings,
    read_found,
)
from mesabench.baselines.journal import open_journal
from mesabench.baselines.locks import hold
from mesabench.baselines.results_searches import searched_cells
from mesabench.baselines.search import JOURNAL, Search, search_settings
from mesabench.baselines.search_space import space_of
from mesabench.baselines.trying import Diverged, Stopped
from mesabench.errors import MesaBenchError
from mesabench.registry import get_task

TINY = "recurrent-ppo:\n  num_envs: 8\n  hidden: 8\n"


def console() -> Console:
    return Console(file=io.StringIO(), width=200)


def let_trials_reach(reached: Callable[..., float], monkeypatch) -> None:
    """Put a function in the place of what trains and looks at held-out levels."""
    monkeypatch.setattr(searching, "reached", reached)
    monkeypatch.setattr(searching, "Yardstick", lambda *a, **k: None)


@pytest.mark.parametrize("first", [True, False])
def test_a_training_that_diverges_is_worse_than_any_other(
    first: bool, tmp_path: Path, monkeypatch
) -> None:
    """Also than one that is worse than chance."""
    trial = itertools.count()

    def broken(*given) -> float:
        if next(trial) % 2 != first:
            raise Diverged
        return -0.5

    let_trials_reach(broken, monkeypatch)
    search = Search(get_task("RedDoor-v0"), "recurrent-ppo", trials=4)
    shown = io.StringIO()
    search_settings(search, tmp_path, Console(file=shown, width=200), configs=tmp_path)
    assert shown.getvalue().count("held-out diverged, best") == 2
    found = read_found("RedDoor-v0", "recurrent-ppo", folder=tmp_path)
    assert found is not None
    assert (found.heldout, found.before) == (-0.5, None if first else -0.5)
    assert found.trials == 4
    ((*_, before, best, _),) = searched_cells(tmp_path).lines
    assert (before, best) == ("diverged" if first else "-0.50", "-0.50")


def test_a_search_of_which_all_trials_diverge_writes_nothing(tmp_path: Path, monkeypatch) -> None:
    def broken(*given) -> float:
        raise Diverged

    let_trials_reach(broken, monkeypatch)
    search = Search(get_task("RedDoor-v0"), "recurrent-ppo", trials=2)
    with pytest.raises(MesaBenchError, match="all 2 trials diverged"):
        search_settings(search, tmp_path, console(), configs=tmp_path)
    assert not [*tmp_path.glob("*.yaml")]


@pytest.mark.parametrize("cut", [1, 30])
def test_a_journal_whose_last_line_was_cut_short_goes_on(
    cut: int, tmp_path: Path, monkeypatch
) -> None:
    """By a full disk, or a kill."""
    let_trials_reach(hill, monkeypatch)
    task = get_task("RedDoor-v0")
    search_settings(Search(task, "recurrent-ppo", trials=3), tmp_path, console(), configs=tmp_path)
    whole, journal = trials_of(tmp_path), tmp_path / JOURNAL
    journal.write_bytes(journal.read_bytes()[:-cut])
    for trials in (4, 5):
        search = Search(task, "recurrent-ppo", trials=trials)
        search_settings(search, tmp_path, console(), configs=tmp_path)
    assert trials_of(tmp_path)[:2] == whole[:2]
    assert len(trials_of(tmp_path)) == 5
    journal.write_bytes(b"no journal\n" + journal.read_bytes())
    with pytest.raises(MesaBenchError, match=r"search\.journal' is damaged"):
        search_settings(search, tmp_path, console(), configs=tmp_path)


def test_a_search_that_died_while_it_asked_for_its_first_trial_goes_on(
    tmp_path: Path, monkeypatch
) -> None:
    let_trials_reach(hill, monkeypatch)
    search = Search(get_task("RedDoor-v0"), "recurrent-ppo", trials=2)
    study = searching.open_study(search, tmp_path, TrainConfig())
    study.enqueue_trial({"learning_rate": 2e-3})
    search_settings(search, tmp_path, console(), configs=tmp_path)
    assert len(trials_of(tmp_path)) == 2
    assert trials_of(tmp_path)[0]["learning_rate"] == 2e-3


def test_a_search_without_trials_or_beside_another_is_refused(tmp_path: Path) -> None:
    task = get_task("RedDoor-v0")
    with pytest.raises(MesaBenchError, match="1 trial or more, not 0"):
        search_settings(Search(task, "recurrent-ppo", trials=0), tmp_path, console())
    with hold(tmp_path), pytest.raises(MesaBenchError, match="is at work in"):
        search_settings(Search(task, "recurrent-ppo"), tmp_path, console(), configs=tmp_path)


def test_a_search_does_not_replace_what_a_larger_one_found(tmp_path: Path, monkeypatch) -> None:
    let_trials_reach(hill, monkeypatch)
    large = Search(get_task("RedDoor-v0"), "recurrent-ppo", trials=3, steps=1000)
    path = search_settings(large, tmp_path / "large", console(), configs=tmp_path)
    before = path.read_text()
    with pytest.raises(MesaBenchError, match=r"from 3 trials of 1,000 steps; 2 of 1,000 would"):
        search_settings(replace(large, trials=2), tmp_path / "2", console(), configs=tmp_path)
    assert path.read_text() == before
    assert not (tmp_path / "2").exists()
    search_settings(replace(large, trials=4), tmp_path / "large", console(), configs=tmp_path)


def test_an_algorithm_with_a_training_of_its_own_is_not_searched(tmp_path: Path) -> None:
    with pytest.raises(MesaBenchError, match="ensemble has a training of its own"):
        search_settings(Search(get_task("RedDoor-v0"), "ensemble"), tmp_path, console())


def test_tune_trains_and_writes_what_it_found(tmp_path: Path, monkeypatch, capsys) -> None:
    (tmp_path / "DeceptiveToy-v0.yaml").write_text(TINY)
    said = "tune DeceptiveToy-v0 --algorithm recurrent-ppo --trials 2 --steps 512 --seed 3"
    arguments = f"{said} --levels 16 --threads 1".split()
    folders = ["--out", str(tmp_path / "out"), "--configs", str(tmp_path)]
    cli.main([*arguments, *folders])
    assert "trial 2 of 2" in capsys.readouterr().out
    found = read_found("DeceptiveToy-v0", "recurrent-ppo", folder=tmp_path)
    assert found is not None
    assert (found.steps, found.seed, found.trials) == (512, 3, 2)
    assert found.before <= found.heldout
    (line,) = searched_cells(tmp_path).lines
    assert line[:4] == ("DeceptiveToy-v0", "recurrent-ppo", "2", "512")
    assert line[4:6] == (f"{found.before:.2f}", f"{found.heldout:.2f}")
    assert "num_envs=8" in line[6]
    assert found.command == " ".join(["mesabench", *arguments])
    tuned = load_settings("DeceptiveToy-v0", "recurrent-ppo", folder=tmp_path)
    assert (tuned.num_envs, tuned.hidden) == (8, 8)
    assert (tuned.seed, tuned.steps) == (0, Settings.steps)
    before = (tmp_path / "DeceptiveToy-v0.yaml").read_text()
    monkeypatch.setattr(searching, "reached", None)
    cli.main([*arguments, *folders])
    assert (tmp_path / "DeceptiveToy-v0.yaml").read_text() == before


def trials_of(folder: Path) -> list[dict]:
    storage = open_journal(folder / JOURNAL)
    (name,) = optuna.get_all_study_names(storage)
    study = optuna.load_study(study_name=name, storage=storage)
    return [t.params for t in study.get_trials(states=searching.DONE)]


def hill(task, config, yardstick, promising) -> float:
    share = -100 * abs(config.learning_rate - 3e-3)
    for look in range(1, 6):
        if not promising(look, share):
            raise Stopped
    return share


def test_a_stopped_search_goes_on_as_if_it_had_not_stopped(tmp_path: Path, monkeypatch) -> None:
    let_trials_reach(hill, monkeypatch)
    search = Search(get_task("RedDoor-v0"), "recurrent-ppo", trials=14, seed=1)
    whole, cut, calls = tmp_path / "whole", tmp_path / "cut", itertools.count()
    search_settings(search, whole, console(), configs=whole)

    def interrupted(task, config, yardstick, promising) -> float:
        if next(calls) in (0, 7, 12):
            promising(1, 0.0)
            raise KeyboardInterrupt
        return hill(task, config, yardstick, promising)

    monkeypatch.setattr(searching, "reached", interrupted)
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            search_settings(search, cut, console(), configs=cut)
    search_settings(search, cut, console(), configs=cut)
    assert trials_of(cut) == trials_of(whole)
    written = [(folder / "RedDoor-v0.yaml").read_text() for folder in (whole, cut)]
    assert written[0] == written[1]


def test_the_first_trial_has_the_tasks_settings_also_where_none_like_them_are_sought(
    tmp_path: Path, monkeypatch
) -> None:
    let_trials_reach(hill, monkeypatch)
    odd = {"rollout": 100, "lstm": 48, "learning_rate": 0.02, "entropy": 0.0}
    (tmp_path / "RedDoor-v0.yaml").write_text(yaml.safe_dump({"recurrent-ppo": odd}))
    search = Search(get_task("RedDoor-v0"), "recurrent-ppo", trials=6)
    search_settings(search, tmp_path, console(), configs=tmp_path)
    first, *others = trials_of(tmp_path)
    usual = replace(TrainConfig(), **odd)
    assert first == {name: getattr(usual, name) for name in space_of(usual)}
    assert any(trial["rollout"] != 100 for trial in others)


def test_settings_that_are_hardly_better_do_not_replace_those_that_were_there(
    tmp_path: Path, monkeypatch
) -> None:
    let_trials_reach(lambda *a: 0.9 + hill(*a) / 100, monkeypatch)
    search = Search(get_task("RedDoor-v0"), "recurrent-ppo", trials=20)
    search_settings(search, tmp_path, console(), configs=tmp_path)
    assert load_settings("RedDoor-v0", "recurrent-ppo", folder=tmp_path) == TrainConfig()
    found = read_found("RedDoor-v0", "recurrent-ppo", folder=tmp_path)
    assert found is not None
    assert found.heldout == found.before
    assert found.trials == 20


def test_the_best_settings_are_written_and_the_first_trial_has_the_usual_ones(
    tmp_path: Path, monkeypatch
) -> None:
    let_trials_reach(hill, monkeypatch)
    search = Search(get_task("RedDoor-v0"), "recurrent-ppo", trials=20)
    search_settings(search, tmp_path, console(), configs=tmp_path)
    tried = [trial["learning_rate"] for trial in trials_of(tmp_path)]
    assert tried[0] == TrainConfig().learning_rate
    best = load_settings("RedDoor-v0", "recurrent-ppo", folder=tmp_path).learning_rate
    assert abs(best - 3e-3) == pytest.approx(min(abs(x - 3e-3) for x in tried), abs=5e-6)
    assert abs(best - 3e-3) < 1e-3
