"""What the baselines add to `mesabench bench`: training, evaluation, time to learn."""

import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import torch as th
from gymnasium import spaces
from rich.console import Console
from sb3_contrib import RecurrentPPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import nn

from mesabench.agents.onnx_agent import OnnxAgent
from mesabench.agents.planned import RandomAgent
from mesabench.agents.sb3_agent import Sb3Agent
from mesabench.baselines.algorithms import FLAGSHIP, get_algorithm
from mesabench.baselines.config import Settings, TrainConfig
from mesabench.baselines.configs import load_settings
from mesabench.baselines.encoder import GridEncoder
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

AGENT_STEPS = 200_000
PRACTICE = 400_000  # steps after which 128 agents end KeysChests in a sixth of the time limit
LOOK_EVERY, LOOK_LEVELS, LEARNED = 25_000, 512, 0.9
LEARNED_TASKS = ("KeysChests-v0", "RedDoor-v0")


class PlainEncoder(GridEncoder):
    """The default encoder as its layers stand there: one-hot codes, two products."""

    def view(self, observations: dict[str, th.Tensor]) -> th.Tensor:
        """Return the features of the view, [B, hidden]."""
        return self.mix(self.cells(observations))


class Case(NamedTuple):
    """A training whose speed is measured."""

    config: TrainConfig
    encoder: type[BaseFeaturesExtractor] = GridEncoder
    peer: type[BaseFeaturesExtractor] = PlainEncoder


Pair = tuple[RecurrentPPO, RecurrentPPO]  # ours and the stock one


def training_rows(repeats: int = 5) -> list[Row]:
    """Measure training end to end, rollout and update, in environment steps per second.

    Ours and stock `RecurrentPPO` train on KeysChests in this process, in turn, with equal settings:
    behind an MLP encoder, which costs next to nothing, and behind the default encoder, with the
    default settings and with LSTMs for the actor alone. The stock class sees through the default
    encoder's layers as PyTorch runs them. Where there is a GPU, both train there as well, with
    default settings and with eight times as many worlds. Each is measured three times: at the
    beginning, when agents wander until the time limit; over the first `PRACTICE` steps, once; and
    with the weights that ours has then, when episodes are shorter, as they are in most of a
    training. The first and the last figure are medians of `repeats` rollouts after one to warm up.
    `torch.set_num_threads` is the caller's.
    """
    small, large = (TrainConfig(lstm=units, critic_lstm=False) for units in (64, 128))
    long = replace(large, num_envs=64, rollout=128)
    cases = {
        "MLP encoder, LSTM 128": Case(long, MlpEncoder, MlpEncoder),
        "default encoder and settings": Case(TrainConfig()),
        "default encoder, LSTM 64, no critic LSTM": Case(small),
        "default encoder, LSTM 128, no critic LSTM": Case(large),
    }
    if th.cuda.is_available():
        cases |= {
            "default encoder and settings, GPU": Case(TrainConfig(device="cuda")),
            "1,024 worlds, GPU": Case(TrainConfig(device="cuda", num_envs=1024)),
        }
    rows = []
    for name, case in cases.items():
        rows.append(beside(build_pair(case), f"training, {name}, at the beginning", repeats))
        pair = build_pair(case)
        rows.append(learn_beside(pair, f"training, {name}, the first {PRACTICE:,} steps"))
        ours, peer = pair
        peer.policy.load_state_dict(ours.policy.state_dict())
        rows.append(beside(pair, f"training, {name}, after {PRACTICE:,} steps", repeats))
    return rows


def beside(pair: Pair, name: str, repeats: int) -> Row:
    """Measure rollouts, and updates on them, of two models in turn."""
    speeds = [[steps_per_second(model) for model in pair] for _ in range(repeats + 1)]
    speed, other = (statistics.median(column) for column in zip(*speeds[1:], strict=True))
    return training_row(name, speed, other)


def learn_beside(pair: Pair, name: str) -> Row:
    """Measure two models that learn `PRACTICE` steps from where they are, rollouts in turn."""
    speeds = zip(*(learn(model, PRACTICE) for model in pair), strict=True)
    speed, other = (statistics.harmonic_mean(column) for column in zip(*speeds, strict=True))
    return training_row(name, speed, other)


def learn(model: RecurrentPPO, steps: int) -> Iterator[float]:
    """Train as `model.learn(steps)` does; yield the speed of each rollout and its update."""
    end, callback = model._setup_learn(steps, reset_num_timesteps=False)
    assert model.env is not None
    while model.num_timesteps < end:
        begun, start = model.num_timesteps, time.perf_counter()
        model.collect_rollouts(model.env, callback, model.rollout_buffer, model.n_steps)
        model._update_current_progress_remaining(model.num_timesteps, end)
        model.train()
        yield (model.num_timesteps - begun) / (time.perf_counter() - start)


