"""`gym.make`: one world as a `MiniGridEnv` whose grid is decoded from the engine on demand."""

# What MiniGrid keeps in attributes is computed here.
# pyright: reportIncompatibleVariableOverride=false

from typing import Any, NamedTuple

import numpy as np
from gymnasium import spaces
from minigrid.core.grid import Grid
from minigrid.core.mission import MissionSpace
from minigrid.core.world_object import Box, WorldObj
from minigrid.minigrid_env import MiniGridEnv
from numpy.typing import NDArray

from mesabench.engine.batch import Engine
from mesabench.engine.world import COLOUR, DIR, INSIDE, OBJECT, X, Y
from mesabench.errors import LevelError, MesaBenchError, unknown
from mesabench.observation import observation_spaces, read_gauge
from mesabench.others import put_others
from mesabench.registry import get_task
from mesabench.trials import LAST_ACTION


class Live(NamedTuple):
    """Plain arrays that show world 0 of an engine as it is: records are slow to read by name."""

    image: NDArray[np.uint8]  # [7, 7, 3]
    pose: NDArray[np.int32]  # [3]
    inventory: NDArray[np.int32]  # [K]
    gauges: NDArray[np.int32]  # [G]
    events: NDArray[np.uint8]  # [E]
    clock: NDArray[np.int32]  # [B]
    terminated: NDArray[np.bool_]  # [B]
    truncated: NDArray[np.bool_]  # [B]
    ended: NDArray[np.bool_]  # [B]

    @classmethod
    def of(cls, engine: Engine) -> "Live":
        """Return the arrays of an engine's first world."""
        world, task = engine.world, engine.task
        return cls(
            image=world["image"][0, 0],
            pose=world["pose"][0, 0],
            inventory=world["inventory"][0, 0, : len(task.items)],
            gauges=world["gauges"][0, 0],
            events=world["events"][0, 0, : len(task.events)],
            clock=world["clock"],
            terminated=world["terminated"],
            truncated=world["truncated"],
            ended=engine.course["ended"],
        )


