"""Level knobs as a command line gives them, and as an agent's file names them."""

import json
from typing import Any

from mesabench.errors import LevelError
from mesabench.task import Task


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
