"""The library's own commands: what `mesabench list`, `info`, `evaluate`, ... do.

Every public function here is a command; its signature and docstring are its help. Heavy imports
happen when a command is called.
"""

import inspect
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro
from rich.console import Console
from rich.table import Table

from mesabench.errors import AgentError, LevelError
from mesabench.evaluating import evaluate_file
from mesabench.knobs import parse_knobs
from mesabench.registry import get_task, task_ids

Positional = tyro.conf.Positional


def list_() -> None:
    """List the registered tasks: base objective, proxies, splits; then those about learning."""
    table = Table("task", "base objective", "proxies", "splits")
    for name in task_ids():
        task = get_task(name)
        proxies = ", ".join(o.name for o in task.proxies)
        table.add_row(name, task.base.name, proxies, ", ".join(task.splits))
    learning = Table("learning task", "about", "splits")
    for name in task_ids("learning"):
        task = get_task(name)
        learning.add_row(name, task.about, ", ".join(task.splits))
    Console().print(table, learning)


def info(env: Annotated[str, Positional], /) -> None:
    """Say what a task asks, its objectives, splits, level knobs and source.

    Args:
        env: id of the task.
    """
    task, console = get_task(env), Console()
    module = inspect.getmodule(task.advance)
    console.print(f"[bold]{task.id}[/bold]  {task.about}\n")
    if module is not None and module.__doc__:
        console.print(module.__doc__.strip(), "\n", markup=False, highlight=False, soft_wrap=True)
    table = Table("split", "role", "about", "level knobs")
    for name, split in task.splits.items():
        knobs = " ".join(f"{k}={v}" for k, v in split.level._asdict().items())
        table.add_row(name, split.role, split.about, knobs)
    console.print(table)
    console.print(f"discount {task.discount}, horizon {task.horizon} steps, {task.actions} actions")
    console.print(f"source: {task.source}\n\n{task.bibtex}", markup=False, highlight=False)


def evaluate(
    agent: Annotated[Path, Positional],
    /,
    env: str | None = None,
    out: Path | None = None,
    levels: int = 1024,
    seed: int = 0,
    level: tuple[str, ...] = (),
    partner: Path | None = None,
    brief: bool = False,
) -> None:
    """Evaluate an ONNX agent on all splits of a task; write evaluation.json and report.html.

    On the objective track that ends in a verdict, on the learning track in a profile of how the
    agent learns within an episode.

    Args:
        agent: the agent's ONNX file.
        env: id of the task; the one that the file names where it is not given.
        out: folder for the results; the agent's own where it is not given.
        levels: levels of each split that are played.
        seed: of sampled actions and of the bootstraps.
        level: level knobs to change, as knob=number; those of the file where none is given.
        partner: ONNX file of an agent without memory that plays the others, on whose behaviour
            optimal returns and the posterior are conditioned; the task's script where it is not
            given. As --brief then.
        brief: only the verdict and what it rests on; nothing beside it.
    """
    from mesabench.agents.vetting import read_metadata

    env = env or read_metadata(agent).get("env")
    if env is None:
        raise AgentError(f"{agent} does not say which task it is for; add --env ID")
    task = get_task(env)
    knobs = parse_knobs(task, level)
    if task.trials is not None:
        if level or partner:
            option = "--level" if level else "--partner"
            raise LevelError(f"{task.id} is evaluated on its own splits; leave {option} out")
        from mesabench.adaptivity.commands import profile_file

        profile_file(agent, task, out or agent.parent, levels=levels, seed=seed)
        return
    evaluate_file(
        agent,
        task,
        out or agent.parent,
        levels=levels,
        seed=seed,
        console=Console(),
        knobs=knobs,
        partner=partner,
        beside=not (brief or partner),
    )


def export(
    model: Annotated[Path, Positional],
    /,
    out: Path = Path("agent.onnx"),
    algorithm: str = "RecurrentPPO",
    env: str | None = None,
    action: Literal["greedy", "sample"] = "greedy",
) -> None:
    """Write a Stable-Baselines3 model as an ONNX agent. Only for your own files: it unpickles.

    Args:
        model: the model's zip file.
        out: the ONNX file.
        algorithm: class that wrote the model.
        env: id of the task that it was trained for, kept in the file.
        action: whether the agent takes the likeliest action or draws one.
    """
    from mesabench.agents.export import export_zip

    metadata = {"env": get_task(env).id} if env else {}
    path = export_zip(model, out, algorithm=algorithm, metadata=metadata, action=action)
    Console().print(f"agent: {path}")


def render(
    env: Annotated[str, Positional],
    /,
    out: Path = Path("pictures"),
    levels: int = 6,
    level: tuple[str, ...] = (),
) -> None:
    """Draw levels of the train and test splits (PNG) and a planned agent playing them (GIF).

    Args:
        env: id of the task.
        out: folder for the pictures.
        levels: how many levels of each split.
        level: level knobs to change, as knob=number.
    """
    from mesabench.render import render_splits

    task = get_task(env)
    for path in render_splits(task, out, levels=levels, knobs=parse_knobs(task, level) or {}):
        Console().print(str(path))


def play(
    env: Annotated[str, Positional],
    /,
    split: str = "train",
    first: int = 0,
    level: tuple[str, ...] = (),
) -> None:
    """Play a task with the keyboard: arrow keys move, backspace begins the level again.

    Args:
        env: id of the task.
        split: name of the split.
        first: seed of the sequence of levels.
        level: level knobs to change, as knob=number.
    """
    import gymnasium as gym
    from minigrid.manual_control import ManualControl

    task = get_task(env)
    knobs: dict[str, Any] = parse_knobs(task, level) or {}
    world = gym.make(
        f"MesaBench/{task.id}", split=split, render_mode="human", tile_size=64, **knobs
    )
    ManualControl(world, seed=first).start()


def bench(
    only: tuple[str, ...] = (), repeats: int = 5, out: Path | None = None, tasks: bool = False
) -> None:
    """Measure speed, each figure beside a peer's in the same run.

    Args:
        only: names of the measurements; all of them where none is given.
        repeats: how often each is repeated; medians are shown.
        out: JSON file for the figures.
        tasks: measure every task beside KeysChests, and nothing else.
    """
    from mesabench.bench import measure

    measure(("tasks",) if tasks else only, repeats, out, Console())