class MesaEnv(MiniGridEnv):
    """One level at a time of one split of a task.

    MiniGrid's wrappers, renderer and manual control work on it. ``reset(options={"level": i})``
    plays level i of the split; ``reset(options={"ascii": text})`` plays the level that a text draws
    (see `mesabench.engine.ascii`), and ``str(env.unwrapped)`` is such a text.

    Args:
        task: id of the task.
        split: name of the split.
        alpha: share of test-like levels mixed in, in [0, 1].
        num_levels: how many levels are played; all of the split's where None.
        objective: name of the objective whose reward is paid; the base objective where None.
        render_mode: ``"human"``, ``"rgb_array"`` or None.
        tile_size: pixels along a cell's side.
        screen_size: pixels along the window's side.
        highlight: whether a picture of the whole level shows what the agent sees.
        agent_pov: whether only what the agent sees is rendered.
        knobs: knobs of the level generator to change.

    Raises:
        TaskError: no such task, split or objective.
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
        screen_size: int = 640,
        highlight: bool = True,
        agent_pov: bool = False,
        **knobs: Any,
    ):
        self.task = get_task(task)
        self.engine = Engine(
            self.task, split, alpha=alpha, num_levels=num_levels, autoreset=False, knobs=knobs
        )
        self._world, self._course = self.engine.world, self.engine.course
        self._live = Live.of(self.engine)
        self._weights = {n: self.task.weights(o)[0] for n, o in self.task.objectives.items()}
        self._paid = self.task.objective(objective or self.task.base.name).name
        discounts = self.task.discounts(*self.task.objectives.values()).tolist()
        self._discounts = dict(zip(self.task.objectives, discounts, strict=True))
        self._started = False
        width, height = self._world.grid.shape[1:3]
        missions = MissionSpace(mission_func=lambda: self.task.mission)
        super().__init__(
            mission_space=missions,
            width=width,
            height=height,
            max_steps=self.engine.horizon,
            see_through_walls=bool(self.engine.rules.see_through),
            render_mode=render_mode,
            tile_size=tile_size,
            screen_size=screen_size,
            highlight=highlight,
            agent_pov=agent_pov,
        )
        self.mission = self.task.mission
        self.action_space = spaces.Discrete(self.task.actions)
        self.observation_space = spaces.Dict(observation_spaces(self.task) | {"mission": missions})

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Begin a level: the next of the seed's sequence, or the one that `options` names.

        Args:
            seed: starts the sequence of levels afresh.
            options: ``level`` is the number of a level of the split, ``ascii`` a level as text.

        Raises:
            LevelError: an unknown option or both, a level number that the split does not have, or
                a text that draws no level that fits.
        """
        super(MiniGridEnv, self).reset(seed=seed)
        options = options or {}
        for name in options:
            if name not in ("level", "ascii"):
                raise LevelError(unknown("reset option", name, ["level", "ascii"]))
        if len(options) > 1:
            raise LevelError("reset options level and ascii exclude each other")
        if seed is None and not self._started:
            seed = int(self.np_random.integers(2**62))
        self._started = True
        text = options.get("ascii")
        # A level from a text does not use up one of the sequence.
        self.engine.reset(seed=seed, levels=options.get("level", None if text is None else 0))
        if text is not None:
            self.engine.load(0, text)
        self._returns = dict.fromkeys(self._weights, 0.0)
        self._level = self.engine.level_name(0)
        self._layout = f"{int(self._course.layout[0]):016x}"
        if self.render_mode == "human":
            self.render()
        return self.gen_obs(), self._info()

    def step(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, action: int | np.integer
    ) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        """Play one action; the reward is that of the objective which is paid.

        Raises:
            MesaBenchError: the action is out of range, the episode is over or has not begun.
        """
        if not self._started:
            raise MesaBenchError("no episode has begun: call reset() before step()")
        if self._live.ended[0]:
            raise MesaBenchError("the episode is over: call reset() before step()")
        if not 0 <= action < self.task.actions:
            # Whoever sits at the keyboard has MiniGrid's keys, and one without use does nothing.
            if self.render_mode == "human" and action in tuple(self.actions):
                self._world.events[0] = 0
                return self.gen_obs(), 0.0, False, False, self._info()
            raise MesaBenchError(f"action {action} is not in 0 to {self.task.actions - 1}")
        self.engine.step(action)
        live, reward = self._live, 0.0
        if any(live.events.tolist()):
            before = int(live.clock[0]) - 1
            for name, weights in self._weights.items():
                decay = self._discounts[name] ** before
                self._returns[name] += decay * float(live.events @ weights)
            reward = float(live.events @ self._weights[self._paid])
        if self.render_mode == "human":
            self.render()
        ends = bool(live.terminated[0]), bool(live.truncated[0])
        return self.gen_obs(), reward, *ends, self._info()

    def gen_obs(self) -> dict[str, Any]:
        """Return what the agent sees now (see `observation_spaces`), and the mission."""
        live = self._live
        obs = {
            "image": live.image.copy(),
            "direction": int(live.pose[DIR]),
            "mission": self.mission,
        }
        if self.task.items:
            obs["inventory"] = live.inventory.astype(np.float32)
        for i, name in enumerate(self.task.gauges):
            obs[name] = read_gauge(name, live.gauges[i : i + 1])
            obs[name] = obs[name].item() if name == LAST_ACTION else obs[name][0]
        return obs

    def __str__(self) -> str:
        return self.engine.draw()

    def _info(self) -> dict[str, Any]:
        return {
            "level": self._level,
            "layout": self._layout,
            "events": dict(zip(self.task.events, self._live.events.tolist(), strict=True)),
            "returns": self._returns.copy(),
        }

    def _gen_grid(self, width: int, height: int) -> None:
        """Do nothing: levels are built by the engine."""

    @property
    def grid(self) -> Grid:
        """The level as MiniGrid's own objects, decoded from the engine; changes are not kept.

        Other agents stand in it as objects, in place of what they stand on.
        """
        grid, _ = Grid.decode(self._world.grid[0])
        for x, y in np.argwhere(self._world.inside[0]):
            box = grid.get(int(x), int(y))
            if isinstance(box, Box):
                box.contains = unpack(int(self._world.inside[0, x, y]))
        return put_others(grid, self._world.pose[0])

    @grid.setter
    def grid(self, value: Any) -> None: ...

    @property
    def agent_pos(self) -> tuple[int, int]:
        """The agent's cell (x, y)."""
        x, y = self._world.pose[0, 0, [X, Y]]
        return int(x), int(y)

    @agent_pos.setter
    def agent_pos(self, value: Any) -> None: ...

    @property
    def agent_dir(self) -> int:
        """The agent's direction: 0 right, 1 down, 2 left, 3 up."""
        return int(self._world.pose[0, 0, DIR])

    @agent_dir.setter
    def agent_dir(self, value: Any) -> None: ...

    @property
    def carrying(self) -> WorldObj | None:
        """What the agent has picked up."""
        thing, colour, inside = self._world.carrying[0, 0, [OBJECT, COLOUR, INSIDE]]
        carried = WorldObj.decode(int(thing), int(colour), 0) if thing else None
        if isinstance(carried, Box):
            carried.contains = unpack(int(inside))
        return carried

    @carrying.setter
    def carrying(self, value: Any) -> None: ...

    @property
    def step_count(self) -> int:
        """Steps since the level began."""
        return int(self._world.clock[0])

    @step_count.setter
    def step_count(self, value: Any) -> None: ...


def unpack(packed: int) -> WorldObj | None:
    """Return the thing that a byte of `World.inside` stands for."""
    return WorldObj.decode(packed // 8, packed % 8, 0) if packed else None
