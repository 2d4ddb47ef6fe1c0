"""Rollouts: an agent plays chosen levels of a split once each; what happened is kept as arrays."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from mesabench.engine.batch import Engine, Partners
from mesabench.engine.world import OBJECT, Rules
from mesabench.errors import AgentError, NonFiniteLogits
from mesabench.observation import Observation, observe_batch
from mesabench.task import Objective, Task

FEWER = 0.75  # share of the levels asked about that are still played when the others are left out

Agent = Callable[[Observation, Any, NDArray[np.bool_]], tuple[NDArray[np.integer], Any]]


@runtime_checkable
class Privileged(Protocol):
    """An agent that is shown the worlds themselves, as planned agents are."""

    def attach(self, engine: Engine) -> None:
        """Take note of the engine that the agent is about to play in."""

    def __call__(
        self, obs: Observation, state: Any, episode_start: NDArray[np.bool_]
    ) -> tuple[NDArray[np.integer], Any]:
        """Return the actions [N] and the next state."""
        ...


@runtime_checkable
class RowWise(Protocol):
    """An agent for which every level stands for itself, as for a network that draws nothing.

    Its state is arrays by name, [N, ...] each. It need not be asked about levels that are over.
    """

    row_wise: bool

    def __call__(
        self, obs: Observation, state: Any, episode_start: NDArray[np.bool_]
    ) -> tuple[NDArray[np.integer], Any]:
        """Return the actions [N] and the next state."""
        ...


@dataclass(frozen=True)
class Rollout:
    """N episodes of at most T steps, one for each level.

    Attributes:
        task: the task.
        split: name of the split.
        knobs: level knobs that differ from the split's.
        levels: int64 [N] level numbers.
        layouts: uint64 [N] layout hashes.
        actions: int8 [T, N], −1 after an episode's end.
        poses: int16 [T + 1, N, 3] x, y, direction before each step.
        events: uint8 [T, N, E] events of each step.
        lengths: int32 [N] steps played.
        terminated: bool [N] whether the episode ended before the horizon.
        grid, marks, inventory: the worlds at their start, [N, W, H, 3], [N, W, H] and [N, K].
        partners: who played the other agents, where there are any; the task's script where None.
    """

    task: Task
    split: str
    levels: NDArray[np.int64]
    layouts: NDArray[np.uint64]
    actions: NDArray[np.int8]
    poses: NDArray[np.int16]
    events: NDArray[np.uint8]
    lengths: NDArray[np.int32]
    terminated: NDArray[np.bool_]
    grid: NDArray[np.uint8]
    marks: NDArray[np.uint8]
    inventory: NDArray[np.int32]
    knobs: dict[str, Any] = field(default_factory=dict)
    partners: Partners | None = None

    def event(self, name: str) -> NDArray[np.int64]:
        """Return how often an event happened in each step, int64 [T, N]."""
        return self.events[:, :, self.task.events.index(name)].astype(np.int64)

    def things(self, thing: int) -> NDArray[np.int64]:
        """Return how many things of a type each level began with, int64 [N]."""
        return (self.grid[..., OBJECT] == thing).sum((1, 2))

    def begin(self) -> Engine:
        """Return an engine in which the rollout's levels are about to begin."""
        engine = Engine(
            self.task,
            self.split,
            batch=len(self.levels),
            autoreset=False,
            knobs=self.knobs,
            partners=self.partners,
        )
        engine.reset(levels=self.levels)
        return engine

    @functools.cached_property
    def rules(self) -> Rules:
        """The rule table of the rollout's levels, by which every episode ends that is done."""
        palette = getattr(self.task.level(self.split, **self.knobs), "palette", 0)
        return self.task.rule_table(palette=palette)

    @functools.cached_property
    def counts(self) -> NDArray[np.int64]:
        """How often each event happened in each episode, int64 [N, E]."""
        return self.events.sum(0, dtype=np.int64)

    def returns(self, objective: Objective, *, discounted: bool = True) -> NDArray[np.float64]:
        """Return each episode's return under an objective, by its own discount, float64 [N]."""
        weights = self.task.weights(objective)[0]
        if not discounted:
            return self.counts @ weights
        (discount,) = self.task.discounts(objective)
        decay = discount ** np.arange(len(self.events))
        return np.einsum("t,tne,e->n", decay, self.events.astype(np.float64), weights)


