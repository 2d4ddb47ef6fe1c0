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
    for k, objective in enumerate(task.candidates):
        for split in ("heldout", "test"):
            played = rollout(PlannedAgent(task, {objective.name: 1.0}), task, split, 32)
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
