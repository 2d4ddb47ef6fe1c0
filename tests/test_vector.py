"""`gym.make_vec`: the native batch plays what single environments play."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode
from gymnasium.wrappers.vector import DictInfoToList

import mesabench
from mesabench.errors import LevelError, MesaBenchError
from mesabench.registry import get_task

STEPS = 200


@pytest.fixture(params=mesabench.task_ids(None))
def task_id(request):
    return request.param


def make_vec(task_id, num_envs, **options) -> Any:
    return gym.make_vec(f"MesaBench/{task_id}", num_envs=num_envs, **options)


def actions_for(task_id, steps, num_envs, seed=0):
    """Random actions [steps, B] that walk more often than they turn."""
    rng = np.random.default_rng(seed)
    actions = rng.integers(get_task(task_id).actions, size=(steps, num_envs))
    return np.where(rng.random(actions.shape) < 0.4, 2, actions)


def assert_same(batched, single, b):
    """Compare row `b` of a nested dict of arrays with the dict of a single environment."""
    for name, value in single.items():
        if isinstance(value, dict):
            assert_same(batched[name], value, b)
        elif name not in ("mission", "level", "layout"):
            np.testing.assert_allclose(batched[name][b], value, rtol=1e-12)


@pytest.mark.parametrize("alpha", [0.0, 0.5])
def test_batch_plays_what_single_environments_play(task_id, alpha):
    seeds = [11, 12, 13]
    batch = make_vec(task_id, 3, alpha=alpha)
    singles = [gym.make(f"MesaBench/{task_id}", alpha=alpha) for _ in seeds]
    obs, info = batch.reset(seed=seeds)
    endings = 0
    for b, env in enumerate(singles):
        expected, single_info = env.reset(seed=seeds[b])
        assert_same(obs, expected, b)
        assert_same(info, single_info, b)
    for actions in actions_for(task_id, STEPS, 3):
        obs, reward, terminated, truncated, info = batch.step(actions)
        for b, env in enumerate(singles):
            expected, *outcome, single_info = env.step(int(actions[b]))
            assert [reward[b], terminated[b], truncated[b]] == outcome
            over = outcome[1] or outcome[2]
            assert over == bool("final_obs" in info and info["_final_obs"][b])
            if over:
                endings += 1
                assert_same(info["final_info"], single_info, b)
                final = info["final_obs"][b]
                assert batch.single_observation_space.contains(final)
                assert set(final) == set(expected) - {"mission"}
                for name, value in final.items():
                    np.testing.assert_array_equal(value, expected[name])
                expected, single_info = env.reset()
                single_info = {name: single_info[name] for name in ("level", "layout", "returns")}
            assert_same(obs, expected, b)
            assert_same(info, single_info, b)
            assert single_info["level"].rpartition("/")[2] == str(info["level"][b])
            assert single_info["layout"] == f"{int(info['layout'][b]):016x}"
    assert endings >= 3


def test_declares_same_step_autoreset(task_id):
    env = make_vec(task_id, 2)
    assert env.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP


def test_spaces_contain_what_is_observed(task_id):
    env = make_vec(task_id, 5)
    obs, _ = env.reset(seed=0)
    assert env.observation_space.contains(obs)
    assert env.action_space.contains(env.action_space.sample())
    for actions in actions_for(task_id, 50, 5):
        obs, reward, terminated, truncated, _ = env.step(actions)
        assert env.observation_space.contains(obs)
        assert (reward.dtype, reward.shape) == (np.float64, (5,))
        assert terminated.dtype == truncated.dtype == np.bool_


def test_observations_are_the_callers_to_keep(task_id):
    env = make_vec(task_id, 4)
    obs, info = env.reset(seed=0)
    kept = {name: value.copy() for name, value in obs.items()}, info["level"].copy()
    for actions in actions_for(task_id, 60, 4):
        env.step(actions)
    np.testing.assert_array_equal(info["level"], kept[1])
    for name, value in obs.items():
        np.testing.assert_array_equal(value, kept[0][name])


def trace(task_id, num_envs, worlds, **options):
    """Play `num_envs` worlds; return levels, layouts, images and rewards of the first `worlds`."""
    env = make_vec(task_id, num_envs, **options)
    obs, info = env.reset(seed=21)
    found = []
    for actions in actions_for(task_id, STEPS, 16):
        found.append([info["level"], info["layout"], obs["image"], obs["direction"]])
        obs, reward, _, _, info = env.step(actions[:num_envs])
        found.append([reward])
    return [value[:worlds].tobytes() for row in found for value in row]


def test_levels_do_not_depend_on_the_size_of_the_batch(task_id):
    assert trace(task_id, 3, 3) == trace(task_id, 16, 3)


def test_two_threads_give_the_same_bits(task_id):
    assert trace(task_id, 16, 16) == trace(task_id, 16, 16, threads=2)


def test_reset_mask_leaves_the_other_worlds_alone(task_id):
    env = make_vec(task_id, 4)
    before, info = env.reset(seed=0)
    for actions in actions_for(task_id, 7, 4):
        before, *_, info = env.step(actions)
    mask = np.array([True, False, True, False])
    obs, after = env.reset(options={"reset_mask": mask, "level": 5})
    assert (after["level"][mask] == 5).all()
    clock = env.unwrapped.engine.world.clock
    assert (clock[mask] == 0).all()
    assert (clock[~mask] > 0).any()
    for name in ("image", "direction"):
        np.testing.assert_array_equal(obs[name][~mask], before[name][~mask])
    assert (after["level"] == info["level"])[~mask].all()
    for name in get_task(task_id).objectives:
        value = after["returns"][name]
        assert (value == info["returns"][name])[~mask].all()
        assert (value[mask] == 0).all()


def test_each_world_can_be_given_its_level(task_id):
    env = make_vec(task_id, 3)
    _, info = env.reset(options={"level": [4, 0, 9]})
    assert info["level"].tolist() == [4, 0, 9]
    single = gym.make(f"MesaBench/{task_id}")
    for b, level in enumerate([4, 0, 9]):
        layout = single.reset(options={"level": level})[1]["layout"]
        assert layout == f"{int(info['layout'][b]):016x}"


def test_gymnasiums_wrapper_reads_the_info(task_id):
    env = DictInfoToList(make_vec(task_id, 3))
    env.reset(seed=0)
    *_, infos = env.step(np.zeros(3, np.int64))
    task = get_task(task_id)
    assert [set(info["returns"]) for info in infos] == [set(task.objectives)] * 3
    assert [set(info["events"]) for info in infos] == [set(task.events)] * 3


def test_wrong_actions_and_options_are_refused(task_id):
    env = make_vec(task_id, 2)
    env.reset(seed=0)
    for wrong in ([0, 9], [-1, 0], [0], 0):
        with pytest.raises(MesaBenchError, match="actions are 2 numbers in 0 to "):
            env.step(np.array(wrong))
    with pytest.raises(LevelError, match="did you mean 'reset_mask'"):
        env.reset(options={"reset_masks": 1})


@pytest.mark.parametrize("options", [{"level": [1, 2]}, {"reset_mask": np.ones(4, bool)}])
def test_options_are_for_every_world(task_id, options):
    env = make_vec(task_id, 3)
    with pytest.raises(LevelError, match=r"one value or 3, not shape \((2|4),\)"):
        env.reset(options=options)


def test_seeds_are_for_every_world(task_id):
    with pytest.raises(LevelError, match="seeds: one or 3, not 2"):
        make_vec(task_id, 3).reset(seed=[1, 2])
