"""Adversarial levels, against agents that are never, or hardly ever, competently wrong."""

import numpy as np
import pytest
from test_causes import FirstBest, walk_on

from mesabench.beside.adversary import Search, search
from mesabench.beside.arena import FAILED, OUTCOMES, PURSUED, Arena
from mesabench.beside.edits import place_flags
from mesabench.beside.mutations import Draft, Mutator, spans
from mesabench.beside.staging import nearest, play_texts, seat
from mesabench.engine.ascii import read_level
from mesabench.errors import LevelError
from mesabench.pictures import trajectory_picture
from mesabench.planner import best_values
from mesabench.registry import get_task, task_ids

TASKS = ("RedDoor-v0", "CheeseDish-v0", "KeysChests-v0")
PROXY = {
    "RedDoor-v0": "reach_red",
    "CheeseDish-v0": "reach_dish",
    "CheeseCorner-v0": "reach_corner",
    "LavaLand-v0": "straight_way",
}
STATE_BUDGET = 12


def searched(task_id: str, objective: str, split: str, budget: int, then: str = "") -> Search:
    task = get_task(task_id)
    agent = FirstBest(task, {objective: 1.0}, then=then or None)
    return search(agent, task, split=split, budget=budget)


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("task_id", TASKS)
def test_who_wants_the_base_objective_is_never_wrong(task_id: str, split: str) -> None:
    found = searched(task_id, get_task(task_id).base.name, split, 100)
    assert found.random["right"].share == 1
    assert found.climbs.count == 0
    assert found.climbs.total == 2
    assert found.worst == []


@pytest.mark.parametrize("task_id", ["RedDoor-v0", "CheeseDish-v0"])
def test_who_wants_a_proxy_is_mostly_wrong_at_test(task_id: str) -> None:
    found = searched(task_id, PROXY[task_id], "test", 100)
    assert found.random["competently_wrong"].share > 0.9
    assert found.random["competently_wrong"].low > 0.8
    assert {f.pursued for f in found.worst} == {PROXY[task_id]}


@pytest.mark.parametrize("task_id", ["CheeseDish-v0", "CheeseCorner-v0", "LavaLand-v0"])
def test_on_training_levels_a_proxy_is_told_by_the_search(task_id: str) -> None:
    found = searched(task_id, PROXY[task_id], "train", 400, then=get_task(task_id).base.name)
    assert found.random["competently_wrong"].share < 0.05
    assert found.climbs.share > found.random["competently_wrong"].high
    assert found.worst[0].score >= found.worst[-1].score


@pytest.mark.parametrize("task_id", ["CheeseDish-v0", "LineGem-v0"])
def test_the_worst_levels_can_be_played_again(task_id: str) -> None:
    task = get_task(task_id)
    agent = FirstBest(task, {task.proxies[0].name: 1.0})
    found = search(agent, task, split="test", budget=60)
    assert found.worst
    for level in found.worst:
        played = play_texts(agent, task, [level.text])
        engine = seat(task, "test", [level.text], {})
        (optima,) = best_values(engine, task.weights(*task.candidates), task.discount)
        assert (optima > 0).all()
        gained = [played.returns(o)[0] for o in task.candidates]
        assert gained[0] / optima[0] == pytest.approx(level.base)
        assert (gained[1:] / optima[1:]).max() == pytest.approx(level.other)
        assert level.base < FAILED
        assert level.other >= PURSUED
        assert trajectory_picture(played, 0).ndim == 3


def test_a_level_is_the_same_whatever_is_played_beside_it() -> None:
    """A cue that vanishes is remembered by the number of its cell, which depends on the size."""
    task = get_task("MemoryCue-v0")
    small, large = (
        Mutator(task, "test", {"size": size}, np.random.default_rng(0)).fresh(8) for size in (9, 11)
    )
    agent = FirstBest(task, {"fetch_nearest": 1.0})
    arena = Arena(agent, task, "test", {})
    apart = [*arena.solve(small), *arena.solve(large)]
    together = arena.solve([*small, *large])
    for one, other in zip(apart, together, strict=True):
        assert one is not None
        assert other is not None
        assert (one.optima == other.optima).all()
        (found,) = arena.play([one])
        assert found.wrong
    with pytest.raises(LevelError, match="of one size"):
        play_texts(agent, task, [small[0].text, large[0].text])


def test_a_search_can_be_repeated() -> None:
    first, second = (
        searched("CheeseDish-v0", "reach_dish", "train", 100, then="reach_cheese") for _ in range(2)
    )
    assert first.climbs.total > 0
    assert first == second


@pytest.mark.parametrize("task_id", task_ids())
def test_every_task_can_be_searched(task_id: str) -> None:
    task = get_task(task_id)
    budget = STATE_BUDGET if task.planner == "states" else 64
    found = search(walk_on, task, budget=budget)
    if task.agents > 1 and task.gauges:  # a text does not hold what was told of the other
        assert found.reason == "no level of train is solvable and told by its map alone"
        return
    assert found.reason is None
    assert sum(found.random[o].count for o in OUTCOMES) == found.random["right"].total > 0
    assert budget // 2 - 2 <= found.played <= budget
    assert found.climbs.count <= found.climbs.total


@pytest.mark.parametrize("task_id", task_ids())
def test_mutants_are_levels_of_the_task(task_id: str) -> None:
    task = get_task(task_id)
    mutator = Mutator(task, "train", {}, np.random.default_rng(0))
    editable = task.planner == "touch" and not task.planned_marks & place_flags(task)
    assert ("move" in mutator.kinds) == editable
    drafts = mutator.fresh(4)
    for _ in range(4):
        mutants = [mutator.mutate(draft) or draft for draft in drafts]
        for before, after in zip(drafts, mutants, strict=True):
            assert after is before or len(after.steps) == len(before.steps) + 1
            assert read_level(after.text, task.flags).pose.shape == (task.agents, 3)
            for name, value in after.knobs.items():
                assert value in spans(task)[name]
        drafts = mutants


def test_the_nearest_thing_stays_the_nearest() -> None:
    task = get_task("RedDoor-v0")
    mutator = Mutator(task, "test", {}, np.random.default_rng(0))
    edited = 0
    for draft in mutator.fresh(8):
        for kind in ("move", "start", "wall"):
            for _ in range(8):
                mutant = mutator.edit(draft, kind)
                if isinstance(mutant, Draft):
                    edited += 1
                    layout = read_level(mutant.text, task.flags)
                    cell = nearest(layout, mutator.rules)
                    assert cell is not None
                    assert layout.marks[cell] == 1
    assert edited > 40


def test_luck_is_not_confirmed() -> None:
    task = get_task("CheeseDish-v0")
    arena = Arena(FirstBest(task, {"reach_dish": 1.0}), task, "test", {})
    drafts = Mutator(task, "test", {}, np.random.default_rng(0)).fresh(16)
    wrong = [f for f in arena.play([p for p in arena.solve(drafts) if p]) if f.wrong]
    assert len(wrong) > 8
    assert arena.confirm(wrong) == wrong
    arena.agent = FirstBest(task, {"reach_cheese": 1.0})
    assert arena.confirm(wrong) == []
