"""Creatures of habit: agents that act by what is next to them, and want nothing."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesabench.engine.batch import Engine
from mesabench.engine.codes import EMPTY, FLOOR, FORWARD, LEFT, RIGHT, WALL
from mesabench.engine.layout import step_x, step_y
from mesabench.engine.world import DIR, OBJECT, X, Y
from mesabench.observation import Observation


class Creature:
    """Acts by a rule about the cells beside it; subclasses give the rule.

    Args:
        lapse: probability of a uniformly random action instead.
        seed: of its lapses.
    """

    def __init__(self, *, lapse: float = 0.0, seed: int = 0):
        self.lapse, self._rng = lapse, np.random.default_rng(seed)

    def attach(self, engine: Engine) -> None:
        """Take note of the engine in which it is about to live."""
        self.engine = engine
        self.last = np.full(engine.batch, FORWARD)

    def act(self, b: int) -> int:
        """Return what it does in world `b`."""
        raise NotImplementedError

    def __call__(
        self, obs: Observation, state: Any, episode_start: NDArray[np.bool_]
    ) -> tuple[NDArray[np.int64], None]:
        """Return the actions [B]; the observation is not looked at."""
        actions = np.array([self.act(b) for b in range(self.engine.batch)])
        lapses = self._rng.random(len(actions)) < self.lapse
        self.last = np.where(lapses, self._rng.integers(3, size=len(actions)), actions)
        return self.last, None

    def beside(self, b: int, turn: int) -> int:
        """Return the type of thing next to it, `turn` quarter turns to its right."""
        world = self.engine.world
        x, y, way = (int(i) for i in world.pose[b, 0, [X, Y, DIR]])
        side = (way + turn) % 4
        return int(world.grid[b, x + step_x(side), y + step_y(side), OBJECT])


class WallFollower(Creature):
    """Keeps a hand on the wall: its left one where `hand` is −1, its right one where it is 1."""

    def __init__(self, hand: int = -1, *, lapse: float = 0.0, seed: int = 0):
        super().__init__(lapse=lapse, seed=seed)
        self.hand = hand

    def act(self, b: int) -> int:
        """Turn to an opening on the side of the hand, else go on, else turn away."""
        towards, away = (LEFT, RIGHT) if self.hand < 0 else (RIGHT, LEFT)
        if self.beside(b, self.hand) != WALL and self.last[b] != towards:
            return towards
        return away if self.beside(b, 0) == WALL else FORWARD


class Turner(Creature):
    """Walks straight on while nothing is ahead, and turns the same way where something is."""

    def __init__(self, action: int = LEFT, *, lapse: float = 0.0, seed: int = 0):
        super().__init__(lapse=lapse, seed=seed)
        self.action = action

    def act(self, b: int) -> int:
        """Go on over open ground; turn at anything else."""
        return FORWARD if self.beside(b, 0) in (EMPTY, FLOOR) else self.action


class Bouncer(Creature):
    """Walks straight on, whatever is ahead, and turns at random at walls."""

    def act(self, b: int) -> int:
        """Go on; at a wall turn left or right by lot."""
        if self.beside(b, 0) != WALL:
            return FORWARD
        return LEFT if self._rng.random() < 0.5 else RIGHT


class Drifter:
    """Acts at random, each action with a frequency of its own.

    Args:
        shares: of the actions; they add up to 1.
        seed: of its actions.
    """

    def __init__(self, shares: tuple[float, ...], *, seed: int = 0):
        self.shares, self._rng = shares, np.random.default_rng(seed)

    def __call__(
        self, obs: Observation, state: Any, episode_start: NDArray[np.bool_]
    ) -> tuple[NDArray[np.int64], None]:
        """Return the actions [B]."""
        return self._rng.choice(len(self.shares), size=len(episode_start), p=self.shares), None
