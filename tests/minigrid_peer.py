"""The real `minigrid` beside the engine: its levels in a world, its missions as rules, players.

All levels are loaded into worlds of one size, so that kernels are compiled once. The rest of a
world is wall, which is what MiniGrid shows beyond the edge of a grid.
"""

import collections
import contextlib
import io
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias

import gymnasium as gym
import numpy as np
from minigrid.core.grid import Grid
from minigrid.envs.babyai.core.roomgrid_level import RoomGridLevel
from minigrid.envs.babyai.core.verifier import OpenInstr, PickupInstr
from minigrid.envs.fetch import FetchEnv
from minigrid.envs.unlock import UnlockEnv

from mesabench.engine import codes
from mesabench.engine.cache import kernel
from mesabench.engine.move import step
from mesabench.engine.view import observe, visible
from mesabench.engine.world import RULES, Rules, World, allocate, plain_rules

Pose: TypeAlias = tuple[int, int, int]  # x, y, direction
Thing: TypeAlias = Any  # a `WorldObj`; what attributes it has depends on its class

SIDE = 25  # of the largest grid among the registered environments
SUCCESS = 0  # the number of the event that pays
IDLE = -1  # the action of a world whose episode is over


class Mission(NamedTuple):
    """What ends an episode with a reward: picking up or opening a thing of one of these kinds."""

    trigger: int
    targets: list[Thing]
    strict: bool = False  # to pick up anything else ends the episode without a reward


@kernel
def play(world, actions, rules):
    """Play `actions` [B, 1] in the worlds that are not idle, and draw the views."""
    for b in range(len(world)):
        if actions[b, 0] != IDLE:
            step(world, b, actions[b], rules[b])
            observe(world, b, rules[b], world.image)


@kernel
def look(world, rules, seen):
    """Draw the views of every world, and mark in `seen` [B, W, H] what the first agents see."""
    for b in range(len(world)):
        observe(world, b, rules[b], world.image)
        visible(world, b, 0, rules[b], seen[b])


def make(env_id: str, seed: int = 0) -> Any:
    """Return a `MiniGridEnv` at the start of a level, without Gymnasium's wrappers."""
    env = gym.make(env_id, disable_env_checker=True).unwrapped
    with contextlib.redirect_stdout(io.StringIO()):  # BabyAI prints what levels it rejects
        env.reset(seed=seed)
    return env


def kind(thing: Thing) -> tuple[int, int]:
    """Return the codes of a thing's object and colour."""
    return codes.OBJECTS.index(thing.type), codes.COLOURS.index(thing.color)


def things(env: Any) -> Iterator[Thing]:
    """Yield the things in the grid, in boxes and in the agent's hand."""
    for thing in [*env.grid.grid, env.carrying]:
        while thing is not None:
            yield thing
            thing = thing.contains


def read_mission(env: Any) -> Mission | None:
    """Return the mission of an environment, None where there is none but goals and lava."""
    if isinstance(env, FetchEnv):
        wanted = (env.targetType, env.targetColor)
        targets = [t for t in things(env) if (t.type, t.color) == wanted]
        return Mission(codes.ON_PICKUP, targets, strict=True)
    if isinstance(env, UnlockEnv):
        return Mission(codes.ON_OPEN, [env.door])
    if isinstance(env, RoomGridLevel):
        instr = vars(env)["instrs"]
        trigger = {PickupInstr: codes.ON_PICKUP, OpenInstr: codes.ON_OPEN}[type(instr)]
        return Mission(trigger, instr.desc.obj_set, instr.strict)
    return Mission(codes.ON_PICKUP, [env.obj]) if hasattr(env, "obj") else None


def is_tellable(env: Any, mission: Mission | None) -> bool:
    """Tell whether nothing but the targets looks like a target: rules speak of looks."""
    if mission is None:
        return True
    kinds = {kind(t) for t in mission.targets}
    return all(any(t is m for m in mission.targets) for t in things(env) if kind(t) in kinds)


