"""The engine against the real `minigrid`: the same levels, the same actions, step by step."""

import collections
import functools
import itertools
from typing import Any, NamedTuple

import gymnasium as gym
import minigrid_peer as peer
import numpy as np
import pytest
from gymnasium.error import DependencyNotInstalled
from minigrid.core import constants
from minigrid.core.actions import Actions
from minigrid.minigrid_env import MiniGridEnv

from mesabench.engine import codes
from mesabench.engine.layout import step_x, step_y
from mesabench.engine.world import World, allocate, plain_rules

SEEDS, STEPS = 20, 60  # of an environment whose whole episodes are compared
WORLD_SEEDS, WORLD_STEPS = 4, 40  # of one whose mission is left out
EARLY = 30  # horizon of every fourth level, so that episodes are truncated too

IDS = sorted(i for i, spec in gym.registry.items() if "minigrid" in str(spec.entry_point))

# Why the mission of an environment is no rule of the engine, by prefix of its id. What its world
# does is compared all the same, under MiniGrid's own step.
LEFT_OUT = {
    "MiniGrid-Dynamic-Obstacles": "obstacles move by draws from the environment's own generator",
    "MiniGrid-GoTo": "ends by the action `done` beside the target",
    "MiniGrid-Memory": "ends on two empty cells; rules end an episode by thing, not by place",
    "MiniGrid-PutNear": "ends by a drop; rules know touching, picking up and opening",
    "MiniGrid-RedBlueDoors": "pays by the order in which two doors were opened",
    "MiniGrid-WFC": "cannot be made: minigrid's wheel lacks the pattern images",
    "BabyAI-ActionObjDoor": "some levels are missions to face a thing",
    "BabyAI-BossLevel": "sequences of instructions",
    "BabyAI-GoTo": "ends as soon as the agent faces the target",
    "BabyAI-MiniBossLevel": "sequences of instructions",
    "BabyAI-MoveTwoAcross": "sequences of instructions",
    "BabyAI-OpenDoorDebug": "fails when another door is toggled, even to no effect",
    "BabyAI-OpenDoorsOrder": "sequences of instructions",
    "BabyAI-OpenRedBlueDoors": "sequences of instructions",
    "BabyAI-OpenTwoDoors": "sequences of instructions",
    "BabyAI-PutNext": "ends by a drop; rules know touching, picking up and opening",
    "BabyAI-Synth": "some levels are missions to face a thing, or to drop one",
}

# How often each interaction must have occurred for the comparison to mean something.
AT_LEAST = {
    "pick up key": 100,
    "pick up ball": 100,
    "pick up box": 50,
    "drop key": 50,
    "drop ball": 50,
    "drop box": 20,
    "open door": 100,
    "close door": 50,
    "unlock door": 50,
    "try wrong key": 20,
    "open empty box": 20,
    "open full box": 10,
    "reach goal": 50,
    "enter lava": 20,
    "succeed": 100,
    "run out of time": 100,
}

DOORS = {
    (codes.CLOSED, codes.OPEN): "open door",
    (codes.OPEN, codes.CLOSED): "close door",
    (codes.LOCKED, codes.OPEN): "unlock door",
}

# A deprecated version is compared like any other.
pytestmark = pytest.mark.filterwarnings("ignore:.*out of date:DeprecationWarning")


def reason(env_id: str) -> str | None:
    """Return why the mission of an environment is left out, None where it is compared."""
    return next((why for prefix, why in LEFT_OUT.items() if env_id.startswith(prefix)), None)


WHOLE = [i for i in IDS if reason(i) is None]
WORLD_ONLY = [i for i in IDS if reason(i) is not None]


class Glance(NamedTuple):
    """What an interaction can change: the cell ahead and the hand."""

    thing: Any
    state: int
    carrying: Any


class Outcome(NamedTuple):
    """What playing an environment in both came to."""

    differences: list[str]
    interactions: collections.Counter[str]
    levels: int
    steps: int


