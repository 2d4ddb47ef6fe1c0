"""Measure how fast `FlatRecurrentPPO` trains beside the stock class, under equal settings."""

import statistics
import time
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
import torch as th
from gymnasium import spaces
from mesabench.baselines.recurrent_ppo import FlatRecurrentPPO
from sb3_contrib import RecurrentPPO
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from stable_baselines3.common.vec_env import DummyVecEnv
from torch import nn

NUM_ENVS = 64
NUM_STEPS = 128
EPISODE_END_RATE = 0.02  # episodes of 50 steps on average


@dataclass(frozen=True)
class Row:
    """One measurement of ours beside a peer's."""

    name: str
    ours: float
    peer: float
    ratio: float  # ours over peer
    unit: str


def training_rows(repeats: int = 5) -> list[Row]:
    """Measure training end to end, rollout and update, in environment steps per second.

    Both classes train in this process, in turn: 64 environments by 128 steps, 4 epochs of 4
    minibatches, an LSTM of 128 units behind an MLP encoder, no critic LSTM. Each figure is the
    median of `repeats` rollouts after one to warm up. `torch.set_num_threads` is the caller's.
    """
    models = [build_model(algorithm) for algorithm in (FlatRecurrentPPO, RecurrentPPO)]
    speeds = [[steps_per_second(model) for model in models] for _ in range(repeats + 1)]
    ours, peer = (statistics.median(column) for column in zip(*speeds[1:], strict=True))
    return [Row("recurrent PPO, MLP encoder", ours, peer, ours / peer, "steps/s")]


def build_model(algorithm: type[RecurrentPPO]) -> RecurrentPPO:
    """Build a model with the settings of the measurement."""
    return algorithm(
        "MlpLstmPolicy",
        RandomViews(),
        n_steps=NUM_STEPS,
        batch_size=NUM_ENVS * NUM_STEPS // 4,
        n_epochs=4,
        seed=0,
        device="cpu",
        policy_kwargs={
            "features_extractor_class": MlpEncoder,
            "net_arch": [],
            "lstm_hidden_size": 128,
            "enable_critic_lstm": False,
        },
    )


def steps_per_second(model: RecurrentPPO) -> float:
    """Collect one rollout and update on it; return the speed of both together."""
    start = time.perf_counter()
    model.learn(NUM_ENVS * NUM_STEPS, reset_num_timesteps=False)
    return NUM_ENVS * NUM_STEPS / (time.perf_counter() - start)


class MlpEncoder(BaseFeaturesExtractor):
    """A flattened view through one layer of 128 units."""

    def __init__(self, observation_space: spaces.Box) -> None:
        super().__init__(observation_space, features_dim=128)
        size = int(np.prod(observation_space.shape))
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(size, 128), nn.ReLU())

    def forward(self, views: th.Tensor) -> th.Tensor:
        """Encode `views`, float32 [B, 7, 7, 3], as float32 [B, 128]."""
        return self.net(views)


class View(gym.Env):
    """The spaces of an environment seen through a 7 by 7 view, and nothing else."""

    observation_space = spaces.Box(0, 10, (7, 7, 3), np.uint8)
    action_space = spaces.Discrete(7)


class RandomViews(DummyVecEnv):
    """Environments that cost next to nothing: views drawn in advance, chance rewards and ends."""

    def __init__(self) -> None:
        super().__init__([View] * NUM_ENVS)
        self.rng = np.random.default_rng(0)
        self.views = self.rng.integers(0, 11, (NUM_STEPS, NUM_ENVS, 7, 7, 3), np.uint8)
        self.clock = 0

    def reset(self) -> np.ndarray:
        """Return the first views, uint8 [envs, 7, 7, 3]."""
        return self.views[0]

    def step_wait(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[dict[str, Any]]]:
        """Return the next views, with rewards and episode ends by chance."""
        self.clock = (self.clock + 1) % NUM_STEPS
        rewards, luck = self.rng.random((2, NUM_ENVS), np.float32)
        return self.views[self.clock], rewards, luck < EPISODE_END_RATE, [{}] * NUM_ENVS
