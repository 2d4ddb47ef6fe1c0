"""What the baselines add to `mesabench bench`: training, evaluation, time to learn."""

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import torch as th
from gymnasium import spaces
from rich.console import Console
from sb3_contrib import RecurrentPPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from stable_baselines3.common.vec_env import DummyVecEnv
from torch import nn

from mesabench.agents.onnx_agent import OnnxAgent
from mesabench.agents.planned import RandomAgent
from mesabench.agents.sb3_agent import Sb3Agent
from mesabench.baselines.algorithms import FLAGSHIP, get_algorithm
from mesabench.baselines.config import TrainConfig
from mesabench.baselines.recurrent_ppo import FlatRecurrentPPO
from mesabench.baselines.train import build_model, make_env, train
from mesabench.bench import TASK, Row
from mesabench.evaluation import evaluate
from mesabench.observation import observation_space
from mesabench.registry import get_task
from mesabench.report import write_report
from mesabench.rollout import rollout
from mesabench.scorers.hypotheses import optimal_returns
from mesabench.task import Task

NUM_ENVS = 64
NUM_STEPS = 128
EPISODE_END_RATE = 0.02  # episodes of 50 steps on average

AGENT_STEPS = 200_000
LOOK_EVERY, LOOK_LEVELS, LEARNED = 100_000, 512, 0.9
LEARNED_TASKS = ("KeysChests-v0", "RedDoor-v0")


def training_rows(repeats: int = 5) -> list[Row]:
    """Measure training end to end, rollout and update, in environment steps per second.

    Ours and stock `RecurrentPPO` train in this process, in turn, with equal settings: behind an MLP
    encoder in worlds that cost nothing, and behind the default encoder on KeysChests, with the
    default settings and with a larger LSTM for the actor alone. Each figure is the median of
    `repeats` rollouts after one to warm up. `torch.set_num_threads` is the caller's.
    """
    large = TrainConfig(lstm=128, critic_lstm=False)
    cases: dict[str, Callable[[Any], RecurrentPPO]] = {
        "MLP encoder, LSTM 128": build_peer,
        "default encoder and settings": lambda kind: build_on_task(TrainConfig(), kind),
        "default encoder, LSTM 128, no critic LSTM": lambda kind: build_on_task(large, kind),
    }
    rows = []
    for name, build in cases.items():
        models = [build(kind) for kind in (FlatRecurrentPPO, RecurrentPPO)]
        speeds = [[steps_per_second(model) for model in models] for _ in range(repeats + 1)]
        ours, peer = (statistics.median(column) for column in zip(*speeds[1:], strict=True))
        row = Row(f"training, {name}", ours, "steps/s", peer, ours / peer, "20 / 40 k, 4 / 8 x")
        rows.append(row)
    return rows


def build_on_task(config: TrainConfig, kind: Any) -> RecurrentPPO:
    """Build a model of either class as the baselines do."""
    task = get_task(TASK)
    return get_algorithm(FLAGSHIP).build(task, config, make_env(task, config), kind)


def evaluation_rows(repeats: int = 5) -> list[Row]:
    """Measure an evaluation of an ONNX agent: every split, posterior, verdict and page.

    The agent is trained here for `AGENT_STEPS` first, which is not counted. All splits of
    KeysChests are played on 1,024 levels each, 128 of them judged.
    """
    task = get_task(TASK)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config = TrainConfig(steps=AGENT_STEPS)
        path = train(task, config, folder, Console(quiet=True))
        seconds = [timed_evaluation(task, path, folder) for _ in range(repeats)]
    figure = statistics.median(seconds)
    return [Row(f"evaluation, {len(task.splits)} splits of 1,024", figure, "s", target="60 / 15 s")]


def timed_evaluation(task: Task, path: Path, folder: Path) -> float:
    """Return the seconds from an agent's file to its page."""
    start = time.perf_counter()
    agent = OnnxAgent.load(path, observation_space(task), task.actions)
    result = evaluate(agent, task, levels=1024)
    result.save(folder)
    write_report(result, folder)
    return time.perf_counter() - start


def learning_rows(repeats: int = 1) -> list[Row]:
    """Measure the minutes of training until nine tenths of the planner's return, held out.

    The default settings train with seeds 0, 1, ...; the time of the looks at `LOOK_LEVELS`
    held-out levels every `LOOK_EVERY` steps is not counted. Infinite where it was not reached.
    """
    rows = []
    for name in LEARNED_TASKS:
        minutes = [minutes_to_learn(get_task(name), seed) for seed in range(repeats)]
        figure = statistics.median(minutes)
        rows.append(Row(f"{name}, training to 0.9 held out", figure, "min", target="5 / 3 min"))
    return rows


def minutes_to_learn(task: Task, seed: int) -> float:
    """Return the minutes of training until the goal, infinity if it is not reached."""
    config = TrainConfig(seed=seed)
    th.set_num_threads(config.threads)
    model, watch = build_model(task, config), LearningWatch(task, config)
    model.learn(config.steps, callback=watch)
    return watch.minutes


class LearningWatch(BaseCallback):
    """Stops a training once its held-out return is at nine tenths of the planner's."""

    def __init__(self, task: Task, config: TrainConfig):
        super().__init__()
        self.task, self.knobs = task, config.knobs(task.id)
        self.minutes, self.looked, self.away = float("inf"), 0, 0.0
        chance = rollout(RandomAgent(), task, "heldout", LOOK_LEVELS, **self.knobs)
        self.optimum = optimal_returns(chance)[:, 0].mean()

    def _on_training_start(self) -> None:
        self.began = time.perf_counter()

    def _on_step(self) -> bool:
        if self.num_timesteps - self.looked < LOOK_EVERY:
            return True
        self.looked, start = self.num_timesteps, time.perf_counter()
        seen = rollout(Sb3Agent(self.model), self.task, "heldout", LOOK_LEVELS, **self.knobs)
        reached = seen.returns(self.task.base).mean() >= LEARNED * self.optimum
        if reached:
            self.minutes = (start - self.began - self.away) / 60
        self.away += time.perf_counter() - start
        return not reached


def build_peer(algorithm: type[RecurrentPPO]) -> RecurrentPPO:
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
    steps = model.n_envs * model.n_steps
    start = time.perf_counter()
    model.learn(steps, reset_num_timesteps=False)
    return steps / (time.perf_counter() - start)


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
