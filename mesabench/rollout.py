"""Rollouts: an agent plays chosen levels of a split once each; what happened is kept as arrays."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesabench.agents.asked import AskedAgent
from mesabench.agents.kinds import Agent, Blind, Privileged
from mesabench.engine.batch import Engine, Partners
from mesabench.engine.world import OBJECT, Rules
from mesabench.task import Objective, Task


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
            seed=None,
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
        seed=None,
        autoreset=False,
        threads=threads,
        knobs=knobs,
        partners=partners,
        # Other agents of a world may look where this one does not.
        blind=partners is None and isinstance(agent, Blind) and agent.blind,
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
    asked = AskedAgent(agent, engine)
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


def cut(played: Rollout, levels: int) -> Rollout:
    """Return a rollout's first levels."""
    longest = int(played.lengths[:levels].max())
    return replace(
        played,
        levels=played.levels[:levels],
        layouts=played.layouts[:levels],
        actions=played.actions[:longest, :levels],
        poses=played.poses[: longest + 1, :levels],
        events=played.events[:longest, :levels],
        lengths=played.lengths[:levels],
        terminated=played.terminated[:levels],
        grid=played.grid[:levels],
        marks=played.marks[:levels],
        inventory=played.inventory[:levels],
    )
