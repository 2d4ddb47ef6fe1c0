"""The registry: tasks by id. Code asks here for a task and imports no environment itself.

A package adds tasks through the entry-point group ``mesabench.tasks``: the entry's name is the
task's id, its value the `Task`. Nothing of a task is imported before it is asked for.
"""

from __future__ import annotations

import functools
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING

import gymnasium as gym

from mesabench.errors import TaskError, unknown

if TYPE_CHECKING:
    from mesabench.task import Task

NAMESPACE = "MesaBench"
GROUP = "mesabench.tasks"
WITHHELD = "mesabench.withheld"  # id → "module:REASON" of tasks that fail their audit


@functools.cache
def _entries() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in sorted(entry_points(group=GROUP))}


def task_ids() -> tuple[str, ...]:
    """Return the ids of all registered tasks, in alphabetical order."""
    return tuple(_entries())


@functools.cache
def get_task(task_id: str) -> Task:
    """Return the task called `task_id`, with or without the leading ``MesaBench/``.

    Raises:
        TaskError: there is none; the message lists them.
    """
    name = task_id.removeprefix(f"{NAMESPACE}/")
    if name not in _entries():
        raise TaskError(unknown("task", name, task_ids()))
    task: Task = _entries()[name].load()
    if task.id != name:
        raise TaskError(f"entry point {name!r} of {GROUP} holds a task called {task.id!r}")
    return task


def withheld() -> dict[str, str]:
    """Return the tasks that exist and are not registered, because their audit fails, and why."""
    return {entry.name: str(entry.load()) for entry in sorted(entry_points(group=WITHHELD))}


def register() -> None:
    """Tell Gymnasium of every task, so that `gym.make` and `gym.make_vec` know it."""
    for name in task_ids():
        full = f"{NAMESPACE}/{name}"
        if full not in gym.registry:
            gym.register(
                id=full,
                entry_point="mesabench.gym_env:MesaEnv",
                vector_entry_point="mesabench.vector_env:MesaVectorEnv",
                kwargs={"task": name},
            )
