"""Levels and their knobs as a command line gives them, and as an agent's file names them."""

import json
from typing import Any

from mesabench.errors import LevelError
from mesabench.task import Task


def check_evaluation(levels: int, seed: int = 0) -> None:
    """Refuse an evaluation that cannot be: before an agent is trained for it.

    Raises:
        LevelError: the number of levels of each split is below 1, or the seed below 0.
    """
    if levels < 1:
        raise LevelError(f"an evaluation plays 1 level of each split or more, not {levels}")
    if seed < 0:
        raise LevelError(f"the seed of an evaluation is 0 or more, not {seed}")


def said_knobs(task: Task, metadata: dict[str, str]) -> dict[str, Any]:
    """Return the level knobs that an agent's file names, checked against the task."""
    if metadata.get("env") != task.id or "knobs" not in metadata:
        return {}
    try:
        knobs = json.loads(metadata["knobs"])
        chosen = {str(k): int(v) for k, v in knobs.items()}
    except (ValueError, AttributeError, TypeError) as error:
        raise LevelError(f"the agent's file names level knobs that are none: {error}") from error
    task.level("train", **chosen)
    return chosen


def parse_knobs(task: Task, level: tuple[str, ...]) -> dict[str, int] | None:
    """Turn ``("size=11",)`` into knobs of the task; None where there are none."""
    if not level:
        return None
    knobs: dict[str, Any] = {}
    for part in level:
        name, _, value = part.partition("=")
        try:
            knobs[name] = int(value)
        except ValueError:
            raise LevelError(f"a level knob is given as knob=number, not {part!r}") from None
    task.level("train", **knobs)
    return knobs
