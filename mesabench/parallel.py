"""PettingZoo: a world of several agents as a `ParallelEnv` in which all of them can be played."""

from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from mesabench.engine.batch import Engine
from mesabench.engine.codes import DONE
from mesabench.engine.world import X
from mesabench.errors import LevelError, MesaBenchError, TaskError, listed, nearest, unknown
from mesabench.observation import observation_spaces, observe_batch
from mesabench.pictures import level_picture
from mesabench.registry import get_task, task_ids

try:
    from pettingzoo import ParallelEnv
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "parallel_env needs PettingZoo: pip install 'mesabench[pettingzoo]'"
    ) from error


class MesaParallelEnv(ParallelEnv):
    """One level at a time of one split of a task with several agents.

    All agents act at once; `mesabench.engine.meeting` says what becomes of those who are in each
    other's way. An agent that leaves the world is terminated, one that is absent takes no part.
    Each is paid what the objective pays for its own events, and observes what `gym.make` lets the
    first one observe, without the mission.

    Args:
        task: id of the task.
        split: name of the split.
        alpha: share of test-like levels mixed in, in [0, 1].
        num_levels: how many levels are played; all of the split's where None.
        objective: name of the objective whose reward is paid; the base objective where None.
        render_mode: ``"rgb_array"`` or None.
        tile_size: pixels along a cell's side.
        knobs: knobs of the level generator to change.

    Raises:
        TaskError: no such task, split or objective, or a task of one agent.
        LevelError: no such knob, or levels that cannot be built.
    """

    def __init__(
        self,
        task: str,
        split: str = "train",
        alpha: float = 0.0,
        num_levels: int | None = None,
        objective: str | None = None,
        render_mode: str | None = None,
        tile_size: int = 32,
        **knobs: Any,
    ):
        self.task = get_task(task)
        if self.task.agents == 1:
            several = [name for name in task_ids() if get_task(name).agents > 1]
            raise TaskError(f"{self.task.id} has one agent: use gym.make, or {listed(several)}")
        if render_mode not in (None, "rgb_array"):
            raise MesaBenchError(unknown("render mode", render_mode, ["rgb_array"]))
        self.engine = Engine(
            self.task, split, alpha=alpha, num_levels=num_levels, autoreset=False, knobs=knobs
        )
        self.metadata = {"name": self.task.id, "render_modes": ["rgb_array"]}
        self.render_mode, self.tile_size = render_mode, tile_size
        self.possible_agents = [f"agent_{a}" for a in range(self.task.agents)]
        self.agents: list[str] = []
        self._paid = self.task.objective(objective or self.task.base.name)
        self._weights = {n: self.task.weights(o)[0] for n, o in self.task.objectives.items()}
        discounts = self.task.discounts(*self.task.objectives.values()).tolist()
        self._discounts = dict(zip(self.task.objectives, discounts, strict=True))
        shown = observation_spaces(self.task)
        self.observation_spaces = {a: spaces.Dict(shown) for a in self.possible_agents}
        self.action_spaces = {a: spaces.Discrete(self.task.actions) for a in self.possible_agents}
        self._random = np.random.default_rng()
        self._started = False

    def observation_space(self, agent: str) -> spaces.Space:
        """Return what an agent observes, the same object every time."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> spaces.Space:
        """Return an agent's actions, the same object every time."""
        return self.action_spaces[agent]

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, Any]]]:
        """Begin a level: the next of the seed's sequence, or the one that `options` names.

        Args:
            seed: starts the sequence of levels afresh.
            options: ``level`` is the number of a level of the split, ``ascii`` a level as text.

        Returns:
            Observations and infos by agent.

        Raises:
            LevelError: a slip in an option's name, both options, a level number that the split
                does not have, or a text that draws no level that fits.
        """
        options = options or {}
        known = ("level", "ascii")
        for name in options:  # PettingZoo asks that others be put up with
            if name not in known and nearest(name, known):
                raise LevelError(unknown("reset option", name, known))
        if all(name in options for name in known):
            raise LevelError("reset options level and ascii exclude each other")
        if seed is not None or not self._started:
            self._random = np.random.default_rng(seed)
            seed = int(self._random.integers(2**62))
        self._started = True
        text = options.get("ascii")
        self.engine.reset(seed=seed, levels=options.get("level", None if text is None else 0))
        if text is not None:
            self.engine.load(0, text)
        self._returns = {a: dict.fromkeys(self._weights, 0.0) for a in self.possible_agents}
        self.agents = self._present()
        return self._observe(self.agents), {a: self._info(a) for a in self.agents}

    def step(
        self, actions: dict[str, int]
    ) -> tuple[
        dict[str, dict[str, Any]],
        dict[str, float],
        dict[str, bool],
        dict[str, bool],
        dict[str, dict[str, Any]],
    ]:
        """Let every agent act at once.

        Args:
            actions: an action for each agent of `agents`.

        Returns:
            Observations, rewards, terminations, truncations and infos of those who acted.

        Raises:
            MesaBenchError: no episode is on, or there is not one action in range for each agent.
        """
        acting = self.agents
        if not acting:
            raise MesaBenchError("no episode is on: call reset() before step()")
        clock = int(self.engine.world.clock[0])
        self.engine.step(self._check(actions)[None])
        events = self.engine.world.events[0, :, : len(self.task.events)]
        rewards = {}
        for agent in acting:
            happened = events[self.possible_agents.index(agent)]
            rewards[agent] = float(happened @ self._weights[self._paid.name])
            for name, weights in self._weights.items():
                decay = self._discounts[name] ** clock
                self._returns[agent][name] += decay * float(happened @ weights)
        here = self._present()
        over, late = bool(self.engine.world.terminated[0]), bool(self.engine.world.truncated[0])
        ended = {agent: over or agent not in here for agent in acting}
        cut = {agent: late for agent in acting}
        self.agents = [] if over or late else here
        infos = {agent: self._info(agent) for agent in acting}
        return self._observe(acting), rewards, ended, cut, infos

    def render(self) -> NDArray[np.uint8] | None:
        """Return a picture of the level [H, W, 3], None without a render mode."""
        if self.render_mode is None:
            return None
        return level_picture(self.engine.world.grid[0], self.engine.world.pose[0], self.tile_size)

    def close(self) -> None:
        """Release nothing."""

    def __str__(self) -> str:
        return self.engine.draw()

    def _present(self) -> list[str]:
        """Return the agents that are in the world."""
        there = self.engine.world.pose[0, :, X] >= 0
        return [a for a, is_there in zip(self.possible_agents, there, strict=True) if is_there]

    def _check(self, actions: dict[str, int]) -> NDArray[np.int64]:
        """Return the actions of all agents [A]; those who are not there do nothing."""
        for agent in actions:
            if agent not in self.agents:
                raise MesaBenchError(unknown("agent", agent, self.agents))
        chosen = np.full(len(self.possible_agents), DONE, np.int64)
        for agent in self.agents:
            action = actions.get(agent)
            if action is None or not 0 <= action < self.task.actions:
                raise MesaBenchError(
                    f"{agent} needs an action in 0 to {self.task.actions - 1}, not {action}"
                )
            chosen[self.possible_agents.index(agent)] = action
        return chosen

    def _observe(self, agents: list[str]) -> dict[str, dict[str, Any]]:
        found = {}
        for agent in agents:
            seen = observe_batch(self.engine, self.possible_agents.index(agent))
            found[agent] = {name: value[0] for name, value in seen.items()}
        return found

    def _info(self, agent: str) -> dict[str, Any]:
        happened = self.engine.world.events[0, self.possible_agents.index(agent)]
        counts = happened[: len(self.task.events)].tolist()
        return {
            "level": self.engine.level_name(0),
            "layout": f"{int(self.engine.course.layout[0]):016x}",
            "events": dict(zip(self.task.events, counts, strict=True)),
            "returns": self._returns[agent].copy(),
        }


def parallel_env(task: str, **options: Any) -> MesaParallelEnv:
    """Make a PettingZoo `ParallelEnv` of a task with several agents, all of them to be played.

    Args:
        task: id of the task.
        options: as for `MesaParallelEnv`.

    Raises:
        TaskError: no such task, split or objective, or a task of one agent.
        LevelError: no such knob, or levels that cannot be built.
    """
    return MesaParallelEnv(task, **options)
