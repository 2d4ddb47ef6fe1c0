"""Optimal values kept on disk: the same as planned ones, and never those of another question."""

import functools

import numpy as np
import pytest

import mesabench
from mesabench.engine import cache
from mesabench.engine.batch import Engine
from mesabench.planner import best_values, kept
from mesabench.registry import get_task

LEVELS = 8


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    def root(kind="kernels"):
        (tmp_path / kind).mkdir(exist_ok=True)
        return tmp_path / kind

    monkeypatch.setattr(kept, "cache_root", root)
    return tmp_path / "optima"


def ask(task, split="test", first=0, values=kept.kept_values):
    engine = Engine(task, split, batch=LEVELS, autoreset=False)
    engine.reset(levels=np.arange(first, first + LEVELS))
    wanted = task.candidates
    return values(engine, task.weights(*wanted), task.discounts(*wanted))


@pytest.mark.parametrize("task_id", mesabench.task_ids())
def test_kept_values_are_the_planned_ones_and_are_not_planned_again(task_id, monkeypatch):
    task = get_task(task_id)
    planned = ask(task, values=best_values)
    np.testing.assert_array_equal(ask(task), planned)
    monkeypatch.setattr(kept, "best_values", None)
    np.testing.assert_array_equal(ask(task), planned)


def test_other_levels_splits_tasks_and_sources_are_other_questions(folder, monkeypatch):
    keys, doors = get_task("KeysChests-v0"), get_task("RedDoor-v0")
    questions = [(keys, "test", 0), (keys, "test", 1), (keys, "train", 0), (doors, "test", 0)]
    for count, question in enumerate(questions, 1):
        ask(*question)
        assert len(list(folder.iterdir())) == count
    monkeypatch.setattr(kept, "sources", lambda advance: "edited")
    ask(*questions[0])
    assert len(list(folder.iterdir())) == len(questions) + 1


@pytest.mark.parametrize("damage", [b"", b"no array", None])
def test_a_damaged_file_is_written_anew(folder, damage):
    task = get_task("RedDoor-v0")
    planned = ask(task)
    (file,) = folder.iterdir()
    whole = file.read_bytes()
    file.write_bytes(whole[:-8] if damage is None else damage)
    np.testing.assert_array_equal(ask(task), planned)
    assert file.read_bytes() == whole


def test_a_disk_that_is_full_costs_nothing_but_time(folder, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(kept, "write_whole", full)
    task = get_task("RedDoor-v0")
    np.testing.assert_array_equal(ask(task), ask(task, values=best_values))
    assert not list(folder.iterdir())


def test_a_read_only_home_is_no_obstacle(tmp_path, monkeypatch):
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("MESABENCH_CACHE_DIR", str(blocked))
    root = functools.partial(cache.cache_root.__wrapped__, "optima")
    assert root().is_dir()
    assert root() != blocked / "optima"
