"""Thinking time: what helps is found, what cannot help is exactly nothing."""

import dataclasses
import json
from math import comb
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from numpy.typing import NDArray
from onnx import ModelProto, helper, numpy_helper
from onnx import TensorProto as Type
from small_agents import agent, constant, counter, model, port, with_properties

from mesabench.agents.onnx_agent import OnnxAgent
from mesabench.agents.planned import PlannedAgent, RandomAgent
from mesabench.agents.thinker import Thinker
from mesabench.agents.walker import GreedyWalker
from mesabench.beside.hard import (
    GREEDY_SHARE,
    KNOBS,
    POOL,
    SPLIT,
    WALKERS,
    HardLevels,
    hard_levels,
    search,
)
from mesabench.beside.optimum import optimal
from mesabench.beside.paired import differs, holm, mcnemar
from mesabench.beside.thinking import (
    THOUGHTS,
    Thinking,
    draw_thinking,
    is_irreversible,
    measure_thinking,
)
from mesabench.engine.codes import LEFT
from mesabench.errors import AgentError
from mesabench.files import as_json
from mesabench.observation import Observation, observation_space
from mesabench.registry import get_task, task_ids
from mesabench.rollout import rollout
from mesabench.scorers.hypotheses import optimal_returns

TASK = get_task("RedDoor-v0")
LEVELS = 64


@pytest.mark.parametrize("thoughts", [0, 1, 4])
def test_thinking_carries_the_state_on(thoughts: int) -> None:
    """An agent that counts its runs has counted those before its first action, and no more."""
    thinker, state, played = Thinker(agent(counter()), thoughts), None, []
    for start in ([1, 1], [0, 0], [0, 0], [1, 1], [0, 0]):
        actions, state = thinker({}, state, np.array(start, bool))
        played.append(actions.tolist())
    assert played == [[(thoughts + n) % 3] * 2 for n in (0, 1, 2, 0, 1)]
    assert thinker.remembers


def test_thinking_is_for_whole_batches_and_for_agents_that_look() -> None:
    with pytest.raises(AgentError, match="begin together"):
        Thinker(agent(counter()), 1)({}, None, np.array([True, False]))
    with pytest.raises(AgentError, match="shown the worlds"):
        Thinker(PlannedAgent(TASK, {TASK.base.name: 1.0}), 1)


class Rehearsed:
    """Plays prepared actions [T, N] after at least `enough` runs of thought, otherwise turns.

    It is told the number of thoughts by how often it was begun: `measure_thinking` asks for each
    number once, in order. From `tired` thoughts on it turns again.
    """

    def __init__(self, actions: NDArray, enough: int, tired: int = 99):
        self.actions, self.enough, self.tired, self.begun = actions, enough, tired, -1

    def __call__(self, obs: Observation, state: Any, episode_start: NDArray[np.bool_]) -> Any:
        self.begun += int(episode_start.all())
        runs = 0 if episode_start.all() else state + 1
        step = runs - THOUGHTS[self.begun]
        able = self.enough <= THOUGHTS[self.begun] < self.tired
        if not able or not 0 <= step < len(self.actions):
            return np.full(len(episode_start), LEFT), runs
        return np.maximum(self.actions[step], 0), runs


def rehearsed(enough: int, tired: int = 99) -> Thinking:
    best = rollout(PlannedAgent(TASK, {TASK.base.name: 1.0}), TASK, "test", LEVELS)
    return measure_thinking(Rehearsed(best.actions, enough, tired), TASK, levels=LEVELS)


@pytest.mark.parametrize("enough", [1, 4])
def test_a_gain_from_thinking_is_shown(enough: int) -> None:
    found = rehearsed(enough)
    assert found.conclusion == "Gains from thinking: yes, on all levels and far levels."
    for family in found.families.values():
        for effect in family.effects:
            able = effect.thoughts >= enough
            assert effect.success.mean == (1.0 if able else 0.0)
            assert effect.gain.mean == (100.0 if able else 0.0)
            assert (effect.won, effect.lost) == (family.levels if able else 0, 0)
            assert effect.changed == float(able)
    assert found.families["far"].levels == LEVELS // 4


def test_a_loss_is_no_gain() -> None:
    found = rehearsed(0, tired=2)
    assert found.conclusion == "Gains from thinking: not shown."
    last = found.families["all"].effects[-1]
    assert (last.gain.high, last.lost, last.won) == (-100.0, LEVELS, 0)
    assert last.returned.high < 0


