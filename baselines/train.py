"""Train an agent on one task: resumable, logged, and exported as an ONNX file."""

import json
import shlex
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch as th
from rich.console import Console
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.logger import configure
from stable_baselines3.common.vec_env import VecEnv

from mesabench.agents.export import export_sb3
from mesabench.baselines.algorithms import get_algorithm
from mesabench.baselines.checkpoints import load_checkpoint, save_checkpoint
from mesabench.baselines.config import Settings
from mesabench.baselines.grid import run_name
from mesabench.baselines.progress import RunProgress, schedules
from mesabench.baselines.recolour import Recoloured
from mesabench.baselines.runs import set_aside
from mesabench.baselines.standing import capture
from mesabench.errors import MesaBenchError
from mesabench.files import versions, write_atomically
from mesabench.sb3 import MesaVecEnv
from mesabench.sb3_agents import EveryAgentVecEnv
from mesabench.task import Task


def make_env(
    task: Task,
    config: Settings,
    *,
    kind: Callable[..., MesaVecEnv] | None = None,
) -> VecEnv:
    """Make the batch of worlds of a training.

    Args:
        task: the task.
        config: the settings.
        kind: the class of the batch, if it is to be another.

    Raises:
        MesaBenchError: everyone is to be played where there is nobody else, or in batches of a
            kind that has no room for it.
    """
    if config.everyone and (task.agents == 1 or kind is not None):
        why = f"{task.id} has one agent" if task.agents == 1 else "it plays the first agent alone"
        raise MesaBenchError(f"{config.algorithm} cannot train with everyone: {why}")
    count = max(1, config.num_envs // task.agents) if config.everyone else config.num_envs
    env = (kind or (EveryAgentVecEnv if config.everyone else MesaVecEnv))(
        task.id,
        count,
        objective=config.objective or task.base.name,
        seed=config.seed,
        alpha=config.alpha,
        num_levels=config.num_levels,
        terse=True,
        **config.knobs(task.id),
    )
    return Recoloured(env, config.seed) if config.recolour else env


def build_model(task: Task, config: Settings) -> BaseAlgorithm:
    """Build an untrained model on its batch of worlds."""
    return get_algorithm(config.algorithm).build(task, config, worlds(task, config))


def worlds(task: Task, config: Settings) -> VecEnv:
    """Make what the settings' algorithm trains on."""
    its_own = getattr(get_algorithm(config.algorithm), "make_env", None)
    return (its_own or make_env)(task, config)


def train(task: Task, config: Settings, folder: Path, console: Console) -> Path:
    """Train an agent, or go on where a killed run with these settings stopped.

    The folder gets ``config.json``, ``logs/`` (CSV and TensorBoard), ``checkpoints/``,
    ``snapshots/`` and ``agent.onnx``. An evaluation that it has is set aside.

    Args:
        task: the task.
        config: the settings; they name the algorithm.
        folder: the run's folder.
        console: where progress is shown.

    Returns:
        The path of the exported agent.

    Raises:
        MesaBenchError: the device is not there, or the settings do not fit together.
        KeyboardInterrupt: after the state has been kept and the way to resume been printed.
    """
    th.set_num_threads(config.threads)
    check_device(config.device)
    set_aside(folder)
    write_config(task, config, folder)
    its_own = getattr(get_algorithm(config.algorithm), "train", None)
    return (its_own or train_model)(task, config, folder, console)


def check_device(name: str) -> None:
    """Refuse a device that is not there: Stable-Baselines3 would silently take the processor.

    Raises:
        MesaBenchError: PyTorch knows no such device, or sees none.
    """
    try:
        device = th.device(name)
        th.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:  # the latter of builds without CUDA
        reason = str(error).partition("\n")[0]
        raise MesaBenchError(f"there is no device {name!r} ({reason}); try cpu") from error


def write_config(task: Task, config: Settings, folder: Path) -> Path:
    """Write a run's ``config.json``."""
    about = {"env": task.id, "algorithm": config.algorithm, "knobs": config.knobs(task.id)}
    text = json.dumps(about | {"versions": versions()} | asdict(config), indent=2)
    return write_atomically(folder / "config.json", text)


def train_model(task: Task, config: Settings, folder: Path, console: Console) -> Path:
    """Train one Stable-Baselines3 model, as `train` describes."""
    checkpoints, fingerprint = folder / "checkpoints", config.fingerprint(task.id)
    model = build_model(task, config)
    done = load_checkpoint(model, checkpoints, fingerprint, console.print)
    if done:
        console.print(f"resuming at step {done:,}")
    logs = configure(str(folder / "logs" / f"from-{done}"), ["csv", "tensorboard"])
    progress = RunProgress(config, checkpoints, fingerprint, console, done, capture(model))
    callbacks, stopped = [*schedules(config), progress], False
    with closing(logs), interrupts_kept_for(progress):
        model.set_logger(logs)
        try:
            if done < config.steps:
                left = config.steps - done
                # Otherwise the worlds of a training that was stopped at once would begin twice.
                model.learn(left, callback=callbacks, reset_num_timesteps=False)
        except KeyboardInterrupt:
            stopped, model.num_timesteps = True, progress.learnt
        finally:
            progress.bar.stop()
        kept = save_checkpoint(model, checkpoints, fingerprint, progress.standing)
    if stopped or progress.stopping:
        console.print(f"stopped; kept {kept.name}. To go on, run the same command again:")
        console.print("  " + shlex.join(["mesabench", *sys.argv[1:]]), soft_wrap=True)
        raise KeyboardInterrupt
    about = describe(task, config)
    return export_sb3(model, folder / "agent.onnx", metadata=about, action=config.action)


@contextmanager
def interrupts_kept_for(progress: RunProgress) -> Iterator[None]:
    """Let interrupts wait for a whole update, and for what is kept to be written.

    Who interrupts twice does not want to lose the training.
    """
    if threading.current_thread() is not threading.main_thread():  # which alone hears of them
        yield
        return

    def stop(*_: Any) -> None:
        progress.stopping = True

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before or signal.SIG_DFL)


def describe(task: Task, config: Settings) -> dict[str, str]:
    """Return what the agent's file says of its training."""
    return {
        "env": task.id,
        "knobs": json.dumps(config.knobs(task.id)),
        "objective": config.objective or task.base.name,
        "alpha": str(config.alpha),
        "training_split": "train",
    } | ({"everyone": "true"} if config.everyone else {})


def default_folder(task: Task, config: Settings) -> Path:
    """Return where a run is kept unless the user says otherwise."""
    return Path("runs") / task.id / run_name(config)