def rollout(
    agent: Agent,
    task: Task,
    split: str = "test",
    levels: int | Sequence[int] = 128,
    *,
    threads: int = 1,
    partners: Partners | None = None,
    **knobs: Any,
) -> Rollout:
    """Let an agent play levels of a split, each once, all in one batch.

    Args:
        agent: ``agent(obs, state, episode_start) -> (actions, state)``; the state is None in the
            first call and ``episode_start`` [N] is true only there.
        task: the task.
        split: name of the split.
        levels: how many levels from number 0, or the level numbers [N].
        threads: how many threads share an engine step.
        partners: who plays the other agents (see `Engine`); the task's script where None.
        knobs: level knobs to change.

    Raises:
        AgentError: the agent's actions do not fit; the message names the level and step.
    """
    numbers = np.arange(levels) if isinstance(levels, int) else np.asarray(levels, np.int64)
    engine = Engine(
        task,
        split,
        batch=len(numbers),
        autoreset=False,
        threads=threads,
        knobs=knobs,
        partners=partners,
    )
    engine.reset(levels=numbers)
    return play(agent, engine)


def play(agent: Agent, engine: Engine) -> Rollout:
    """Let an agent play the levels that the worlds of an engine have begun, each once.

    Args:
        agent: as in `rollout`.
        engine: worlds at the start of their levels, which may have been loaded or changed; it
            does not reset itself.

    Raises:
        AgentError: as in `rollout`.
    """
    world, course, task = engine.world, engine.course, engine.task
    numbers = course.index.copy()
    start = {n: world[n].copy() for n in ("grid", "marks")}
    items, kinds = max(1, len(task.items)), len(task.events)
    inventory, layouts = world.inventory[:, 0, :items].copy(), course.layout.copy()
    if isinstance(agent, Privileged):
        agent.attach(engine)
    asked = _Asked(agent, engine)
    actions, poses, events = [], [world.pose[:, 0].astype(np.int16)], []
    while not course.ended.all():
        playing = ~course.ended
        chosen = asked.choose(playing, len(actions))
        engine.step(np.where(playing, chosen, 0))
        actions.append(np.where(playing, chosen, -1).astype(np.int8))
        poses.append(world.pose[:, 0].astype(np.int16))
        events.append(world.events[:, 0, :kinds].copy())
    return Rollout(
        task=task,
        split=engine.split,
        levels=numbers,
        layouts=layouts,
        actions=np.array(actions),
        poses=np.array(poses),
        events=np.array(events),
        lengths=course.last_steps.copy(),
        terminated=world.terminated.copy(),
        grid=start["grid"],
        marks=start["marks"],
        inventory=inventory,
        knobs=engine.given_knobs,
        partners=engine.partners,
    )


class _Asked:
    """An agent with its state, and the levels [M] about which it is asked.

    Most levels are over long before the last one: where the agent allows it, those are left out
    from time to time.
    """

    def __init__(self, agent: Agent, engine: Engine):
        self.agent, self.engine = agent, engine
        self.rows = np.arange(engine.batch)
        self.row_wise = isinstance(agent, RowWise) and agent.row_wise
        self.state: Any = None

    def choose(self, playing: NDArray[np.bool_], step: int) -> NDArray[np.int64]:
        """Return the action of every level, int64 [N], 0 where it was not asked for."""
        if self.row_wise and playing.sum() <= FEWER * len(self.rows):
            self._leave_out(~playing[self.rows])
        obs = observe_batch(self.engine)
        if len(self.rows) < self.engine.batch:
            obs = {name: array[self.rows] for name, array in obs.items()}
        answer = self._ask(obs, np.full(len(self.rows), step == 0), step)
        chosen = np.zeros(self.engine.batch, np.int64)
        chosen[self.rows] = self._checked(answer, step)
        return chosen

    def _leave_out(self, over: NDArray[np.bool_]) -> None:
        self.rows = self.rows[~over]
        if self.state is not None:
            self.state = {name: np.asarray(part)[~over] for name, part in self.state.items()}

    def _ask(self, obs: Observation, first: NDArray[np.bool_], step: int) -> Any:
        try:
            answer, self.state = self.agent(obs, self.state, first)
        except NonFiniteLogits as error:
            rows = self.rows[np.asarray(error.rows, np.int64)]
            where = f"{self.engine.level_name(int(rows[0]) if len(rows) else 0)}, step {step}"
            raise NonFiniteLogits(f"{error} (at {where})", rows) from error
        return answer

    def _checked(self, answer: Any, step: int) -> NDArray[np.int64]:
        """Return an answer as actions [M]."""
        actions, number = np.asarray(answer), self.engine.task.actions
        if actions.shape != self.rows.shape or not np.issubdtype(actions.dtype, np.integer):
            raise AgentError(
                f"an agent returns {len(self.rows)} whole numbers, one for each level; "
                f"found {actions.dtype} {list(actions.shape)}"
            )
        wrong = (actions < 0) | (actions >= number)
        if wrong.any():
            k = int(np.flatnonzero(wrong)[0])
            raise AgentError(
                f"action {actions[k]} at {self.engine.level_name(int(self.rows[k]))}, step {step}, "
                f"is not in 0 to {number - 1}"
            )
        return actions.astype(np.int64)
