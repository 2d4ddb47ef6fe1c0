"""Frame history: what stands beside the present view is what was seen in this episode before."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch as th
from gymnasium import spaces
from stable_baselines3.common.vec_env import DummyVecEnv

import mesabench
from mesabench.agents.one_step import OneRememberingStep, one_step
from mesabench.baselines.algorithms.ppo_frames import Args
from mesabench.baselines.frames import CODES, FRAMES, Framed, FramesEncoder
from mesabench.baselines.train import build_model, worlds
from mesabench.errors import MesaBenchError

TASK = mesabench.get_task("KeysChests-v0")
WORLDS, VIEWS = 8, 4
ARGS = Args(num_envs=WORLDS, views=VIEWS, hidden=8, width=8, rollout=8, threads=1)


def laid_out(past: list[np.ndarray]) -> np.ndarray:
    """The views before the present one, zeros in place of those that there were not."""
    padded = [np.zeros(CODES, np.uint8)] * VIEWS + past
    return np.concatenate(padded[-(VIEWS - 1) :])


def test_the_views_of_an_episode_stand_beside_the_present_one():
    env = worlds(TASK, ARGS)
    rng, obs = np.random.default_rng(0), env.reset()
    seen: list[list[np.ndarray]] = [[] for _ in range(WORLDS)]
    ends = 0
    for _ in range(TASK.horizon + 20):
        for b in range(WORLDS):
            assert (obs[FRAMES][b] == laid_out(seen[b])).all()
            seen[b].append(obs["image"][b].copy())
        obs, _, done, infos = env.step(rng.integers(3, size=WORLDS))
        for b in np.flatnonzero(done):
            assert (infos[b]["terminal_observation"][FRAMES] == laid_out(seen[b])).all()
            seen[b] = []
            ends += 1
    assert ends >= WORLDS


def test_what_is_observed_lies_in_the_space():
    env = worlds(TASK, ARGS)
    obs: Any = env.reset()
    assert isinstance(env.observation_space, spaces.Dict)
    assert obs.keys() == env.observation_space.spaces.keys()
    for _ in range(5):
        first = {key: value[0] for key, value in obs.items()}
        assert env.observation_space.contains(first)
        obs, *_ = env.step(np.zeros(WORLDS, int))


def test_the_encoder_remembers_what_the_worlds_would_show():
    env = worlds(TASK, ARGS)
    assert isinstance(env.observation_space, spaces.Dict)
    encoder = FramesEncoder(env.observation_space)
    rng, obs = np.random.default_rng(1), env.reset()
    for _ in range(30):
        tensors = {key: th.as_tensor(value) for key, value in obs.items()}
        following = encoder.remember(tensors)[FRAMES].numpy()
        obs, _, done, _ = env.step(rng.integers(3, size=WORLDS))
        assert (obs[FRAMES][~done] == following[~done]).all()


def test_cells_of_all_views_are_embedded_alike():
    """A view's features do not depend on how old it is, but for the weights that mix them."""
    env = worlds(TASK, ARGS)
    assert isinstance(env.observation_space, spaces.Dict)
    encoder = FramesEncoder(env.observation_space, cell=5, hidden=6)
    view = th.randint(0, 3, (1, CODES))
    inputs: list[th.Tensor] = []
    encoder.mix[1].register_forward_pre_hook(lambda layer, given: inputs.append(given[0]))
    encoder.mix(encoder.cells({"image": view.repeat(1, VIEWS)}))
    parts = inputs[0].reshape(VIEWS, -1)
    assert th.allclose(parts, parts[0].expand_as(parts), atol=1e-6)
    assert parts[0].std() > 0.1


def test_the_file_reads_what_the_environment_gives_and_keeps_the_rest():
    step = one_step(build_model(TASK, ARGS).policy)
    assert isinstance(step, OneRememberingStep)
    assert step.states == {FRAMES: ((VIEWS - 1) * CODES,)}
    assert set(step.space.spaces) == {"image", "direction", "inventory"}


def test_histories_that_are_none_are_refused():
    plain = worlds(TASK, Args(num_envs=2)).venv  # type: ignore[attr-defined]
    with pytest.raises(MesaBenchError, match=r"2 views or more, not 1.*'ppo'"):
        Framed(plain, 1)
    with pytest.raises(MesaBenchError, match="'image'"):
        Framed(DummyVecEnv([lambda: gym.make("CartPole-v1")]), 2)