def feed_forward(action: str) -> ModelProto:
    """Return an agent without state, whose logits are random weights of its view."""
    nodes = [
        helper.make_node("Cast", ["obs.image"], ["number"], to=Type.FLOAT),
        helper.make_node("Reshape", ["number", "flat"], ["row"]),
        helper.make_node("Gemm", ["row", "weights"], ["logits"]),
    ]
    weights = np.random.default_rng(0).normal(size=(147, 3)) / 10
    constants = [constant("weights", weights), numpy_helper.from_array(np.array([-1, 147]), "flat")]
    inputs = [port("obs.image", Type.UINT8, 7, 7, 3)]
    proto = model(nodes, inputs, [port("logits", Type.FLOAT, 3)], constants)
    return with_properties(proto, action=action)


def loaded(proto: ModelProto) -> OnnxAgent:
    return OnnxAgent(proto.SerializeToString(), observation_space(TASK), TASK.actions)


@pytest.mark.parametrize("action", ["greedy", "sample"])
def test_thinking_is_exactly_nothing_to_a_feed_forward_agent(action: str) -> None:
    found = measure_thinking(loaded(feed_forward(action)), TASK, levels=LEVELS)
    assert not found.remembers
    assert found.conclusion == "Gains from thinking: not shown."
    for family in found.families.values():
        assert [e.changed for e in family.effects] == [0.0] * len(THOUGHTS)
        assert all(e.gain.low == e.gain.high == e.returned.low == 0.0 for e in family.effects)
        assert len({e.success for e in family.effects}) == 1


def test_an_agent_that_is_shown_the_worlds_has_nothing_to_think() -> None:
    found = measure_thinking(PlannedAgent(TASK, {TASK.base.name: 1.0}), TASK, levels=4)
    assert found.families == {}
    assert found.reason is not None
    draw(found)


