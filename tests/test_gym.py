"""`gym.make`: Gymnasium's and MiniGrid's expectations, for every task and split."""

import json
import os
import subprocess
import sys
import warnings
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from minigrid.core.grid import Grid
from minigrid.manual_control import ManualControl
from minigrid.minigrid_env import MiniGridEnv
from minigrid.wrappers import FullyObsWrapper, ImgObsWrapper, RGBImgPartialObsWrapper

import mesabench
from mesabench.errors import LevelError, MesaBenchError
from mesabench.others import OtherAgent
from mesabench.registry import get_task

os.environ.setdefault("SDL_VIDEODRIVER", "dummy")  # MiniGrid's window, without a screen

SPLITS = [(i, split) for i in mesabench.task_ids(None) for split in get_task(i).splits]
pytestmark = pytest.mark.filterwarnings("error")


def make(task_id, **options) -> Any:
    return gym.make(f"MesaBench/{task_id}", **options)


def play(env, steps, seed=0):
    """Yield what random actions yield, beginning anew where an episode ends."""
    rng = np.random.default_rng(seed)
    obs, info = env.reset(seed=seed)
    yield obs, 0.0, False, info
    for _ in range(steps):
        obs, reward, terminated, truncated, info = env.step(int(rng.integers(env.action_space.n)))
        yield obs, reward, terminated or truncated, info
        if terminated or truncated:
            obs, info = env.reset()
            yield obs, 0.0, False, info


@pytest.fixture(params=mesabench.task_ids(None))
def task_id(request):
    return request.param


@pytest.fixture
def env(task_id):
    return make(task_id)


@pytest.mark.parametrize(("task_id", "split"), SPLITS)
def test_gymnasium_finds_nothing_to_complain_of(task_id, split):
    with warnings.catch_warnings():
        # MiniGrid asks the system for pygame's default font, which not every system has.
        warnings.filterwarnings("ignore", message="The system font")
        check_env(make(task_id, split=split).unwrapped)


def test_observation_is_what_minigrid_shows_of_the_same_grid(env):
    world = env.unwrapped
    for obs, *_ in play(env, 150):
        expected = MiniGridEnv.gen_obs(world)
        np.testing.assert_array_equal(obs["image"], expected["image"])
        assert obs["direction"] == expected["direction"]
        assert obs["mission"] == expected["mission"]
        assert env.observation_space.contains(obs)


def test_grid_is_decoded_from_the_engine(env):
    env.reset(seed=1)
    world = env.unwrapped
    np.testing.assert_array_equal(world.grid.encode(), with_others(world))
    assert world.grid.get(*world.agent_pos) is None
    assert (world.width, world.height) == (world.grid.width, world.grid.height)


def test_fully_observable_wrapper_shows_grid_and_agent(task_id):
    env = FullyObsWrapper(make(task_id))
    obs, _ = env.reset(seed=2)
    world: Any = env.unwrapped
    expected = with_others(world)
    expected[world.agent_pos] = 10, 0, world.agent_dir
    np.testing.assert_array_equal(obs["image"], expected)


def with_others(world):
    """Return the engine's grid with the other agents in it, as an observation shows them."""
    grid = world.engine.world.grid[0].copy()
    for number, (x, y, way) in enumerate(world.engine.world.pose[0].tolist()):
        if number > 0 and x >= 0:
            grid[x, y] = 10, number, way
    return grid


def test_pixels_of_the_partial_view(task_id):
    env = RGBImgPartialObsWrapper(make(task_id), tile_size=8)
    obs, _ = env.reset(seed=3)
    world: Any = env.unwrapped
    image = world.gen_obs()["image"]
    view, _ = Grid.decode(image)
    for x, y in np.argwhere(image[..., 0] == 10).tolist():
        _, number, way = image[x, y].tolist()
        view.set(x, y, OtherAgent(number, way))
    seen = image[..., 0] != 0
    expected = view.render(8, agent_pos=(3, 6), agent_dir=3, highlight_mask=seen)
    np.testing.assert_array_equal(obs["image"], expected)
    assert ImgObsWrapper(env).reset(seed=3)[0].shape == (56, 56, 3)


def test_render_draws_every_cell(task_id):
    env = make(task_id, render_mode="rgb_array", tile_size=16, highlight=False)
    env.reset(seed=4)
    world = env.unwrapped
    expected = world.grid.render(16, world.agent_pos, world.agent_dir)
    np.testing.assert_array_equal(env.render(), expected)
    assert expected.shape == (16 * world.height, 16 * world.width, 3)


