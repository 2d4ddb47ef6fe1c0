"""Train RecurrentPPO on one task: resumable, logged, and exported as an ONNX agent."""

import json
import shlex
import sys
from dataclasses import asdict
from pathlib import Path

import torch as th
from rich.console import Console
from stable_baselines3.common.logger import configure
from stable_baselines3.common.utils import LinearSchedule

from mesabench.agents.export import export_sb3
from mesabench.baselines.checkpoints import load_checkpoint, save_checkpoint
from mesabench.baselines.config import TrainConfig
from mesabench.baselines.encoder import GridEncoder
from mesabench.baselines.progress import RunProgress
from mesabench.baselines.recurrent_ppo import FlatRecurrentPPO
from mesabench.files import versions, write_atomically
from mesabench.sb3 import sb3_vec_env
from mesabench.task import Task

LAST_RATE = 0.05  # the learning rate falls to this share of its start


def build_model(task: Task, config: TrainConfig, *, played: int = 0) -> FlatRecurrentPPO:
    """Build an untrained model on the task's training split.

    Args:
        task: the task.
        config: the settings.
        played: steps already trained; a resumed run sees other levels than it began with.
    """
    paid = task.objective(config.objective or task.base.name)
    env = sb3_vec_env(
        task.id,
        config.num_envs,
        objective=paid.name,
        seed=config.seed + (played << 16),
        alpha=config.alpha,
        num_levels=config.num_levels,
        **config.knobs(task.id),
    )
    rate = config.learning_rate
    return FlatRecurrentPPO(
        "MultiInputLstmPolicy",
        env,
        learning_rate=LinearSchedule(rate, LAST_RATE * rate, 1.0),
        n_steps=config.rollout,
        batch_size=config.num_envs * config.rollout // config.minibatches,
        n_epochs=config.epochs,
        gamma=config.discount or float(task.discounts(paid)[0]),
        gae_lambda=config.gae_lambda,
        ent_coef=config.entropy,
        seed=config.seed,
        device=config.device,
        policy_kwargs={
            "features_extractor_class": GridEncoder,
            "features_extractor_kwargs": {"cell": config.cell, "hidden": config.hidden},
            "lstm_hidden_size": config.lstm,
            "enable_critic_lstm": config.critic_lstm,
            "net_arch": [],
        },
    )


def train(task: Task, config: TrainConfig, folder: Path, console: Console) -> Path:
    """Train an agent, or go on where a killed run with these settings stopped.

    The folder gets ``config.json``, ``logs/`` (CSV and TensorBoard), ``checkpoints/``,
    ``snapshots/`` and ``agent.onnx``.

    Args:
        task: the task.
        config: the settings.
        folder: the run's folder.
        console: where progress is shown.

    Returns:
        The path of the exported agent.

    Raises:
        KeyboardInterrupt: after the state has been kept and the way to resume been printed.
    """
    th.set_num_threads(config.threads)
    checkpoints, fingerprint = folder / "checkpoints", config.fingerprint(task.id)
    model = build_model(task, config)
    done = load_checkpoint(model, checkpoints, fingerprint, console.print)
    if done:
        console.print(f"resuming at step {done:,}")
        model.set_env(build_model(task, config, played=done).get_env())
    about = {"env": task.id, "knobs": config.knobs(task.id), "versions": versions()}
    write_atomically(folder / "config.json", json.dumps(about | asdict(config), indent=2))
    model.set_logger(configure(str(folder / "logs" / f"from-{done}"), ["csv", "tensorboard"]))
    progress = RunProgress(config, checkpoints, fingerprint, console)
    try:
        if done < config.steps:
            model.learn(config.steps - done, callback=progress, reset_num_timesteps=not done)
    except KeyboardInterrupt:
        kept = save_checkpoint(model, checkpoints, fingerprint)
        console.print(f"stopped; kept {kept.name}. To go on, run the same command again:")
        console.print("  " + shlex.join(["mesabench", *sys.argv[1:]]), soft_wrap=True)
        raise
    finally:
        progress.bar.stop()
    save_checkpoint(model, checkpoints, fingerprint)
    return export_sb3(model, folder / "agent.onnx", metadata=describe(task, config))


def describe(task: Task, config: TrainConfig) -> dict[str, str]:
    """Return what the agent's file says of its training."""
    return {
        "env": task.id,
        "knobs": json.dumps(config.knobs(task.id)),
        "objective": config.objective or task.base.name,
        "alpha": str(config.alpha),
        "training_split": "train",
    }


def default_folder(task: Task, config: TrainConfig) -> Path:
    """Return where a run is kept unless the user says otherwise."""
    paid = f"-{config.objective}" if config.objective else ""
    return Path("runs") / task.id / f"recurrent-ppo{paid}-seed{config.seed}"
