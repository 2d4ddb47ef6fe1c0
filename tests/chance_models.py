"""Small recurrent models that learn from random worlds, ours and the stock class's."""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import gymnasium as gym
import numpy as np
import torch as th
from gymnasium import spaces
from sb3_contrib import RecurrentPPO
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from stable_baselines3.common.vec_env import DummyVecEnv
from torch import nn

NUM_ENVS, NUM_STEPS = 4, 16
ROLLOUT = NUM_ENVS * NUM_STEPS
ATOL = 1e-5  # the largest difference seen in a float32 weight is 2.5e-7

VECTOR = spaces.Box(-1, 1, (3,), np.float32)
DICT = spaces.Dict({"view": spaces.Box(0, 10, (2, 2), np.uint8), "facing": spaces.Discrete(4)})
IMAGE = spaces.Box(0, 255, (36, 36, 3), np.uint8)
SPACES = {"MlpLstmPolicy": VECTOR, "MultiInputLstmPolicy": DICT, "CnnLstmPolicy": IMAGE}
CRITICS: dict[str, dict[str, Any]] = {
    "separate": {"enable_critic_lstm": True},
    "none": {"enable_critic_lstm": False},
    "shared": {"enable_critic_lstm": False, "shared_lstm": True},
}


class Chance(gym.Env):
    """Random observations and rewards; episodes terminate and are truncated at a given rate."""

    action_space = spaces.Discrete(3)

    def __init__(self, space: spaces.Space, end_rate: float, seed: int) -> None:
        self.observation_space = deepcopy(space)
        self.observation_space.seed(seed)
        self.end_rate = end_rate
        self.rng = np.random.default_rng(seed)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        return self.observation_space.sample(), {}

    def step(self, action: int):
        terminated, truncated = (self.rng.random(2) < self.end_rate / 2).tolist()
        reward = float(action == 1) + self.rng.normal()
        return self.observation_space.sample(), reward, terminated, truncated, {}


class Encoder(BaseFeaturesExtractor):
    """A features extractor with weights of its own, through which gradients flow."""

    def __init__(self, observation_space: spaces.Box) -> None:
        super().__init__(observation_space, features_dim=5)
        self.net = nn.Sequential(nn.Linear(observation_space.shape[0], 5), nn.Tanh())

    def forward(self, observations: th.Tensor) -> th.Tensor:
        return self.net(observations)


def build(
    algorithm: type[RecurrentPPO],
    *,
    policy: str = "MlpLstmPolicy",
    end_rate: float = 0.07,
    batch_size: int | None = 24,
    seed: int = 0,
    device: str = "cpu",
    clip_range_vf: float | None = None,
    target_kl: float | None = None,
    **policy_kwargs: Any,
) -> RecurrentPPO:
    def make_env(index: int) -> Chance:
        return Chance(SPACES[policy], end_rate, seed * NUM_ENVS + index)

    return algorithm(
        policy,
        DummyVecEnv([lambda i=i: make_env(i) for i in range(NUM_ENVS)]),
        learning_rate=3e-3,
        n_steps=NUM_STEPS,
        batch_size=batch_size,
        n_epochs=2,
        ent_coef=0.01,
        clip_range_vf=clip_range_vf,
        target_kl=target_kl,
        seed=seed,
        device=device,
        policy_kwargs={"net_arch": [6], "lstm_hidden_size": 8} | policy_kwargs,
    )


@contextmanager
def torch_threads(number: int) -> Iterator[None]:
    """Let PyTorch have so many threads for a while."""
    before = th.get_num_threads()
    th.set_num_threads(number)
    try:
        yield
    finally:
        th.set_num_threads(before)


def train(algorithm: type[RecurrentPPO], **settings: Any) -> RecurrentPPO:
    return build(algorithm, **settings).learn(3 * ROLLOUT)


def distance(one: RecurrentPPO, other: RecurrentPPO) -> float:
    """The largest difference between weights of the same name."""
    weights, others = one.policy.state_dict(), other.policy.state_dict()
    assert weights.keys() == others.keys()
    return max(float((weights[name] - others[name]).abs().max()) for name in weights)
