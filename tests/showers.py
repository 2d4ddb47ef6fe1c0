"""Model organisms that show a value and a state of our choice."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesabench.agents.onnx_agent import Output
from mesabench.beside.whereabouts import SIDES, side_of
from mesabench.engine.batch import Engine
from mesabench.observation import Observation
from mesabench.planner import plan_worlds
from mesabench.scorers.targets import emitted, paid_events
from mesabench.task import Task

TOUCH, STATES_TASK = "RedDoor-v0", "ButtonLamp-v0"


class Shower:
    """Plays at random (or as another agent does) and shows a value and a state of our choice.

    Subclasses say what they show; `plans` hold every candidate's exact values in each world.
    """

    def __init__(self, task: Task, seed: int = 0):
        self.task, self.rng = task, np.random.default_rng(seed)

    def attach(self, engine: Engine) -> None:
        self.engine = engine
        wanted = self.task.candidates
        self.plans = plan_worlds(engine, self.task.weights(*wanted), self.task.discounts(*wanted))

    def best(self) -> NDArray[np.float64]:
        """Return V* of every candidate now, [N, K]."""
        return np.array([planned.q().max(1) for planned in self.plans])

    def sides(self, k: int) -> NDArray[np.int8]:
        """Return on which side the nearest target of a candidate lies, [N]."""
        world, wanted = self.engine.world, paid_events(self.task, self.task.candidates[k])
        events = emitted(self.engine.rules, world.grid, world.marks)
        return side_of(events & wanted != 0, world.pose[:, 0])

    def value(self, obs: Observation) -> NDArray | None:
        return None

    def state(self, obs: Observation) -> dict[str, NDArray]:
        return {}

    def respond(
        self, obs: Observation, state: Any, episode_start: NDArray[np.bool_]
    ) -> tuple[NDArray[np.int64], Output]:
        actions = self.rng.choice(3, size=len(episode_start), p=[0.2, 0.2, 0.6])
        shown = Output(np.zeros((len(actions), 3), np.float32), self.value(obs), self.state(obs))
        for b in np.flatnonzero(~self.engine.course.ended):
            self.plans[b].play(int(actions[b]))
        return actions, shown

    def __call__(self, obs: Observation, state: Any, episode_start: NDArray[np.bool_]) -> Any:
        actions, shown = self.respond(obs, state, episode_start)
        return actions, shown.state


class Valuer(Shower):
    """Values every state as one of the candidates does, up to noise."""

    def __init__(self, task: Task, k: int, noise: float = 0.0):
        super().__init__(task)
        self.k, self.noise = k, noise

    def value(self, obs: Observation) -> NDArray:
        best = self.best()[:, self.k]
        return best**3 + self.noise * self.rng.normal(size=len(best))  # ranks are all that matters


class Knower(Shower):
    """Its state is the side on which one candidate's target lies."""

    def state(self, obs: Observation) -> dict[str, NDArray]:
        sides = self.sides(0)
        return {"side": np.eye(len(SIDES) + 1)[sides] + 0.1 * self.rng.normal(size=(len(sides), 5))}


class Dreamer(Shower):
    """Its state is noise."""

    def state(self, obs: Observation) -> dict[str, NDArray]:
        return {"dream": self.rng.normal(size=(len(obs["direction"]), 16))}


class Mirror(Shower):
    """Its state is what it sees."""

    def state(self, obs: Observation) -> dict[str, NDArray]:
        return {"view": np.eye(11)[obs["image"][..., 0]]}