def test_every_key_of_the_manual_control_can_be_pressed(task_id, capsys):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The system font")
        env = make(task_id, render_mode="human", screen_size=64)
        control = ManualControl(env, seed=5)
        control.reset(control.seed)
        for key in ("left", "right", "tab", "space", "left shift", "enter", "up"):
            before = env.unwrapped.step_count
            control.key_handler(type("Event", (), {"key": key}))
            used = key in ("left", "right", "up") or (key == "tab" and env.action_space.n > 3)
            if used:
                assert env.unwrapped.step_count in (before + 1, 0)
            else:
                assert env.unwrapped.step_count == before
        env.close()
    assert "pressed" in capsys.readouterr().out


def test_same_seed_same_levels(task_id):
    def levels(seed):
        env = make(task_id)
        env.reset(seed=seed)
        return [(info["level"], info["layout"]) for _, info in (env.reset() for _ in range(8))]

    assert levels(7) == levels(7)
    assert levels(7) != levels(8)


def fingerprint(env):
    """Return what tells a chosen level from others."""
    obs, info = env.reset(options={"level": 123})
    return [info["level"], info["layout"], obs["image"].ravel().tolist()]


@pytest.fixture(scope="module")
def elsewhere():
    """Return the fingerprint of every task's level in another process."""
    code = (
        "import gymnasium as gym, json, mesabench\n"
        "found = {}\n"
        "for task in mesabench.task_ids(None):\n"
        "    env = gym.make(f'MesaBench/{task}')\n"
        "    obs, info = env.reset(options={'level': 123})\n"
        "    found[task] = [info['level'], info['layout'], obs['image'].ravel().tolist()]\n"
        "print(json.dumps(found))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return json.loads(run.stdout)


def test_chosen_level_is_the_same_twice_and_in_another_process(env, task_id, elsewhere):
    first = fingerprint(env)
    env.reset(seed=9)
    assert fingerprint(env) == first
    assert first[0] == f"{task_id}/train/123"
    assert elsewhere[task_id] == first


def test_chosen_level_leaves_the_sequence_alone(env):
    env.reset(seed=3)
    expected = env.reset()[1]["level"]
    env.reset(seed=3)
    env.reset(options={"level": 0})
    assert env.reset()[1]["level"] == expected


def test_info_tells_the_events_and_every_discounted_return(task_id):
    env = make(task_id, split="test")  # where a random walk now and then comes upon something
    task = env.unwrapped.task
    returns, clock = dict.fromkeys(task.objectives, 0.0), 0
    happened = False
    for step, (_, reward, done, info) in enumerate(play(env, 6000)):
        if happened and step > 600:
            break
        assert set(info["events"]) == set(task.events)
        if env.unwrapped.step_count == 0 and not done:
            returns, clock = dict.fromkeys(task.objectives, 0.0), 0
        else:
            for name, objective in task.objectives.items():
                paid = sum(w * info["events"][e] for e, w in objective.weights.items())
                returns[name] += task.discounts(objective)[0] ** clock * paid
            base = task.base.weights.items()
            assert reward == pytest.approx(sum(w * info["events"][e] for e, w in base))
            happened |= any(info["events"].values())
            clock += 1
        assert info["returns"] == pytest.approx(returns)
    assert happened


def test_step_after_the_end_is_refused(env):
    env.reset(seed=0)
    done = False
    while not done:
        _, _, terminated, truncated, _ = env.step(2)
        done = terminated or truncated
    with pytest.raises(MesaBenchError, match=r"over.*reset\(\)"):
        env.step(2)
    env.reset()
    env.step(2)


def test_step_before_reset_is_refused(env):
    with pytest.raises(MesaBenchError, match=r"reset\(\)"):
        env.unwrapped.step(2)


@pytest.mark.parametrize("action", [-1, 7])
def test_actions_out_of_range_are_refused(env, action):
    env.reset(seed=0)
    with pytest.raises(MesaBenchError, match=f"action {action} is not in 0 to "):
        env.step(action)


def test_unknown_reset_option_names_the_known_ones(env):
    with pytest.raises(LevelError, match="unknown reset option 'levle'; choose level or ascii"):
        env.reset(options={"levle": 3})


def test_level_number_out_of_range_is_refused(task_id):
    env = make(task_id, num_levels=10)
    with pytest.raises(LevelError, match="has levels 0 to 9, not 10"):
        env.reset(options={"level": 10})


def test_a_level_is_chosen_in_one_way(env):
    with pytest.raises(LevelError, match="exclude each other"):
        env.reset(options={"level": 0, "ascii": ">0"})