@functools.cache
def compare(env_id: str) -> Outcome:
    """Play levels of an environment in both and compare everything after every step."""
    whole = reason(env_id) is None
    envs, world, rules = start(env_id, whole=whole)
    rng = np.random.default_rng(0)
    players = [(peer.Tourist, peer.Walker)[b % 2](env, rng) for b, env in enumerate(envs)]
    differences, interactions, steps = [], collections.Counter(), 0
    live = list(range(len(envs)))  # levels whose episodes go on
    for t in range(STEPS if whole else WORLD_STEPS):
        actions = np.full((len(envs), 1), peer.IDLE)
        for b in live:
            actions[b] = players[b].act()
        peer.play(world, actions, rules)
        steps += len(live)
        for b in list(live):
            result, names = follow(envs[b], actions[b, 0], whole=whole)
            interactions.update(names)
            found = differ(envs[b], world, b, result)
            differences += [f"{env_id}, level {b}, step {t}: {each}" for each in found]
            if found or result[2] or result[3]:
                live.remove(b)
    for b, env in enumerate(envs):
        if not np.array_equal(world.grid[b, : env.width, : env.height], env.grid.encode()):
            differences.append(f"{env_id}, level {b}: the grid at the end")
    return Outcome(differences, interactions, len(envs), steps)


def start(env_id: str, *, whole: bool) -> tuple[list[Any], World, np.ndarray]:
    """Return levels of an environment, each of them also as a world, and its rules."""
    envs, missions, seed = [], [], 0
    while len(envs) < (SEEDS if whole else WORLD_SEEDS):
        env = peer.make(env_id, seed)
        seed += 1
        mission = peer.read_mission(env) if whole else None
        if not peer.is_tellable(env, mission):
            assert seed < 2 * SEEDS, f"{env_id}: too few levels with a mission that rules can say"
            continue
        if len(envs) % 4 == 0:
            env.max_steps = min(env.max_steps, EARLY)
        envs.append(env)
        missions.append(mission)
    return envs, *peer.load(envs, missions)


def follow(env: Any, action: int, *, whole: bool) -> tuple[tuple, list[str]]:
    """Play an action in MiniGrid; return the step's result and what interactions it was."""
    before = glance(env)
    result = (type(env) if whole else MiniGridEnv).step(env, action)
    return result, interpret(before, action, glance(env), result)


def glance(env: Any) -> Glance:
    """Return what the next action can change."""
    thing = env.grid.get(*env.front_pos)
    return Glance(thing, thing.encode()[2] if thing else 0, env.carrying)


def interpret(before: Glance, action: int, after: Glance, result: tuple) -> list[str]:
    """Return the names of the interactions that a step was."""
    _, reward, terminated, truncated, _ = result
    names = ["succeed"] if reward > 0 else []
    if truncated:
        names.append("run out of time")
    thing, hand = before.thing, before.carrying or after.carrying
    if before.carrying is not after.carrying:
        names.append(("drop " if before.carrying else "pick up ") + hand.type)
    elif action == codes.FORWARD and terminated and thing is not None:
        names.append({"goal": "reach goal", "lava": "enter lava"}[thing.type])
    elif action == codes.TOGGLE and thing is not None and thing.type == "box":
        names.append("open full box" if thing.contains else "open empty box")
    elif action == codes.TOGGLE and thing is not None and thing.type == "door":
        wrong_key = hand is not None and hand.type == "key" and hand.color != thing.color
        names.append(DOORS.get((before.state, after.state), "try wrong key" if wrong_key else "-"))
    return names


def differ(env: Any, world: World, b: int, result: tuple) -> list[str]:
    """Return in what world `b` is not as the environment is after a step with this result."""
    obs, reward, terminated, truncated, _ = result
    paid = world.events[b, 0, peer.SUCCESS] > 0
    pairs = {
        "image": (world.image[b, 0], obs["image"]),
        "direction": (world.pose[b, 0, 2], obs["direction"]),
        "position": (world.pose[b, 0, :2], env.agent_pos),
        "carrying": (world.carrying[b, 0], peer.hold(env.carrying)),
        "reward": (1 - 0.9 * (int(world.clock[b]) / env.max_steps) if paid else 0, reward),
        "terminated": (world.terminated[b], terminated),
        "truncated": (world.truncated[b], truncated),
    }
    return [
        f"{name} is {ours}, not {theirs}"
        for name, (ours, theirs) in pairs.items()
        if not np.array_equal(ours, theirs)
    ]


@pytest.mark.parametrize("env_id", WHOLE)
def test_whole_episodes_agree(env_id):
    outcome = compare(env_id)
    assert not outcome.differences, "\n".join(outcome.differences[:5])
    assert outcome.levels >= 20


