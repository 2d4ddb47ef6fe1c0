"""Calibration of the scorer, task by task: what `mesabench validate` found and recorded.

Probabilities count as calibrated on a task where, and only where, every figure that is asked for
is there and is reached, and the task's levels and objectives are still those that were validated.
A task for which no trained organism was admitted is not: trained agents are what is judged.
"""

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from mesabench.fingerprint import fingerprint
from mesabench.task import Task

FILE = "calibration.json"
FREE_KNOBS = ("palette",)  # a turn of the colours changes nothing that was validated


@dataclass(frozen=True)
class Calibration:
    """How to read the likelihood on a task, and whether to trust what comes out.

    Attributes:
        temper: power of the likelihood (see `irl.Weighed.posterior`).
        calibrated: whether all that is asked of the scorer is reached on the task.
        record: what `mesabench validate` wrote about it; None where it was not validated.
    """

    temper: float
    calibrated: bool
    record: Mapping[str, Any] | None


NONE = Calibration(1.0, calibrated=False, record=None)


@functools.cache
def records() -> dict[str, dict[str, Any]]:
    """Return what was recorded, by task."""
    file = files("mesabench.scorers").joinpath(FILE)
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}


def calibration(task: Task, knobs: Mapping[str, Any] | None = None) -> Calibration:
    """Return the calibration of a task, played with some level knobs changed."""
    record = records().get(task.id)
    if record is None or record["fingerprint"] != fingerprint(task):
        return NONE
    same = all(name in FREE_KNOBS for name in knobs or {})
    return Calibration(record["temper"], calibrated=record["calibrated"] and same, record=record)
