"""Greedy walkers: agents whose objective is known and that share nothing with the planner.

They look for the nearest target by breadth-first search, blind to what comes after it, and so
are no Boltzmann planners. A scorer that is right only on planned agents is right on itself.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesabench.engine.batch import Engine
from mesabench.engine.codes import DOOR, EMPTY, FLOOR, FORWARD, GOAL, LEFT, ON_TOUCH, OPEN, RIGHT
from mesabench.engine.world import COLOUR, DIR, OBJECT, STATE, X, Y
from mesabench.observation import Observation
from mesabench.task import Objective, Task

STEP = ((1, 0), (0, 1), (-1, 0), (0, -1))  # one cell ahead, by direction
FAR = 1 << 20  # steps to what cannot be reached


class Walker:
    """Walks to the nearest of some target cells; subclasses say which cells those are.

    Args:
        lapse: probability of a uniformly random action instead.
        seed: of its choices among equally short ways and of its lapses.
    """

    def __init__(self, *, lapse: float = 0.0, seed: int = 0):
        self.lapse = lapse
        self._rng = np.random.default_rng(seed)

    def attach(self, engine: Engine) -> None:
        """Take note of the engine that the walker is about to play in."""
        self.engine = engine

    def targets(self) -> NDArray[np.bool_]:
        """Return the target cells of every world now, bool [B, W, H]."""
        raise NotImplementedError

    def idle(self) -> NDArray[np.int64]:
        """Return what to do where no target can be reached, int64 [B]; at random by default."""
        return self._rng.integers(3, size=self.engine.batch)

    def __call__(
        self, obs: Observation, state: Any, episode_start: NDArray[np.bool_]
    ) -> tuple[NDArray[np.int64], None]:
        """Return the actions [B]; the observation is not looked at."""
        batch = self.engine.batch
        cost = action_costs(walkable(self.engine), self.targets(), self.engine.world.pose[:, 0])
        shuffled = cost + self._rng.random(cost.shape) / 2  # equal costs are drawn by lot
        actions = np.where(cost.min(1) < FAR, shuffled.argmin(1), self.idle())
        lapses = self._rng.random(batch) < self.lapse
        return np.where(lapses, self._rng.integers(3, size=batch), actions), None


class GreedyWalker(Walker):
    """Walks to the nearest thing that an objective pays for, or that gives an item it takes.

    What the objective is paid for comes first; only if none of it can be had now does the walker
    fetch an item, and only if that cannot be had either does it turn to another objective.

    Args:
        task: the task.
        objective: name of the objective.
        then: name of the objective that it serves when nothing is left of the first.
        lapse: probability of a uniformly random action instead.
        seed: of its choices among equally short ways and of its lapses.
    """

    def __init__(
        self,
        task: Task,
        objective: str,
        *,
        then: str | None = None,
        lapse: float = 0.0,
        seed: int = 0,
    ):
        super().__init__(lapse=lapse, seed=seed)
        names = (objective,) if then is None else (objective, then)
        self.wanted = [task.objective(name) for name in names]

    def targets(self) -> NDArray[np.bool_]:
        """Return the cells to walk to now, bool [B, W, H]."""
        found = np.zeros(self.engine.world.marks.shape, np.bool_)
        for objective in self.wanted:
            for cells in self._errands(objective):
                found |= cells & ~found.any((1, 2), keepdims=True)
        return found

    def _errands(self, objective: Objective) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Return what pays now, and what gives an item without which the rest does not pay."""
        world, rules = self.engine.world, self.engine.rules
        pays = paying(self.engine, objective)
        needs, gives = (
            t[world.grid[..., OBJECT], world.grid[..., COLOUR]] for t in rules_of(rules)
        )
        held = world.inventory[:, 0]
        ready, fetch = pays & (needs < 0), np.zeros_like(pays)
        for item in range(held.shape[1]):
            wants = pays & (needs == item)
            has = (held[:, item] > 0)[:, None, None]
            ready |= wants & has
            fetch |= (gives == item) & wants.any((1, 2), keepdims=True) & ~has
        return ready, fetch


def rules_of(rules: Any) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
    """Return the tables of what a touch needs and gives, each [objects, colours]."""
    return rules.needs, rules.gives


def paying(engine: Engine, objective: Objective) -> NDArray[np.bool_]:
    """Return which cells hold a thing that emits an event of positive weight, bool [B, W, H]."""
    world, task = engine.world, engine.task
    wanted = sum(1 << task.events.index(e) for e, w in objective.weights.items() if w > 0)
    table = engine.rules.events[ON_TOUCH] & np.uint32(wanted) != 0
    emits = table[world.grid[..., OBJECT], world.grid[..., COLOUR]]
    borne = (world.marks[..., None] >> np.arange(len(task.flags))) & 1 != 0
    return emits[..., 0] | (emits[..., 1 : 1 + len(task.flags)] & borne).any(-1)


def walkable(engine: Engine) -> NDArray[np.bool_]:
    """Return the cells that can be entered without ending the episode, bool [B, W, H]."""
    grid, rules = engine.world.grid, engine.rules
    thing, colour = grid[..., OBJECT], grid[..., COLOUR]
    ruled = rules.touch[thing, colour] != 0
    passed = (rules.passable[thing, colour] != 0) & (rules.ends[ON_TOUCH][thing, colour] == 0)
    plain = np.isin(thing, (EMPTY, FLOOR, GOAL)) | ((thing == DOOR) & (grid[..., STATE] == OPEN))
    return np.where(ruled, passed, plain)


def action_costs(
    free: NDArray[np.bool_], targets: NDArray[np.bool_], pose: NDArray[np.int32]
) -> NDArray[np.int64]:
    """Return in how many steps a target is touched after each action, int64 [B, 3].

    Args:
        free: bool [B, W, H] cells that can be entered.
        targets: bool [B, W, H]; a target counts when it is walked into, enterable or not.
        pose: int [B, 3] x, y and direction. The outermost cells are never stood on.
    """
    steps = steps_to(free, targets)
    b, (x, y, way) = np.arange(len(pose)), pose.T[[X, Y, DIR]]
    ahead = (x + np.array(STEP)[way, 0], y + np.array(STEP)[way, 1])
    cost = np.empty((len(pose), 3), np.int64)
    cost[:, LEFT] = steps[b, (way - 1) % 4, x, y] + 1
    cost[:, RIGHT] = steps[b, (way + 1) % 4, x, y] + 1
    entered = np.where(free[b, *ahead], steps[b, way, *ahead], steps[b, way, x, y])
    cost[:, FORWARD] = np.where(targets[b, *ahead], 0, entered) + 1
    return cost


def steps_to(free: NDArray[np.bool_], targets: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the fewest steps from each pose to the touch of a target, int64 [B, 4, W, H]."""
    stand = free[:, None]
    faced = np.stack([np.roll(targets, (-dx, -dy), (1, 2)) for dx, dy in STEP], 1)
    steps = np.where(faced & stand, 1, FAR)
    while True:
        ahead = [np.roll(steps[:, d], (-dx, -dy), (1, 2)) for d, (dx, dy) in enumerate(STEP)]
        turned = np.minimum(np.roll(steps, 1, 1), np.roll(steps, -1, 1))
        shorter = np.minimum(steps, np.minimum(np.stack(ahead, 1), turned) + 1)
        shorter = np.where(stand, shorter, FAR)
        if (shorter == steps).all():
            return steps
        steps = shorter
