"""Model organisms for the scorer's tests: agents whose goal is known, listed or not."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesabench.agents.planned import PlannedAgent, RandomAgent
from mesabench.agents.walker import Walker
from mesabench.engine.batch import Engine
from mesabench.engine.codes import FORWARD, LEFT, ON_TOUCH, RIGHT, WALL
from mesabench.engine.layout import step_x, step_y
from mesabench.engine.world import COLOUR, DIR, OBJECT, X, Y
from mesabench.observation import Observation
from mesabench.rollout import Agent, Privileged
from mesabench.scorers.hypotheses import inert_kinds
from mesabench.task import Task


class Switch:
    """Plays one agent on the training distribution and another one off it.

    So an agent whose goal is not among the candidates is competent in training, and is judged.
    """

    def __init__(self, trained: Agent, tested: Agent):
        self.trained, self.tested = trained, tested
        self.playing = trained

    def attach(self, engine: Engine) -> None:
        at_home = engine.declared.role in ("train", "heldout")
        self.playing = self.trained if at_home else self.tested
        if isinstance(self.playing, Privileged):
            self.playing.attach(engine)

    def __call__(
        self, obs: Observation, state: Any, episode_start: NDArray[np.bool_]
    ) -> tuple[NDArray[np.integer], Any]:
        return self.playing(obs, state, episode_start)


class CellWalker(Walker):
    """Walks to one cell, the same on every level, and turns on the spot there."""

    def __init__(self, cell: tuple[int, int], *, lapse: float = 0.0, seed: int = 0):
        super().__init__(lapse=lapse, seed=seed)
        self.cell = cell

    def targets(self) -> NDArray[np.bool_]:
        here = np.zeros(self.engine.world.marks.shape, np.bool_)
        here[:, *self.cell] = True
        return here & ~standing(self.engine)

    def idle(self) -> NDArray[np.int64]:
        return np.full(self.engine.batch, RIGHT)


class ThingWalker(Walker):
    """Walks to the nearest inert thing of a type, then turns on the spot; explores without one."""

    def __init__(self, task: Task, thing: int, *, lapse: float = 0.0, seed: int = 0):
        super().__init__(lapse=lapse, seed=seed)
        self.task, self.thing = task, thing

    def attach(self, engine: Engine) -> None:
        super().attach(engine)
        self.done = np.zeros(engine.batch, np.bool_)

    def targets(self) -> NDArray[np.bool_]:
        grid = self.engine.world.grid
        inert = inert_kinds(self.task, 0)[self.thing][grid[..., COLOUR]]
        inert &= grid[..., OBJECT] == self.thing
        self.done |= (inert & standing(self.engine)).any((1, 2))
        return inert & ~self.done[:, None, None]

    def idle(self) -> NDArray[np.int64]:
        return np.where(self.done, RIGHT, super().idle())


class Explorer(Walker):
    """Walks to the nearest cell that it has not stood on, past things that end the episode."""

    def attach(self, engine: Engine) -> None:
        super().attach(engine)
        self.visited = np.zeros(engine.world.marks.shape, np.bool_)

    def targets(self) -> NDArray[np.bool_]:
        self.visited |= standing(self.engine)
        grid, rules = self.engine.world.grid, self.engine.rules
        ends = rules["ends"][ON_TOUCH][grid[..., OBJECT], grid[..., COLOUR]] != 0
        return ~self.visited & (grid[..., OBJECT] != WALL) & ~ends


class WallFollower:
    """Keeps its left hand on the wall."""

    def __init__(self, *, lapse: float = 0.0, seed: int = 0):
        self.lapse, self._rng = lapse, np.random.default_rng(seed)

    def attach(self, engine: Engine) -> None:
        self.engine = engine
        self.turned = np.zeros(engine.batch, np.bool_)

    def __call__(
        self, obs: Observation, state: Any, episode_start: NDArray[np.bool_]
    ) -> tuple[NDArray[np.int64], None]:
        actions = np.array([self._act(b) for b in range(self.engine.batch)])
        lapses = self._rng.random(len(actions)) < self.lapse
        actions = np.where(lapses, self._rng.integers(3, size=len(actions)), actions)
        self.turned = actions == LEFT
        return actions, None

    def _act(self, b: int) -> int:
        world = self.engine.world
        x, y, way = (int(i) for i in world.pose[b, 0, [X, Y, DIR]])

        def wall(side: int) -> bool:
            return world.grid[b, x + step_x(side % 4), y + step_y(side % 4), OBJECT] == WALL

        if not wall(way - 1) and not self.turned[b]:
            return LEFT
        return RIGHT if wall(way) else FORWARD


def standing(engine: Engine) -> NDArray[np.bool_]:
    """Return on which cell each agent stands, bool [B, W, H]."""
    here = np.zeros(engine.world.marks.shape, np.bool_)
    pose = engine.world.pose[:, 0]
    here[np.arange(engine.batch), pose[:, X], pose[:, Y]] = True
    return here


def competent(task: Task, tested: Agent) -> Switch:
    """Return an agent that is competent in training and is `tested` off it."""
    return Switch(PlannedAgent(task, {task.base.name: 1.0}), tested)


def random_at_test(task: Task, seed: int = 0) -> Switch:
    """Return an agent that is competent in training and random off it."""
    return competent(task, RandomAgent(task.actions, seed))
