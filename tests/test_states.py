"""Exact values on all states: beside the touch planner, which shares no code with them."""

import numpy as np
import pytest

import mesabench
from mesabench.agents.planned import PlannedAgent
from mesabench.engine.batch import Engine
from mesabench.errors import PlannerError
from mesabench.planner import best_values, plan_worlds, search, states
from mesabench.planner.decisions import part
from mesabench.planner.states import StateGraph, explore, plan_states
from mesabench.registry import get_task
from mesabench.rollout import rollout

LEVELS = 4
TASKS = {kind: [i for i in mesabench.task_ids() if get_task(i).planner == kind] for kind in
         ("touch", "states")}  # fmt: skip


@pytest.fixture(autouse=True)
def _nothing_kept():
    states._kept.clear()


def worlds(task, split, levels=LEVELS, **knobs):
    engine = Engine(task, split, batch=levels, autoreset=False, knobs=knobs)
    engine.reset(levels=np.arange(levels))
    return engine


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("task_id", TASKS["touch"])
def test_both_planners_agree_on_every_touch_world(task_id, split):
    task = get_task(task_id)
    engine = worlds(task, split)
    weights = task.weights(*task.candidates)
    found = [plan_states(g, weights, task.discount).values[:, 0] for g in explore(engine)]
    np.testing.assert_allclose(found, best_values(engine, weights, task.discount), atol=1e-7)


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("task_id", TASKS["states"])
def test_a_planned_agent_gets_the_value_it_was_promised(task_id, split):
    task = get_task(task_id)
    for objective in task.candidates:
        discount = task.discounts(objective)[0]
        weights = task.weights(objective)
        promised = best_values(worlds(task, split, 16), weights, discount)[:, 0]
        played = rollout(PlannedAgent(task, {objective.name: 1.0}), task, split, 16)
        decay = discount ** np.arange(len(played.events))
        got = np.einsum("t,tne,e->n", decay, played.events.astype(float), weights[0])
        for b, level in enumerate(plan_worlds(worlds(task, split, 16), weights, discount)):
            for action in played.actions[: played.lengths[b], b]:
                level.play(int(action))
            if not played.terminated[b]:  # what was still to come when the time was up
                got[b] += discount ** played.lengths[b] * level.q()[0].max()
        np.testing.assert_allclose(got, promised, atol=1e-6)


def test_values_are_those_of_a_chain_that_pays_for_waiting():
    # State 0 pays 1 and stays, or goes to state 1, which pays 3 once and ends the episode.
    after = np.array([[0, 1], [-1, -1]], np.int32)
    events = np.array([[[1], [0]], [[3], [3]]], np.uint8)
    for discount, value in [(0.5, 2.0), (0.9, 10.0), (0.3, 1 / 0.7)]:
        found = plan_states(StateGraph(after, events), [[1.0]], discount)
        assert found.values[0] == pytest.approx([value, 3.0])
        assert found.q_along([0])[0, 0] == pytest.approx([1 + discount * value, discount * 3.0])


@pytest.mark.parametrize("discount", [0.0, 1.0, -0.5, 1.5])
def test_discounts_without_a_value_are_refused(discount):
    graph = StateGraph(np.zeros((1, 1), np.int32), np.zeros((1, 1, 1), np.uint8))
    with pytest.raises(PlannerError, match="not above 0 and below 1"):
        plan_states(graph, [[1.0]], discount)


def test_a_level_of_too_many_states_is_refused(monkeypatch):
    monkeypatch.setattr(search, "MAX_STATES", 100)
    with pytest.raises(PlannerError, match="world 0: more than 100 states; choose a smaller"):
        explore(worlds(get_task("KeysChests-v0"), "train", 1))


def test_one_large_level_is_refused_among_small_ones(monkeypatch):
    task = get_task("ButtonLamp-v0")
    sizes = [len(graph.after) for graph in explore(worlds(task, "test", 8))]
    monkeypatch.setattr(search, "MAX_STATES", max(sizes) - 1)
    assert np.mean(sizes) < max(sizes) - 1
    states._kept.clear()
    with pytest.raises(PlannerError, match=f"world {sizes.index(max(sizes))}: more than"):
        explore(worlds(task, "test", 8))


@pytest.mark.parametrize("task_id", mesabench.task_ids())
def test_plans_follow_what_was_played(task_id):
    task = get_task(task_id)
    weights, discounts = task.weights(task.base), task.discounts(task.base)
    played = rollout(PlannedAgent(task, {task.base.name: 1.0}), task, "test", LEVELS)
    for b, level in enumerate(plan_worlds(worlds(task, "test"), weights, discounts)):
        actions = played.actions[: played.lengths[b], b].astype(int)
        q = level.q_along(actions)
        assert q[np.arange(len(actions)), 0, actions] == pytest.approx(q[:, 0].max(1))
        for t, action in enumerate(actions):
            assert level.q() == pytest.approx(q[t])
            level.play(action)


def test_ways_part_where_no_action_is_best_for_all():
    q = np.array(
        [
            [[1.0, 0.9, 0.9], [1.0, 1.0, 0.9]],  # the first action is best for both
            [[1.0, 0.9, 0.9], [0.9, 1.0, 0.9]],  # none is
            [[1.0, 0.9, 0.9], [0.0, 0.0, 0.0]],  # the second wants nothing any more
        ]
    )
    assert part(q).tolist() == [False, True, False]


@pytest.mark.parametrize("task_id", mesabench.task_ids(None))
def test_who_is_blind_plays_the_same_worlds_and_may_look_again(task_id: str) -> None:
    task = mesabench.get_task(task_id)
    sees, blind = (Engine(task, "test", batch=8, blind=flag) for flag in (False, True))
    actions = np.random.default_rng(3).integers(0, task.actions, (2 * task.horizon, 8, task.agents))
    drawn = blind.world.image.copy()
    for played in actions[:300]:
        sees.step(played)
        blind.step(played)
    names = [n for n in sees.world.dtype.names if n not in ("image", "final_image", "scratch")]
    for name in names:
        np.testing.assert_array_equal(sees.world[name], blind.world[name])
    for name in blind.course.dtype.names:
        if name != "blind":
            np.testing.assert_array_equal(sees.course[name], blind.course[name])
    np.testing.assert_array_equal(blind.world.image, drawn)
    blind.look_again(8)
    np.testing.assert_array_equal(sees.world.image, blind.world.image)
