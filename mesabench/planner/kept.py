"""Optimal values that have been computed before, kept on disk for the next agent.

Every agent of a task is measured by what its levels are worth, and to plan those takes longer than
to play them. Values are found again by all that they follow from: the worlds themselves, the rules,
the objectives, and the source of the engine, the task and the planner.
"""

import contextlib
import hashlib
import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mesabench.engine.batch import Engine
from mesabench.engine.cache import cache_folder, cache_root
from mesabench.files import write_whole
from mesabench.planner.packing import pack
from mesabench.planner.worlds import best_values


def kept_values(engine: Engine, weights: ArrayLike, discounts: ArrayLike) -> NDArray[np.float64]:
    """Return `best_values`, float64 [B, n], from disk where they are there.

    Where somebody in particular plays the other agents, they are not kept.
    """
    if engine.partners is not None:
        return best_values(engine, weights, discounts)
    weights, discounts = np.array(weights, np.float64, ndmin=2), np.asarray(discounts, np.float64)
    file = cache_root("optima") / f"{digest(engine, weights, discounts)}.npy"
    with contextlib.suppress(OSError, ValueError, EOFError):  # missing, or cut short
        found = np.load(file, allow_pickle=False)
        if found.shape == (engine.batch, len(weights)):
            return found
    values = best_values(engine, weights, discounts)
    whole = io.BytesIO()
    np.save(whole, values, allow_pickle=False)
    with contextlib.suppress(OSError):  # a full disk is no reason to be without values
        write_whole(file, whole.getvalue())
    return values


def digest(engine: Engine, *objectives: NDArray[np.float64]) -> str:
    """Return a hash of all that optimal values follow from."""
    found = hashlib.sha256(sources(engine.task.advance).encode())
    for array in (pack(engine), *engine.rules, *objectives):
        array = np.ascontiguousarray(array)
        found.update(f"{array.dtype.str} {array.shape}".encode() + array.tobytes())
    found.update(f"{engine.task.planner} {engine.task.planned_marks}".encode())
    return found.hexdigest()[:32]


def sources(advance: Any) -> str:
    """Return a hash of the source of the engine, a task and the planner."""
    task = Path(getattr(advance, "py_func", advance).__code__.co_filename)
    found = hashlib.sha256(cache_folder(task).name.encode())
    for file in sorted(Path(__file__).parent.glob("*.py")):
        found.update(file.read_bytes())
    return found.hexdigest()