def write_rules(env: Any, mission: Mission | None) -> Rules:
    """Return the rule table that says what ends and what pays in an environment."""
    rules = plain_rules()
    rules.see_through = env.see_through_walls
    for thing in (codes.GOAL, codes.LAVA):
        rules.touch[thing] = rules.passable[thing] = rules.ends[codes.ON_TOUCH, thing] = 1
    rules.events[codes.ON_TOUCH, codes.GOAL, :, 0] = 1 << SUCCESS
    if mission is not None:
        if mission.strict:
            rules.ends[mission.trigger] = 1
        for target in mission.targets:
            rules.ends[mission.trigger, *kind(target)] = 1
            rules.events[mission.trigger, *kind(target), 0] = 1 << SUCCESS
    return rules


def load(envs: list[Any], missions: list[Mission | None]) -> tuple[World, Rules]:
    """Return the present states of environments as worlds, and a rule table for each."""
    world = allocate(len(envs), SIDE, SIDE)
    world.grid[...] = (codes.WALL, codes.GREY, 0)
    rules = repeat(plain_rules(), len(envs))
    for b, (env, mission) in enumerate(zip(envs, missions, strict=True)):
        world.grid[b, : env.width, : env.height] = env.grid.encode()
        for n, thing in enumerate(env.grid.grid):
            if thing is not None:
                world.inside[b, n % env.width, n // env.width] = pack(thing.contains)
        world.pose[b, 0] = (*env.agent_pos, env.agent_dir)
        world.carrying[b, 0] = hold(env.carrying)
        world.horizon[b] = env.max_steps
        rules[b] = write_rules(env, mission)
    return world, rules


def repeat(rules: Rules, count: int) -> Rules:
    """Return a rule table for each of `count` worlds."""
    return np.array([rules] * count, RULES).view(np.recarray)


def pack(thing: Thing | None) -> int:
    """Return a thing in a box as the engine's byte."""
    return 0 if thing is None else kind(thing)[0] * 8 + kind(thing)[1]


def hold(thing: Thing | None) -> tuple[int, int, int]:
    """Return a carried thing as the engine's triple."""
    return (0, 0, 0) if thing is None else (*kind(thing), pack(thing.contains))


def fill_at_random(env: Any, shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Put a random grid with things of all kinds, walls or not at its edges, into `env`.

    Returns its encoding [W, H, 3].
    """
    objects = rng.choice(np.arange(codes.EMPTY, codes.AGENT), shape)
    dense = rng.random(shape) < rng.random()
    grid = np.zeros((*shape, 3), np.uint8)
    grid[..., 0] = np.where(dense, objects, codes.EMPTY)
    coloured = ~np.isin(grid[..., 0], (codes.EMPTY, codes.GOAL, codes.LAVA))
    grid[..., 1] = coloured * rng.integers(codes.NUM_COLOURS, size=shape)
    grid[..., 1] += (grid[..., 0] == codes.GOAL) * np.uint8(codes.GREEN)
    grid[..., 2] = (grid[..., 0] == codes.DOOR) * rng.integers(3, size=shape)
    env.width, env.height = shape
    env.grid, _ = Grid.decode(grid)
    env.agent_pos = tuple(rng.integers(shape).tolist())
    env.agent_dir = int(rng.integers(4))
    env.carrying = None
    return grid


class Walker:
    """A player of random actions, most of them steps forward."""

    def __init__(self, env: Any, rng: np.random.Generator):
        self.env, self.rng = env, rng

    def act(self) -> int:
        """Return the next action."""
        return self.stay_inside(self.choose())

    def choose(self) -> int:
        """Return the action to do if it does not lead to the edge."""
        if self.rng.random() < 0.4:
            return codes.FORWARD
        return int(self.rng.integers(len(codes.ACTIONS)))

    def stay_inside(self, action: int) -> int:
        """Turn instead of entering a door at the edge, beyond which MiniGrid itself fails."""
        outward = action == codes.FORWARD and self.is_edge(self.env.front_pos)
        return codes.LEFT if outward else action

    def is_edge(self, cell: Sequence) -> bool:
        """Tell whether a cell lies at the edge of the grid."""
        return cell[0] in (0, self.env.width - 1) or cell[1] in (0, self.env.height - 1)


class Tourist(Walker):
    """A player that walks from thing to thing and does with each what can be done with it."""

    def __init__(self, env: Any, rng: np.random.Generator):
        super().__init__(env, rng)
        self.plan: list[int] = []

    def choose(self) -> int:
        """Return the next action of the plan, now and then another one."""
        if self.rng.random() < 0.05:
            self.plan = []
            return super().choose()
        if not self.plan:
            self.plan = self.make_plan()
        return self.plan.pop(0)

    def make_plan(self) -> list[int]:
        """Return the way to a thing that can be reached, and what to do there."""
        came, found = self.explore()
        if not found:
            return [codes.LEFT, codes.DROP]
        thing, pose = max(found, key=lambda each: self.appeal(each[0]))
        return trace(came, pose) + self.deal_with(thing)

    def appeal(self, thing: Thing) -> float:
        """Return how much a thing attracts, by its use and by chance."""
        hand, luck = self.env.carrying, self.rng.random()
        if thing.type == "lava":
            return luck - 0.9
        if thing.type == "door" and thing.is_locked:
            if hand is None or hand.type != "key":
                return luck - 1
            return luck + 2 * (hand.color == thing.color)
        if thing.type == "door" and thing.is_open:
            return luck - 0.5
        return luck + (thing.type == "key" and hand is None)

    def deal_with(self, thing: Thing) -> list[int]:
        """Return what to do in front of a thing."""
        if thing.type in ("goal", "lava"):
            return [codes.FORWARD]
        if thing.type == "door":
            through = [codes.TOGGLE, codes.FORWARD, codes.FORWARD]
            return [codes.TOGGLE, *through] if self.rng.random() < 0.3 else through
        if thing.type == "box" and self.rng.random() < 0.7:
            return [codes.TOGGLE]
        free_hand = [codes.RIGHT, codes.RIGHT, codes.DROP, codes.LEFT, codes.LEFT]
        return [*(free_hand if self.env.carrying else []), codes.PICKUP]

    def explore(self) -> tuple[dict, list[tuple[Thing, Pose]]]:
        """Return how each pose was reached (breadth-first), and the things in front of poses."""
        (x, y), way = self.env.agent_pos, self.env.agent_dir
        start = (int(x), int(y), int(way))
        came: dict[Pose, tuple[Pose, int] | None] = {start: None}
        queue, found = collections.deque([start]), {}
        while queue:
            x, y, way = pose = queue.popleft()
            ahead = (x + (way == 0) - (way == 2), y + (way == 1) - (way == 3))
            thing = self.env.grid.get(*ahead)
            if thing is not None and thing.type not in ("wall", "floor"):
                found.setdefault(ahead, (thing, pose))
            moves = [((x, y, (way + 3) % 4), codes.LEFT), ((x, y, (way + 1) % 4), codes.RIGHT)]
            if is_way(thing) and not self.is_edge(ahead):
                moves.append(((*ahead, way), codes.FORWARD))
            for after, action in moves:
                if after not in came:
                    came[after] = (pose, action)
                    queue.append(after)
        return came, list(found.values())


def is_way(thing: Thing | None) -> bool:
    """Tell whether a plan may lead through a cell with this thing."""
    return thing is None or thing.type == "floor" or (thing.type == "door" and thing.is_open)


def trace(came: dict, pose: Pose) -> list[int]:
    """Return the actions that led to `pose`."""
    actions = []
    while (step_before := came[pose]) is not None:
        pose, action = step_before
        actions.append(action)
    return actions[::-1]
