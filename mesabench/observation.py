"""What an agent is given: MiniGrid's dict, and what a task makes observable beside it."""

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from mesabench.engine.batch import Engine
from mesabench.engine.codes import NUM_OBJECTS, VIEW
from mesabench.engine.world import DIR
from mesabench.task import Task
from mesabench.trials import LAST_ACTION, LAST_REWARD, REWARD_UNIT

Observation = dict[str, NDArray]
MAX_ITEMS = 255.0


def observation_spaces(task: Task) -> dict[str, spaces.Space]:
    """Return the space of every array that a task's agent observes (the mission apart).

    ``image`` uint8 [7, 7, 3] MiniGrid's codes, at most 10, so that no library takes them for
    pixels; ``direction`` 0 to 3; ``inventory`` float32 [K], where the task has K kinds of items;
    and float32 [1] under the name of every gauge of the task. Learners observe ``last_action``
    (an integer, the number of actions where there was none) and ``last_reward``.
    """
    found: dict[str, spaces.Space] = {
        "image": spaces.Box(0, NUM_OBJECTS - 1, (VIEW, VIEW, 3), np.uint8),
        "direction": spaces.Discrete(4),
    }
    if task.items:
        found["inventory"] = spaces.Box(0.0, MAX_ITEMS, (len(task.items),), np.float32)
    for name in task.gauges:
        box = spaces.Box(-MAX_ITEMS, MAX_ITEMS, (1,), np.float32)
        found[name] = spaces.Discrete(task.actions + 1) if name == LAST_ACTION else box
    return found


def observation_space(task: Task) -> spaces.Dict:
    """Return `observation_spaces` as one space."""
    return spaces.Dict(observation_spaces(task))


def observe_batch(engine: Engine, agent: int = 0) -> Observation:
    """Return copies of what an agent (the first one) of each world sees, batch axis first."""
    world = engine.world
    return _collect(engine, agent, world.image, world.pose, world.inventory, world.gauges)


def observe_last(engine: Engine, agent: int = 0) -> Observation:
    """Return what was seen at the end of each world's last episode, batch axis first."""
    course, image = engine.course, engine.world.final_image
    kept = course.last_pose, course.last_inventory, course.last_gauges
    return _collect(engine, agent, image, *kept)


def _collect(
    engine: Engine,
    agent: int,
    image: NDArray,
    pose: NDArray,
    inventory: NDArray,
    gauges: NDArray,
) -> Observation:
    obs: Observation = {
        "image": image[:, agent].copy(),
        "direction": pose[:, agent, DIR].astype(np.int64),
    }
    if engine.task.items:
        obs["inventory"] = inventory[:, agent, : len(engine.task.items)].astype(np.float32)
    for i, name in enumerate(engine.task.gauges):
        obs[name] = read_gauge(name, gauges[:, agent, i])
    return obs


def read_gauge(name: str, values: NDArray[np.int32]) -> NDArray:
    """Return a gauge's values [B] as observed: float32 [B, 1], but int64 [B] for actions."""
    if name == LAST_ACTION:
        return values.astype(np.int64)
    unit = REWARD_UNIT if name == LAST_REWARD else 1.0
    return (values[:, None] * unit).astype(np.float32)
