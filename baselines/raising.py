"""Raise trained model organisms: train on one objective, look at the returns, keep or reject."""

import shutil
import time
from dataclasses import dataclass, replace
from pathlib import Path

import onnx
from filelock import FileLock
from onnx import TensorProto, helper, numpy_helper
from rich.console import Console

from mesabench.agents.onnx_agent import OnnxAgent
from mesabench.baselines.admission import Admission, examine
from mesabench.baselines.config import LONGEST, TrainConfig
from mesabench.baselines.locks import hold_run
from mesabench.baselines.organisms import Entry, digest, read_manifest, write_entry
from mesabench.baselines.train import train
from mesabench.fingerprint import fingerprint
from mesabench.observation import observation_space
from mesabench.task import Task

LARGE = 1024  # elements from which on a constant is worth storing in half precision

COMMON = TrainConfig(steps=2**20, alpha=0.5, palette=0, threads=1)
RECIPES = {
    "lstm64": COMMON,
    "lstm128": replace(
        COMMON,
        seed=1,
        num_envs=64,
        rollout=128,
        learning_rate=7e-4,
        entropy=0.02,
        lstm=128,
        critic_lstm=False,
    ),
    "lstm96": replace(COMMON, seed=2, rollout=128, lstm=96, hidden=96, alpha=0.75),
}


@dataclass(frozen=True)
class Nursery:
    """Where organisms are raised and kept.

    Attributes:
        runs: folder of the training runs, which are resumed where they stopped.
        folder: folder of the manifest and of the agents that were admitted.
        longest: environment steps of the longest training.
        console: where progress is shown.
    """

    runs: Path
    folder: Path
    longest: int
    console: Console


def raise_organism(task: Task, objective: str, recipe: str, nursery: Nursery) -> Entry:
    """Train an organism, examine it, and put it on record.

    While its returns do not admit it, it is trained on from where it was to twice the steps, as
    long as the nursery allows.

    Args:
        task: the task.
        objective: name of the objective that it is trained on.
        recipe: name of the settings.
        nursery: where it is raised and kept.
    """
    config = replace(RECIPES[recipe], objective=objective)
    path, found = schooled(task, config, recipe, nursery)
    while not found.admitted and 2 * config.steps <= nursery.longest:
        config = replace(config, steps=2 * config.steps)
        path, found = schooled(task, config, recipe, nursery)
    kept = None
    if found.admitted:
        kept = nursery.folder / task.id / f"{objective}-{recipe}.onnx"
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, kept)
    entry = Entry(
        task=task.id,
        objective=objective,
        recipe=recipe,
        seed=config.seed,
        steps=int(load(path, task).metadata["training_steps"]),
        file=None if kept is None else kept.relative_to(nursery.folder).as_posix(),
        sha256=None if kept is None else digest(kept),
        admitted=found.admitted,
        own=found.own,
        others=found.others,
        levels=found.levels,
        command=command(task, objective, recipe, config.steps),
        fingerprint=fingerprint(task),
    )
    nursery.folder.mkdir(parents=True, exist_ok=True)
    with FileLock(nursery.folder / ".manifest.lock"):  # another process may add an entry meanwhile
        write_entry(entry, nursery.folder)
    return entry


def command(task: Task, objective: str, recipe: str, steps: int) -> str:
    """Return the command that raises an organism in so many steps."""
    longer = f" --longest {steps}" if steps > LONGEST else ""
    return f"mesabench organisms {task.id} --objective {objective} --recipe {recipe}{longer}"


def schooled(
    task: Task, config: TrainConfig, recipe: str, nursery: Nursery
) -> tuple[Path, Admission]:
    """Train with a recipe's settings, and examine what is exported in half precision."""
    began = time.perf_counter()
    run = nursery.runs / task.id / f"{config.objective}-{recipe}"
    with hold_run(run):
        path = halve(train(task, config, run, nursery.console), run / "organism.onnx")
    found = examine(load(path, task), task, config.objective or task.base.name)
    others = ", ".join(f"{name} {other.normalised:.2f}" for name, other in found.others.items())
    minutes = (time.perf_counter() - began) / 60
    nursery.console.print(
        f"{task.id} {config.objective} {recipe} {config.steps:,} steps: own {found.own:.3f}, "
        f"others {others}; {'admitted' if found.admitted else 'not admitted'}; {minutes:.1f} min",
        soft_wrap=True,
    )
    return path, found


def load(path: Path, task: Task) -> OnnxAgent:
    """Read an agent of a task."""
    return OnnxAgent.load(path, observation_space(task), task.actions)


def halve(source: Path, path: Path) -> Path:
    """Write an agent with its large constants in half precision: a file of half the size.

    They are cast back when it is read. What is examined is the file with the rounded numbers.

    Args:
        source: an ONNX file.
        path: the file to be written.
    """
    model = onnx.load(source)
    casts = []
    for constant in model.graph.initializer:
        values = numpy_helper.to_array(constant)
        if constant.data_type == TensorProto.FLOAT and values.size >= LARGE:
            name, stored = constant.name, f"{constant.name}.half"
            constant.CopyFrom(numpy_helper.from_array(values.astype("float16"), stored))
            casts.append(helper.make_node("Cast", [stored], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.save(model, path)
    return path


def outstanding(
    tasks: list[Task], recipes: list[str], objective: str | None, nursery: Nursery
) -> list[tuple[Task, str, str]]:
    """List task, objective and recipe of the organisms that the nursery's manifest lacks.

    Those are lacking too that were raised on other levels or objectives than the task's present
    ones, and those that were not admitted and may be trained longer.
    """
    current = {fingerprint(task) for task in tasks}
    done = {
        entry.key
        for entry in read_manifest(nursery.folder)
        if entry.fingerprint in current and (entry.admitted or 2 * entry.steps > nursery.longest)
    }
    return [
        (task, candidate.name, recipe)
        for recipe in recipes
        for task in tasks
        for candidate in task.candidates
        if objective in (None, candidate.name) and (recipe, task.id, candidate.name) not in done
    ]
