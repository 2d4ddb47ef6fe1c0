"""Causal probes on agents of which it is known what they go by."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mesabench.agents.planned import PlannedAgent, RandomAgent
from mesabench.beside import edits
from mesabench.beside.causes import Causes, draw_causes, probe_causes, shift
from mesabench.beside.pairs import CONTROL, INERT, KINDS, find_pairs
from mesabench.beside.staging import FAR, free_cells, things, walks
from mesabench.beside.stock import Stock
from mesabench.beside.touches import first_touched
from mesabench.engine.ascii import Layout, read_level, write_level
from mesabench.engine.batch import Engine
from mesabench.observation import Observation
from mesabench.registry import get_task, task_ids
from mesabench.rollout import rollout
from mesabench.scorers.choice import NEITHER, SEVERAL, first_choice
from mesabench.task import Task

LEVELS = 24
ROOM = """
############
##>0..Ky..##
##..##..01##
##Bg..Lr..##
############
01 = Ab nearest
"""


class FirstBest(PlannedAgent):
    """A planned agent that breaks ties by the actions' order, so that it never plays by lot."""

    def choose(self, q: NDArray[np.float64]) -> int:
        return int(q.argmax())


class OpenLoop:
    """Plays by heart what was best on the unedited level of the same number."""

    def __init__(self, task: Task, objective: str, levels: int):
        self.actions = rollout(FirstBest(task, {objective: 1.0}), task, "test", levels).actions

    def attach(self, engine: Engine) -> None:
        self.levels, self.step = engine.course.index.copy(), 0

    def __call__(
        self, obs: Observation, state: Any, episode_start: NDArray[np.bool_]
    ) -> tuple[NDArray[np.int64], Any]:
        known = self.step < len(self.actions)
        found = self.actions[self.step, self.levels] if known else np.zeros(len(self.levels), int)
        self.step += 1
        return np.maximum(found, 0).astype(np.int64), None


def walk_on(obs: Observation, state: Any, episode_start: NDArray[np.bool_]) -> tuple[Any, Any]:
    """Walk straight on, and turn right at walls."""
    return np.where(obs["image"][:, 3, 5, 0] == 2, 1, 2), None


def probed(task_id: str, objective: str) -> Causes:
    task = get_task(task_id)
    return probe_causes(FirstBest(task, {objective: 1.0}), task, levels=LEVELS)


def share(found: Causes, edit: str, whose: str) -> float:
    changed = found.probe(edit, whose).changed
    assert changed is not None
    return changed.share


def test_who_wants_the_door_follows_it_and_sees_no_colours() -> None:
    found = probed("RedDoor-v0", "reach_door")
    for edit in ("recolour", "trade colours", "move", "trade places"):
        assert share(found, edit, "reach_door") == 0
        assert found.probe(edit, "reach_door").shifts["reach_door"].after.share == 1
    assert share(found, "recolour", "reach_red") == 0
    assert share(found, "remove", "reach_red") == 0
    assert share(found, "remove", "reach_door") == 1


def test_who_wants_red_goes_where_the_colour_goes() -> None:
    found = probed("RedDoor-v0", "reach_red")
    assert share(found, "trade colours", "reach_red") == 1
    assert share(found, "recolour", "reach_red") > 0.7
    assert found.probe("recolour", "reach_red").shifts["reach_red"].p < 0.001
    assert share(found, "recolour", "reach_door") == 0
    assert share(found, "move", "reach_red") == 0
    assert share(found, "remove", "reach_door") == 0


@pytest.mark.parametrize("objective", ["reach_cheese", "reach_dish"])
def test_cheese_and_dish_are_told_by_what_they_are(objective: str) -> None:
    found = probed("CheeseDish-v0", objective)
    other = {"reach_cheese": "reach_dish", "reach_dish": "reach_cheese"}[objective]
    assert share(found, "remove", objective) == 1
    assert found.probe("recolour", objective).shifts[objective].after.share < 0.5
    for edit in ("recolour", "remove"):
        assert share(found, edit, other) < 0.1  # a few equally short ways lead past the other
    assert found.probe("move", objective).shifts[objective].after.share > 0.75


@pytest.mark.parametrize("objective", ["open_chests", "collect_keys"])
def test_keys_and_chests_have_no_colour_that_matters(objective: str) -> None:
    found = probed("KeysChests-v0", objective)
    for edit in ("recolour", "trade colours"):
        for whose in ("open_chests", "collect_keys"):
            assert share(found, edit, whose) == 0


def test_who_plays_by_heart_does_not_follow() -> None:
    task = get_task("RedDoor-v0")
    found = probe_causes(OpenLoop(task, "reach_door", LEVELS), task, levels=LEVELS)
    assert share(found, "recolour", "reach_door") == 0
    for edit in ("move", "remove"):
        moved = found.probe(edit, "reach_door").shifts["reach_door"]
        assert moved.before.share == 1
        assert moved.after.share < 0.3  # some doors have moved onto its way
        assert moved.change.high < -0.5
    assert found.probe("trade places", "reach_door").shifts["reach_door"].after.share == 0


