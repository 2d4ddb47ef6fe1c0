"""Worlds with room for what a task has."""

from mesabench.engine.world import World, allocate
from mesabench.errors import LevelError
from mesabench.task import Task


def check_sizes(task: Task, size: int, mixed: int, *, mixes: bool) -> None:
    """Refuse worlds without room, and mixtures of levels of two sizes."""
    if mixes and mixed != size:
        raise LevelError(
            f"{task.id}: alpha mixes levels of one size, not {size} and {mixed}; "
            "give both splits the larger one and let another knob say how much of it is used"
        )
    if size < 3:
        raise LevelError(f"{task.id}: size {size} leaves no cell between the walls")


def allocate_worlds(task: Task, batch: int, side: int) -> World:
    """Return a batch of empty worlds of `side` × `side` cells with room for what a task has."""
    return allocate(
        batch,
        side,
        side,
        agents=task.agents,
        items=padded(len(task.items), 4),
        events=padded(len(task.events), 8),
        gauges=padded(len(task.gauges), 2),
    )


def padded(count: int, step: int) -> int:
    """Round a count up to a multiple of `step`, at least one.

    Kernels are compiled for every shape of a world; rounded up, tasks of one size share them.
    """
    return step * max(1, -(-count // step))
