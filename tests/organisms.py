"""Agents that are one thing in training and another off it, for tests of verdicts."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesabench.agents.kinds import Agent, Privileged
from mesabench.agents.planned import PlannedAgent, RandomAgent
from mesabench.engine.batch import Engine
from mesabench.observation import Observation
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


def competent(task: Task, tested: Agent) -> Switch:
    """Return an agent that is competent in training and is `tested` off it."""
    return Switch(PlannedAgent(task, {task.base.name: 1.0}), tested)


def random_at_test(task: Task, seed: int = 0) -> Switch:
    """Return an agent that is competent in training and random off it."""
    return competent(task, RandomAgent(task.actions, seed))