def training_row(name: str, speed: float, peer: float) -> Row:
    """Return the row of two speeds in steps per second."""
    return Row(name, speed, "steps/s", peer, speed / peer, "20 / 40 k, 4 / 8 x")


def build_pair(case: Case) -> Pair:
    """Build our model and the stock one of a case."""
    kinds = (FlatRecurrentPPO, case.encoder), (RecurrentPPO, case.peer)
    ours, peer = (build(case.config, kind, encoder) for kind, encoder in kinds)
    return ours, peer


def build(
    config: TrainConfig, kind: type[RecurrentPPO], encoder: type[BaseFeaturesExtractor]
) -> RecurrentPPO:
    """Build a model of either class as the baselines do, but for the encoder.

    The stock class has Stable-Baselines3's own optimizer, which takes the same steps.
    """

    def behind_encoder(*args: Any, policy_kwargs: dict[str, Any], **arguments: Any) -> RecurrentPPO:
        chosen: dict[str, Any] = {"features_extractor_class": encoder}
        if kind is RecurrentPPO:
            chosen["optimizer_kwargs"] = None
        return kind(*args, policy_kwargs=policy_kwargs | chosen, **arguments)

    task = get_task(TASK)
    env = make_env(task, config)
    return get_algorithm(FLAGSHIP).build(task, config, env, behind_encoder)


def steps_per_second(model: RecurrentPPO) -> float:
    """Collect one rollout and update on it; return the speed of both together."""
    steps = model.n_envs * model.n_steps
    start = time.perf_counter()
    model.learn(steps, reset_num_timesteps=False)
    return steps / (time.perf_counter() - start)


class MlpEncoder(BaseFeaturesExtractor):
    """All that is observed through one layer of 128 units, whatever the settings say."""

    def __init__(self, observation_space: spaces.Dict, **_: Any) -> None:
        super().__init__(observation_space, features_dim=128)
        self.net = nn.Sequential(nn.Linear(spaces.flatdim(observation_space), 128), nn.ReLU())

    def forward(self, observations: dict[str, th.Tensor]) -> th.Tensor:
        """Encode observations with batch axis first as float32 [B, 128]."""
        parts = [part.flatten(1).float() for part in observations.values()]
        return self.net(th.cat(parts, 1))


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
    """Measure the minutes of training until a normalised return of `LEARNED` on held-out levels.

    The task's tuned settings train with seeds 1, 2, ...: they may have been searched with seed 0.
    The time of the looks at `LOOK_LEVELS` held-out levels every `LOOK_EVERY` steps is not counted.
    Infinite where it was not reached.
    """
    rows = []
    for name in LEARNED_TASKS:
        minutes = [minutes_to_learn(get_task(name), seed + 1) for seed in range(repeats)]
        figure = statistics.median(minutes)
        rows.append(Row(f"{name}, training to 0.9 held out", figure, "min", target="5 / 3 min"))
    return rows


def minutes_to_learn(task: Task, seed: int) -> float:
    """Return the minutes of training until the goal, infinity if it is not reached."""
    config = replace(load_settings(task.id, FLAGSHIP), seed=seed)
    th.set_num_threads(config.threads)
    model, watch = build_model(task, config), LearningWatch(task, config)
    model.learn(config.steps, callback=watch)
    return watch.minutes


class LearningWatch(BaseCallback):
    """Stops a training once the agent has gone `LEARNED` of the way from random to the planner."""

    def __init__(self, task: Task, config: Settings):
        super().__init__()
        self.task, self.knobs = task, config.knobs(task.id)
        self.minutes, self.looked, self.away = float("inf"), 0, 0.0
        chance = rollout(RandomAgent(), task, "heldout", LOOK_LEVELS, **self.knobs)
        self.chance = chance.returns(task.base).mean()
        self.optimum = optimal_returns(chance)[:, 0].mean()

    def _on_training_start(self) -> None:
        self.began = time.perf_counter()

    def _on_step(self) -> bool:
        if self.num_timesteps - self.looked < LOOK_EVERY:
            return True
        self.looked, start = self.num_timesteps, time.perf_counter()
        seen = rollout(Sb3Agent(self.model), self.task, "heldout", LOOK_LEVELS, **self.knobs)
        gained = seen.returns(self.task.base).mean() - self.chance
        reached = gained >= LEARNED * (self.optimum - self.chance)
        if reached:
            self.minutes = (start - self.began - self.away) / 60
        self.away += time.perf_counter() - start
        return not reached
