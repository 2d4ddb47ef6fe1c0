"""What the planner gets on chosen levels."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesabench.engine.batch import Engine
from mesabench.planner import best_values
from mesabench.task import Task


def optimal(
    task: Task, split: str, levels: NDArray[np.int64], knobs: dict[str, Any]
) -> NDArray[np.float64]:
    """Return the planner's discounted base return on levels of numbers `levels`, float64 [N]."""
    engine = Engine(task, split, batch=len(levels), seed=None, autoreset=False, knobs=knobs)
    engine.reset(levels=levels)
    return best_values(engine, task.weights(task.base), task.discounts(task.base))[:, 0]
