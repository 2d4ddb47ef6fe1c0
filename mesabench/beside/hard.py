"""Hard levels: those on which to go for the nearest thing loses what cannot be won back.

In `KeysChests-v0` a key is used up by the chest that it opens, and steps that were walked the wrong
way are gone: return is discounted. Mazes without loops (``braid=0``) make ways back long. Of
`POOL` such levels the family holds those on which *greedy walkers*, that always go for the nearest
chest that they can open or else for the nearest key, get least of the planner's return, and at most
`GREEDY_SHARE` of it. What is equally near they choose by lot; the luckiest of `WALKERS` counts. An
agent does well on such levels only if it looks further than the next thing. Walkers and the planner
alone choose the levels, never what trained agents do.

The family is data, ``hard.json``, as walkers are slow; ``python -m mesabench.beside.hard`` makes
it anew.
"""

import functools
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesabench.agents.walker import GreedyWalker
from mesabench.beside.optimum import optimal
from mesabench.files import write_atomically
from mesabench.registry import get_task
from mesabench.rollout import rollout
from mesabench.task import Task

FILE = Path(__file__).with_suffix(".json")
KNOBS: dict[str, dict[str, Any]] = {"KeysChests-v0": {"braid": 0}}
SPLIT = "test"
POOL = 2048  # levels among which the hardest are sought
KEPT = 256
WALKERS = 5
GREEDY_SHARE = 0.9
DIGITS = 4


@dataclass(frozen=True)
class HardLevels:
    """A task's hard levels.

    Attributes:
        split: whose levels they are.
        knobs: level knobs that differ from the split's.
        levels: their numbers, N of them in ascending order.
        greedy: the luckiest greedy walker's discounted base return on each.
        optimum: the planner's.
    """

    split: str
    knobs: dict[str, Any]
    levels: tuple[int, ...]
    greedy: tuple[float, ...]
    optimum: tuple[float, ...]

    @property
    def enough(self) -> NDArray[np.float64]:
        """Return that counts as a success on each level: half-way from greedy to best, [N]."""
        return (np.array(self.greedy) + np.array(self.optimum)) / 2


@functools.cache
def hard_levels(task_id: str) -> HardLevels | None:
    """Return a task's hard levels, None where it has none."""
    found = json.loads(FILE.read_text()).get(task_id)
    if found is None:
        return None
    columns = {name: tuple(found[name]) for name in ("levels", "greedy", "optimum")}
    return HardLevels(found["split"], found["knobs"], **columns)


def search(task: Task, knobs: dict[str, Any], pool: NDArray[np.int64]) -> HardLevels:
    """Return the hard levels among those of numbers `pool` [N], at most `KEPT`."""
    walkers = [GreedyWalker(task, task.base.name, seed=seed) for seed in range(WALKERS)]
    played = [rollout(walker, task, SPLIT, pool.tolist(), **knobs) for walker in walkers]
    greedy = np.max([p.returns(task.base) for p in played], axis=0)
    optimum = optimal(task, SPLIT, pool, knobs)
    share = greedy / optimum
    chosen = np.argsort(share, kind="stable")[:KEPT]
    chosen = np.sort(chosen[share[chosen] <= GREEDY_SHARE])
    returns = [tuple(np.round(r[chosen], DIGITS).tolist()) for r in (greedy, optimum)]
    return HardLevels(SPLIT, knobs, tuple(pool[chosen].tolist()), *returns)


if __name__ == "__main__":
    found = {
        name: asdict(search(get_task(name), knobs, np.arange(POOL)))
        for name, knobs in KNOBS.items()
    }
    write_atomically(FILE, json.dumps(found) + "\n")
