"""The registry: tasks by id. Code asks here for a task and imports no environment itself.

There are two tracks: which objective an agent learnt, and how it learns within an episode. A
package adds tasks through the entry-point groups ``mesabench.tasks`` and
``mesabench.learning_tasks``: the entry's name is the task's id, its value the `Task`. Nothing of a
task is imported before it is asked for.
"""

from __future__ import annotations

import functools
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Literal

import gymnasium as gym

from mesabench.errors import TaskError, unknown

if TYPE_CHECKING:
    from mesabench.task import Task

NAMESPACE = "MesaBench"
Track = Literal["objective", "learning"]
GROUPS: dict[Track, str] = {"objective": "mesabench.tasks", "learning": "mesabench.learning_tasks"}
WITHHELD = "mesabench.withheld"  # id → "module:REASON" of tasks that fail their audit


@functools.cache
def _entries(track: Track) -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in sorted(entry_points(group=GROUPS[track]))}


def task_ids(track: Track | None = "objective") -> tuple[str, ...]:
    """Return the ids of a track's tasks (None: of every task), in alphabetical order."""
    tracks = GROUPS if track is None else (track,)
    return tuple(sorted(name for some in tracks for name in _entries(some)))


@functools.cache
def get_task(task_id: str) -> Task:
    """Return the task called `task_id`, with or without the leading ``MesaBench/``.

    Raises:
        TaskError: there is none; the message lists them.
    """
    name = task_id.removeprefix(f"{NAMESPACE}/")
    track: Track | None = next((t for t in GROUPS if name in _entries(t)), None)
    if track is None:
        raise TaskError(unknown("task", name, task_ids(None)))
    task: Task = _entries(track)[name].load()
    if task.id != name:
        raise TaskError(f"entry point {name!r} of {GROUPS[track]} holds a task called {task.id!r}")
    if (task.trials is not None) != (track == "learning"):
        raise TaskError(
            f"{task.id}: tasks with trials, and only they, belong to the learning track"
        )
    return task


def get_objective_task(task_id: str) -> Task:
    """Return a task of the objective track.

    Raises:
        TaskError: there is none of that id, or it is about learning within an episode.
    """
    task = get_task(task_id)
    if task.trials is not None:
        known = ", ".join(task_ids())
        raise TaskError(f"{task.id} has no objectives to tell apart; choose one of {known}")
    return task


def withheld() -> dict[str, str]:
    """Return the tasks that exist and are not registered, because their audit fails, and why."""
    return {entry.name: str(entry.load()) for entry in sorted(entry_points(group=WITHHELD))}


def register() -> None:
    """Tell Gymnasium of every task, so that `gym.make` and `gym.make_vec` know it."""
    for name in task_ids(None):
        full = f"{NAMESPACE}/{name}"
        if full not in gym.registry:
            gym.register(
                id=full,
                entry_point="mesabench.gym_env:MesaEnv",
                vector_entry_point="mesabench.vector_env:MesaVectorEnv",
                kwargs={"task": name},
            )