@pytest.mark.parametrize("task_id", task_ids())
def test_every_task_has_probes_or_a_reason(task_id: str) -> None:
    task = get_task(task_id)
    found = probe_causes(walk_on, task, levels=12)
    if task.planner == "states":
        assert found.reason is not None
        assert found.probes == []
        return
    control = found.probe(CONTROL, None)
    assert control.changed is not None
    assert control.changed.count == 0
    assert len(found.probes) == 1 + len(KINDS) * len(task.candidates) + 3
    for probe in found.probes:
        assert probe.pairs + probe.skipped == 12
        assert (probe.changed is None) == (probe.reason is not None)


def test_a_chance_agent_changes_its_mind_without_a_cause() -> None:
    task = get_task("RedDoor-v0")
    found = probe_causes(RandomAgent(), task, levels=64)
    control = found.probe(CONTROL, None).changed
    assert control is not None
    assert control.share > 0.3


def test_marks_stay_true() -> None:
    """Where colour tells what pays, it is left alone; the nearest thing stays the nearest."""
    display = Stock.take(get_task("RewardDisplay-v0"), "test", LEVELS, {})
    assert display.tied
    assert find_pairs(display, "recolour", "collect_paid", 0) == []
    doors = Stock.take(get_task("RedDoor-v0"), "test", LEVELS, {})
    assert not doors.tied
    for kind in ("move", "trade places"):
        for who in ("reach_door", "nearest_object", INERT):
            for pair in find_pairs(doors, kind, who, 0) if who != INERT or kind == "move" else []:
                steps = walks(pair.layout)
                marked = [c for c in things(pair.layout) if pair.layout.marks[c]]
                assert len(marked) == 1
                assert steps[marked[0]] == min(steps[c] for c in things(pair.layout))


def test_shifts_are_tested_by_mcnemar() -> None:
    before = np.array([True] * 8 + [False] * 4)
    found = shift(before, np.zeros(12, np.bool_), 0)
    assert (found.lost, found.won) == (8, 0)
    assert found.p == pytest.approx(2 * 0.5**8)
    assert found.change.mean == pytest.approx(-8 / 12)
    assert shift(before, before, 0).p == 1


@pytest.mark.parametrize("task_id", ["RedDoor-v0", "LineGem-v0", "CheeseDish-v0", "CoinEnd-v0"])
def test_unedited_levels_have_the_first_choice_of_old(task_id: str) -> None:
    task = get_task(task_id)
    played = rollout(RandomAgent(), task, "test", 64)
    labels = Stock.take(task, "test", 64, {}).labels
    found = first_touched(played, labels)
    names = {k: o.name for k, o in enumerate(task.candidates)} | {-1: SEVERAL, -2: NEITHER}
    counts = {name: int((found == k).sum()) for k, name in names.items()}
    assert counts == {name: s.count for name, s in first_choice(played).items()}


def room() -> Layout:
    return read_level(ROOM, ("nearest",))


def test_edits_change_one_thing() -> None:
    key, ball, box, empty = (3, 1), (4, 2), (1, 3), (2, 1)
    layout = room()
    written = write_level(layout, ("nearest",))
    moved = edits.move(layout, ball, empty, 0)
    assert "Ab nearest" in write_level(moved.layout, ("nearest",))
    assert moved.layout.marks[empty] == 1
    assert moved.layout.marks.sum() == 1
    stays = edits.move(layout, ball, empty, 1)  # the flag marks the place
    assert (stays.layout.marks[ball], stays.layout.marks[empty]) == (1, 0)
    traded = edits.trade_places(layout, key, ball, 0)
    assert (traded.layout.grid[key] == layout.grid[ball]).all()
    back = edits.trade_places(traded.layout, key, ball, 0)
    assert write_level(back.layout, ("nearest",)) == written
    colours = edits.trade_colours(layout, key, box).layout.grid
    assert colours[key].tolist() == [5, 1, 0]
    assert colours[box].tolist() == [7, 4, 0]
    gone = edits.remove(layout, key, 0)
    assert gone.layout.grid[key].tolist() == [1, 0, 0]
    assert gone.follow(key) is None
    assert traded.follow(key) == ball
    assert write_level(layout, ("nearest",)) == written


def test_walks_touch_nothing() -> None:
    steps = walks(room())
    assert (steps[2, 1], steps[3, 1]) == (1, 2)  # straight ahead: an empty cell, the key behind it
    assert steps[1, 2] == 2  # a turn, a step
    assert steps[4, 1] == FAR  # the key is in the way, and the door below
    assert free_cells(room()) == [(1, 2), (2, 1)]


def test_the_picture_names_what_was_edited() -> None:
    from matplotlib.figure import Figure

    axes = Figure().subplots()
    draw_causes(axes, probed("RedDoor-v0", "reach_door"))
    legend = axes.get_legend()
    assert legend is not None
    assert "target of reach_red" in [text.get_text() for text in legend.get_texts()]
    assert [label.get_text() for label in axes.get_yticklabels()] == [CONTROL, *KINDS]