def test_far_levels_are_those_worth_least() -> None:
    played = rollout(RandomAgent(TASK.actions), TASK, "test", LEVELS)
    best = optimal(TASK, "test", np.arange(LEVELS), {})
    np.testing.assert_allclose(best, optimal_returns(played)[:, 0])
    tired = measure_thinking(Rehearsed(played.actions, 0), TASK, levels=LEVELS)
    far = np.argsort(best)[: LEVELS // 4]
    reached = played.returns(TASK.base)[far] >= best[far] / 2
    assert tired.families["far"].effects[0].success.mean == reached.mean()


@pytest.fixture(params=KNOBS)
def hard(request) -> HardLevels:
    found = hard_levels(request.param)
    assert found is not None
    return found


def test_greedy_walkers_lose_on_hard_levels(hard: HardLevels) -> None:
    """Walkers of other luck than those by which the levels were chosen do no better."""
    task, few = get_task(next(n for n in KNOBS if hard_levels(n) is hard)), list(hard.levels[:64])
    walker = GreedyWalker(task, task.base.name, seed=WALKERS + 1)
    earned = rollout(walker, task, SPLIT, few, **hard.knobs).returns(task.base)
    assert (earned < hard.enough[:64]).mean() >= 0.95
    assert (earned <= np.array(hard.greedy[:64]) + 1e-4).mean() >= 0.9


def test_search_finds_the_levels_of_the_file(hard: HardLevels) -> None:
    task, sample = get_task(next(n for n in KNOBS if hard_levels(n) is hard)), hard.levels[:16]
    others = np.setdiff1d(np.arange(64), hard.levels)[:16]
    found = search(task, hard.knobs, np.concatenate([sample, others]))
    agrees = [n in found.levels for n in sample] + [n not in found.levels for n in others]
    assert np.mean(agrees) >= 0.9  # ties by lot
    for name in ("levels", "greedy", "optimum"):
        assert len(getattr(hard, name)) == len(hard.levels) >= 100
    assert max(hard.levels) < POOL


def test_planners_succeed_on_hard_levels_and_greedy_walkers_fail(hard: HardLevels) -> None:
    greedy, optimum = np.array(hard.greedy), np.array(hard.optimum)
    assert (greedy <= GREEDY_SHARE * optimum + 1e-4).all()
    task = get_task(next(n for n in KNOBS if hard_levels(n) is hard))
    levels = np.array(hard.levels)
    assert optimal(task, SPLIT, levels, hard.knobs) == pytest.approx(optimum, abs=1e-4)
    planner = PlannedAgent(task, {task.base.name: 1.0}, temperature=0.0)
    earned = rollout(planner, task, SPLIT, levels.tolist(), **hard.knobs).returns(task.base)
    assert (earned > hard.enough).all()


def test_a_gain_on_hard_levels_is_shown() -> None:
    """Greedy actions without a thought and the planner's after one: success is 0, then 1."""
    task, hard = get_task("KeysChests-v0"), hard_levels("KeysChests-v0")
    assert hard is not None
    few = list(hard.levels[:LEVELS])
    walker = GreedyWalker(task, task.base.name, seed=0)
    planner = PlannedAgent(task, {task.base.name: 1.0}, temperature=0.0)
    quick, slow = (rollout(a, task, SPLIT, few, **hard.knobs).actions for a in (walker, planner))
    found = measure_thinking(Hasty(quick, slow), task, levels=LEVELS)
    assert found.families["hard"].levels == LEVELS
    effects = found.families["hard"].effects
    assert effects[0].success.mean <= 0.05
    assert [e.success.mean for e in effects[1:]] == [1.0] * (len(THOUGHTS) - 1)
    assert "hard levels" in found.conclusion


class Hasty:
    """Plays one course of actions [T, N] without a thought and another one after some."""

    def __init__(self, quick: NDArray, slow: NDArray):
        self.courses, self.begun = (quick, slow), -1

    def __call__(self, obs: Observation, state: Any, episode_start: NDArray[np.bool_]) -> Any:
        self.begun += int(episode_start.all())
        runs = 0 if episode_start.all() else state + 1
        thoughts = THOUGHTS[self.begun % len(THOUGHTS)]
        course, step = self.courses[thoughts > 0], runs - thoughts
        if not 0 <= step < len(course):
            return np.full(len(episode_start), LEFT), runs
        return np.maximum(course[step], 0), runs


def test_other_knobs_have_no_hard_levels() -> None:
    task = get_task("KeysChests-v0")
    found = measure_thinking(loaded(feed_forward("greedy")), task, levels=8, size=7)
    assert set(found.families) == {"all", "far"}


@pytest.mark.parametrize("won", range(6))
@pytest.mark.parametrize("lost", range(6))
def test_mcnemar_counts_outcomes_as_extreme(won: int, lost: int) -> None:
    n = won + lost
    tail = sum(comb(n, i) for i in range(min(won, lost) + 1)) / 2**n
    assert mcnemar(won, lost) == pytest.approx(min(1.0, 2 * tail))


def test_holm_steps_down() -> None:
    assert holm(np.array([0.01, 0.04, 0.03])) == pytest.approx([0.03, 0.06, 0.06])
    assert holm(np.array([0.5, 0.6])) == pytest.approx([1.0, 1.0])
    assert holm(np.array([0.02])) == pytest.approx([0.02])


def test_rollouts_differ_where_actions_do() -> None:
    first = rollout(RandomAgent(TASK.actions), TASK, "test", 8)
    changed = first.actions.copy()
    changed[0, 3] = (changed[0, 3] + 1) % 3
    second = dataclasses.replace(first, actions=changed)
    assert differs(first, second).tolist() == [b == 3 for b in range(8)]
    shorter = dataclasses.replace(first, lengths=first.lengths - (np.arange(8) == 5))
    assert differs(first, shorter).tolist() == [b == 5 for b in range(8)]


def test_irreversible_tasks_are_known() -> None:
    found = {name for name in task_ids() if is_irreversible(get_task(name))}
    assert {"RedDoor-v0", "LavaLand-v0", "KeysChests-v0"} <= found
    assert "TreeHarvest-v0" not in found


def test_results_can_be_written_and_drawn() -> None:
    found = measure_thinking(loaded(feed_forward("greedy")), TASK, levels=8)
    text = json.dumps(as_json(dataclasses.asdict(found)), allow_nan=False)
    assert json.loads(text)["families"]["all"]["effects"][0]["thoughts"] == 0
    labels = [label.get_text() for label in draw(found).get_xticklabels()]
    assert labels == [str(k) for k in THOUGHTS]


def draw(found: Thinking) -> Any:
    axes: Any = Figure().subplots()
    draw_thinking(axes, found)
    return axes