@pytest.mark.parametrize("env_id", WORLD_ONLY)
def test_worlds_agree_where_the_mission_is_left_out(env_id):
    try:
        outcome = compare(env_id)
    except (FileNotFoundError, DependencyNotInstalled):  # the images, or what reads them
        pytest.skip(LEFT_OUT["MiniGrid-WFC"])
    assert not outcome.differences, "\n".join(outcome.differences[:5])


def test_every_environment_is_compared_or_left_out_for_a_reason():
    left_out = {prefix: [i for i in IDS if i.startswith(prefix)] for prefix in LEFT_OUT}
    print(f"\n{len(WHOLE)} of {len(IDS)} environments are compared in whole episodes:")
    print(*WHOLE, sep="\n")
    for prefix, ids in left_out.items():
        print(f"{prefix}* ({len(ids)}): {LEFT_OUT[prefix]}")
    assert len(WHOLE) >= 25
    assert sorted([*WHOLE, *itertools.chain(*left_out.values())]) == IDS
    assert all(left_out.values())


def test_interactions_occurred():
    total = sum((compare(i).interactions for i in WHOLE), collections.Counter())
    print(f"\n{sum(compare(i).steps for i in WHOLE)} steps;", dict(total))
    assert {name: n for name, n in AT_LEAST.items() if total[name] < n} == {}


def test_codes_are_those_of_minigrid():
    assert dict(zip(codes.OBJECTS, range(20), strict=False)) == constants.OBJECT_TO_IDX
    assert dict(zip(codes.COLOURS, range(20), strict=False)) == constants.COLOR_TO_IDX
    assert dict(zip(codes.ACTIONS, range(20), strict=False)) == {a.name: a.value for a in Actions}
    assert constants.STATE_TO_IDX == {
        "open": codes.OPEN,
        "closed": codes.CLOSED,
        "locked": codes.LOCKED,
    }
    for name in codes.OBJECTS:
        assert getattr(codes, name.upper()) == constants.OBJECT_TO_IDX[name]
    for name in codes.COLOURS:
        assert getattr(codes, name.upper()) == constants.COLOR_TO_IDX[name]
    for way, (dx, dy) in enumerate(constants.DIR_TO_VEC):
        assert (step_x(way), step_y(way)) == (dx, dy)


@pytest.mark.parametrize("see_through", [False, True])
@pytest.mark.parametrize("shape", [(3, 4), (12, 9)])
def test_views_agree_on_random_grids(shape, see_through):
    rng = np.random.default_rng(shape)
    env = peer.make("MiniGrid-Empty-5x5-v0")
    env.see_through_walls = see_through
    world = allocate(300, *shape, agents=2, items=2, events=4)
    rules = peer.repeat(plain_rules(), len(world))
    rules.see_through = see_through
    images, marks = [], []
    for b in range(len(world)):
        world.grid[b] = peer.fill_at_random(env, shape, rng)
        world.pose[b, 0] = (*env.agent_pos, env.agent_dir)
        world.pose[b, 1] = (*rng.integers(shape), rng.integers(4))
        images.append(draw_other(env, world.pose[b, 1]))
        marks.append(seen_cells(env))
    seen = np.zeros((len(world), *shape), np.bool_)
    peer.look(world, rules, seen)
    np.testing.assert_array_equal(world.image[:, 0], images)
    np.testing.assert_array_equal(seen, marks)


def draw_other(env: Any, pose: np.ndarray) -> np.ndarray:
    """Return MiniGrid's view with another agent, the one of number 1, in it."""
    image = env.gen_obs()["image"]
    cell = env.relative_coords(int(pose[0]), int(pose[1]))
    if cell is not None and cell != (3, 6) and image[cell][0] != codes.UNSEEN:
        image[cell] = (codes.AGENT, 1, pose[2])
    return image


def seen_cells(env: Any) -> np.ndarray:
    """Return which cells [W, H] of the grid MiniGrid's agent sees."""
    _, mask = env.gen_obs_grid()
    views = [[env.relative_coords(x, y) for y in range(env.height)] for x in range(env.width)]
    return np.array([[cell is not None and mask[cell] for cell in column] for column in views])
