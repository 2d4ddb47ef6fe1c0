"""Rollouts: what is recorded is what happened, and agents that do not fit are told where."""

import numpy as np
import pytest

import mesabench
from mesabench.agents.planned import PlannedAgent, RandomAgent
from mesabench.engine.codes import FORWARD
from mesabench.errors import AgentError, LevelError, NonFiniteLogits, TaskError
from mesabench.rollout import rollout


@pytest.fixture(params=mesabench.task_ids(None))
def task(request):
    return mesabench.get_task(request.param)


@pytest.mark.parametrize("task_id", mesabench.task_ids())
def test_the_planner_earns_exactly_what_it_promises(task_id):
    """A planned agent's discounted return is the optimal value of the start, level by level."""
    from mesabench.scorers.hypotheses import optimal_returns

    task = mesabench.get_task(task_id)
    levels = 8 if task.planner == "states" else 32
    for k, objective in enumerate(task.candidates):
        for split in ("heldout", "test"):
            played = rollout(PlannedAgent(task, {objective.name: 1.0}), task, split, levels)
            expected = optimal_returns(played)[:, k]
            # What lies beyond the horizon is negligible, not nothing.
            most = max(map(abs, objective.weights.values()))
            discount = objective.discount or task.discount
            slack = most * discount**task.horizon / (1 - discount)
            assert played.returns(objective) == pytest.approx(expected, abs=slack + 1e-9)


def test_returns_are_discounted_sums_of_weighted_events(task):
    played = rollout(RandomAgent(task.actions, 3), task, "test", 16)
    weights = task.weights(task.base)[0]
    by_hand = np.zeros(16)
    for t, events in enumerate(played.events):
        by_hand += task.discount**t * (events @ weights)
    assert played.returns(task.base) == pytest.approx(by_hand)
    assert (played.returns(task.base, discounted=False) == played.counts @ weights).all()


@pytest.mark.parametrize("task_id", mesabench.task_ids())
def test_a_level_is_played_alike_alone_and_in_company(task_id):
    task = mesabench.get_task(task_id)
    agent = PlannedAgent(task, {task.base.name: 1.0}, temperature=1e-9)
    together = rollout(agent, task, "test", 8)
    alone = rollout(agent, task, "test", [5])
    assert together.layouts[5] == alone.layouts[0]
    assert (together.grid[5] == alone.grid[0]).all()
    assert together.lengths[5] == alone.lengths[0]


def test_episode_start_is_true_once_and_the_state_is_handed_on(task):
    seen = []

    def agent(obs, state, episode_start):
        seen.append((state, episode_start.copy()))
        return np.full(4, FORWARD), len(seen)

    played = rollout(agent, task, "train", 4)
    assert seen[0][0] is None
    assert seen[0][1].all()
    assert [state for state, _ in seen[1:]] == list(range(1, len(seen)))
    assert not any(start.any() for _, start in seen[1:])
    assert len(seen) == len(played.actions)


@pytest.mark.parametrize(
    ("actions", "said"),
    [
        (np.zeros(4), "whole numbers"),
        (np.zeros(3, int), "found int64 [3]"),
        (np.array([0, 1, 7, 0]), "level"),
        (np.array([0, -1, 0, 0]), "step 0"),
    ],
)
def test_actions_that_do_not_fit_are_named(task, actions, said):
    with pytest.raises(AgentError) as error:
        rollout(lambda *_: (actions, None), task, "test", 4)
    if said == "level":
        assert f"{task.id}/test/2" in str(error.value)
    else:
        assert said in str(error.value)


def test_logits_that_are_not_finite_are_blamed_on_a_level_and_a_step(task):
    calls = []

    def agent(obs, state, episode_start):
        calls.append(1)
        if len(calls) == 3:
            raise NonFiniteLogits("logits are NaN", rows=[2])
        return np.zeros(4, int), None

    with pytest.raises(NonFiniteLogits, match=rf"{task.id}/test/2, step 2"):
        rollout(agent, task, "test", 4)


def test_unknown_splits_knobs_and_levels_are_named(task):
    with pytest.raises(TaskError, match="did you mean 'test'"):
        rollout(RandomAgent(), task, "tset", 4)
    with pytest.raises(LevelError, match="did you mean 'size'"):
        rollout(RandomAgent(), task, "test", 4, siez=9)
    with pytest.raises(LevelError, match="-1"):
        rollout(RandomAgent(), task, "test", [0, -1])


class Wanderer:
    """Walks by what it sees and remembers; its rows have nothing to do with one another."""

    def __init__(self, row_wise, broken_after=10**9):
        self.row_wise, self.broken_after, self.asked = row_wise, broken_after, []

    def __call__(self, obs, state, episode_start):
        self.asked.append(len(episode_start))
        seen = obs["image"].astype(np.int64).sum((1, 2, 3)) + obs["direction"]
        walked = seen if state is None else state["walked"] * 31 % 1009 + seen
        if len(self.asked) > self.broken_after:
            raise NonFiniteLogits("logits are not finite", [self.asked[-1] - 1])
        return np.where(walked % 3 == 0, walked // 3 % 3, FORWARD), {"walked": walked}


@pytest.mark.parametrize("task_id", ["LavaLand-v0", "CheeseCorner-v0"])
def test_an_agent_need_not_be_asked_about_levels_that_are_over(task_id):
    task = mesabench.get_task(task_id)
    whole, trimmed = Wanderer(False), Wanderer(True)
    expected, found = (rollout(agent, task, "train", 64) for agent in (whole, trimmed))
    assert min(expected.lengths) < max(expected.lengths)
    for name in ("actions", "poses", "events", "lengths", "terminated"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    assert set(whole.asked) == {64}
    assert min(trimmed.asked) < 48
    assert trimmed.asked == sorted(trimmed.asked, reverse=True)
    playing = [(found.lengths > t).sum() for t in range(len(trimmed.asked))]
    assert all(asked >= n for asked, n in zip(trimmed.asked, playing, strict=True))


def test_an_error_names_the_level_also_where_others_are_left_out():
    task = mesabench.get_task("LavaLand-v0")
    over = Wanderer(True)
    played = rollout(over, task, "train", 64)
    step = next(t for t, asked in enumerate(over.asked) if asked < 64)
    last = np.flatnonzero(played.lengths > step)[-1]
    assert last > over.asked[step] - 1
    with pytest.raises(NonFiniteLogits, match=f"LavaLand-v0/train/{last}, step {step}") as error:
        rollout(Wanderer(True, broken_after=step), task, "train", 64)
    assert error.value.rows == (last,)


@pytest.mark.parametrize("task_id", mesabench.task_ids(None))
def test_nothing_depends_on_views_that_nobody_looks_at(task_id):
    task, draw = mesabench.get_task(task_id), RandomAgent(mesabench.get_task(task_id).actions, 5)
    seen = []

    def looking(obs, state, episode_start):
        seen.append(obs["image"].any())
        return draw(obs, state, episode_start)

    shown = rollout(looking, task, "test", 16)
    unseen = rollout(RandomAgent(task.actions, 5), task, "test", 16)
    assert all(seen)
    for name in ("actions", "poses", "events", "lengths", "terminated"):
        np.testing.assert_array_equal(getattr(shown, name), getattr(unseen, name))
