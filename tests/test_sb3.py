"""Stable-Baselines3: its own check, and `MesaVecEnv` against a `DummyVecEnv`."""

import warnings
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import mesabench
from mesabench.registry import get_task

pytest.importorskip("stable_baselines3")
from stable_baselines3 import PPO
from stable_baselines3.common.env_checker import check_env
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv, VecMonitor

SPLITS = [(i, split) for i in mesabench.task_ids(None) for split in get_task(i).splits]
SEEDS = [31, 32, 33]


@pytest.fixture(params=mesabench.task_ids(None))
def task_id(request):
    return request.param


@pytest.mark.parametrize(("task_id", "split"), SPLITS)
def test_stable_baselines3_finds_nothing_to_complain_of(task_id, split):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(mesabench.sb3_env(task_id, split=split))


class Seeded(gym.Wrapper):
    """Begins with a seed of its own, whatever the vector asks for."""

    def __init__(self, env, seed):
        super().__init__(env)
        self.first = seed

    def reset(self, **kwargs):
        seed, self.first = self.first, None
        return self.env.reset(seed=seed, options=kwargs.get("options"))


def test_batch_is_a_dummy_vec_env_of_the_same_levels(task_id):
    def single(seed):
        return lambda: Monitor(Seeded(mesabench.sb3_env(task_id), seed))

    dummy: Any = DummyVecEnv([single(seed) for seed in SEEDS])
    batch: Any = mesabench.sb3_vec_env(task_id, num_envs=len(SEEDS))
    assert batch.observation_space == dummy.observation_space
    assert batch.action_space == dummy.action_space
    batch._seeds = list(SEEDS)  # `seed` would count them up from one number
    obs, expected = batch.reset(), dummy.reset()
    rng = np.random.default_rng(0)
    ended = truncated = 0
    for step in range(400):
        for name, value in expected.items():
            np.testing.assert_array_equal(obs[name], value)
            assert obs[name].dtype == value.dtype
        # A world that only turns runs into the horizon; the others may end sooner.
        actions = rng.integers(batch.action_space.n, size=len(SEEDS))
        actions[0] = 0 if step < 200 else actions[0]
        obs, reward, done, infos = batch.step(actions)
        expected, *outcome, dummy_infos = dummy.step(actions)
        np.testing.assert_array_equal(reward, outcome[0])
        np.testing.assert_array_equal(done, outcome[1])
        for info, other in zip(infos, dummy_infos, strict=True):
            assert info["level"] == other["level"]
            assert info["layout"] == other["layout"]
            assert info["events"] == other["events"]
            assert info["returns"] == pytest.approx(other["returns"])
            assert ("terminal_observation" in info) == ("terminal_observation" in other)
            if "terminal_observation" in other:
                ended += 1
                truncated += other["TimeLimit.truncated"]
                assert info["TimeLimit.truncated"] == other["TimeLimit.truncated"]
                assert info["episode"]["l"] == other["episode"]["l"]
                assert info["episode"]["r"] == pytest.approx(other["episode"]["r"])
                for name, value in other["terminal_observation"].items():
                    np.testing.assert_array_equal(info["terminal_observation"][name], value)
    assert 0 < truncated <= ended


def test_what_becomes_of_an_info_does_not_show_in_the_next():
    """Numbers that did not change are not made anew, but copied."""
    env = mesabench.sb3_vec_env("KeysChests-v0", 2)
    env.reset()
    *_, infos = env.step(np.zeros(2, np.int64))
    told = [dict(info["events"]) for info in infos]
    for info in infos:
        info["events"].clear()
        info["returns"].clear()
    *_, infos = env.step(np.zeros(2, np.int64))
    assert [info["events"] for info in infos] == told
    assert all(set(info["returns"]) == set(env.task.objectives) for info in infos)


@pytest.mark.parametrize("everyone", [False, True])
def test_terse_infos_say_what_others_say_when_an_episode_ends(task_id, everyone):
    full, terse = (
        mesabench.sb3_vec_env(task_id, 3, everyone=everyone, terse=terse) for terse in (False, True)
    )
    for env in (full, terse):
        env.reset()
    count = get_task(task_id).actions
    rng = np.random.default_rng(0)
    ends = 0
    for _ in range(300):
        actions = rng.integers(count, size=full.num_envs)
        obs, reward, done, infos = full.step(actions)
        seen, paid, ended, told = terse.step(actions)
        np.testing.assert_equal((seen, paid, ended), (obs, reward, done))
        for b, info in enumerate(infos):
            np.testing.assert_equal(told[b], info if done[b] else {})
        ends += done.sum()
    assert ends


def test_seed_restarts_the_levels(task_id):
    env = mesabench.sb3_vec_env(task_id, num_envs=4)

    def levels(seed):
        env.seed(seed)
        env.reset()
        return [info["level"] for info in env.reset_infos]

    first = levels(1)
    assert len(set(first)) == 4
    assert not set(levels(2)) & set(first)  # also not in another world
    assert levels(1) == first


def test_vec_monitor_reports_episodes(task_id):
    env: Any = VecMonitor(mesabench.sb3_vec_env(task_id, num_envs=4))
    env.reset()
    rng = np.random.default_rng(0)
    rewards, lengths, episodes = np.zeros(4), np.zeros(4, int), 0
    for _ in range(300):
        _, reward, done, infos = env.step(rng.integers(env.action_space.n, size=4))
        rewards += reward
        lengths += 1
        for b in np.flatnonzero(done):
            episodes += 1
            assert infos[b]["episode"]["l"] == lengths[b]
            assert infos[b]["episode"]["r"] == pytest.approx(rewards[b])
        rewards[done], lengths[done] = 0, 0
    assert episodes >= 4


def test_ppo_learns_from_the_batch(task_id):
    env = mesabench.sb3_vec_env(task_id, num_envs=8)
    model = PPO("MultiInputPolicy", env, n_steps=16, batch_size=64, n_epochs=1, device="cpu")
    before = [p.detach().clone() for p in model.policy.parameters()]
    model.learn(128)
    assert any((a != b).any() for a, b in zip(before, model.policy.parameters(), strict=True))


@pytest.mark.slow
def test_recurrent_ppo_learns_from_the_batch(task_id):
    contrib = pytest.importorskip("sb3_contrib")
    env = mesabench.sb3_vec_env(task_id, num_envs=8)
    model = contrib.RecurrentPPO(
        "MultiInputLstmPolicy",
        env,
        n_steps=8,
        batch_size=64,
        n_epochs=1,
        device="cpu",
        policy_kwargs={"lstm_hidden_size": 8},
    )
    model.learn(64)
    action, _ = model.predict(env.reset())
    assert action.shape == (8,)
