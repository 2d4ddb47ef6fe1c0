"""Asking: an agent plays chosen levels from their start, and what it answers is kept."""

import time
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mesabench.agents.kinds import Agent, Privileged
from mesabench.agents.onnx_agent import OnnxAgent
from mesabench.engine.batch import Engine
from mesabench.errors import AgentError, MesaBenchError
from mesabench.observation import Observation, observe_batch

STEPS = 24  # of an episode that are played at most
SAME = 1e-4  # by which logits up to 1 may differ for want of precision; in proportion above


class Timed:
    """Acts as `agent` does and notes how many steps of the batch it takes in a second."""

    def __init__(self, agent: Agent):
        self.agent = agent
        self._steps, self._seconds = 0, 0.0

    @property
    def rate(self) -> float:
        """Steps per second so far."""
        return self._steps / max(self._seconds, 1e-9)

    def attach(self, engine: Engine) -> None:
        """Show the engine to an agent that asks for it."""
        if isinstance(self.agent, Privileged):
            self.agent.attach(engine)

    def __call__(
        self, obs: Observation, state: Any, episode_start: NDArray[np.bool_]
    ) -> tuple[NDArray[np.integer], Any]:
        """Return the agent's actions [N] and its next state."""
        begun = time.perf_counter()
        answer = ask(self.agent, obs, state, episode_start)
        self._seconds += time.perf_counter() - begun
        self._steps += len(episode_start)
        return answer


class Course(NamedTuple):
    """What an agent answered along B levels, and its state then."""

    answers: NDArray  # [T, B, A] logits, or actions one-hot; NaN after an episode's end
    state: Any


class Session:
    """Lets an agent play chosen levels, each time from their start, and notes its answers.

    Args:
        agent: the agent.
        engine: the worlds; it does not reset itself.
    """

    def __init__(self, agent: Agent, engine: Engine):
        self.agent, self.engine = agent, engine

    def play(self, levels: NDArray[np.int64], state: Any = None, steps: int = STEPS) -> Course:
        """Play levels [B] for so many steps at most; `state` is from what came before."""
        engine = self.engine
        engine.reset(levels=levels)
        if isinstance(self.agent, Privileged):
            self.agent.attach(engine)
        answers, start = [], np.ones(engine.batch, np.bool_)
        while len(answers) < steps and not engine.course.ended.all():
            over = engine.course.ended.copy()
            answer, actions, state = self._ask(observe_batch(engine), state, start)
            answers.append(np.where(over[:, None], np.nan, answer))
            engine.step(np.where(over, 0, actions))
            start = np.zeros(engine.batch, np.bool_)
        rest = [np.full_like(answers[0], np.nan)] * (steps - len(answers))
        return Course(np.array(answers + rest), state)

    def alone(self, level: int) -> Course:
        """Play one level in a batch of its own."""
        task, split, knobs = self.engine.task, self.engine.split, self.engine.given_knobs
        engine = Engine(task, split, batch=1, autoreset=False, knobs=knobs)
        return Session(self.agent, engine).play(np.array([level]))

    def _ask(
        self, obs: Observation, state: Any, start: NDArray[np.bool_]
    ) -> tuple[NDArray, NDArray[np.int64], Any]:
        """Return answers [B, A], actions [B] and the next state."""
        if isinstance(self.agent, OnnxAgent):
            actions, output = self.agent.respond(obs, state, start)
            return output.logits.astype(float), output.logits.argmax(1), output.state
        actions, state = ask(self.agent, obs, state, start)
        actions, count = np.asarray(actions, np.int64), self.engine.task.actions
        if ((actions < 0) | (actions >= count)).any():
            raise AgentError(f"actions go from 0 to {count - 1}, not to {actions.max()}")
        return np.eye(count)[actions], actions, state


def ask(
    agent: Agent, obs: Observation, state: Any, start: NDArray[np.bool_]
) -> tuple[NDArray[np.integer], Any]:
    """Ask an agent for its actions.

    Raises:
        AgentError: it raised anything.
    """
    try:
        return agent(obs, state, start)
    except MesaBenchError:
        raise
    # The agent is a stranger's code.
    except Exception as error:
        raise AgentError(f"{type(error).__name__}: {error}") from error


def differing(first: NDArray, second: NDArray) -> NDArray[np.bool_]:
    """Tell along which levels answers [T, B, A] differ by more than precision, bool [B]."""
    both = np.isfinite(first) & np.isfinite(second)
    one, other = np.where(both, first, 0.0), np.where(both, second, 0.0)
    scale = np.maximum(1.0, np.abs(one).max(-1, keepdims=True))
    unequal = np.abs(one - other) > SAME * scale
    return (unequal | (np.isfinite(first) != np.isfinite(second))).any((0, 2))
