"""Levels as text: what is written can be read, played and shared."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mesabench
from mesabench.engine import codes
from mesabench.engine.ascii import CELLS, Layout, read_level, write_level
from mesabench.engine.batch import Engine
from mesabench.engine.world import MEMORY
from mesabench.errors import LevelError
from mesabench.registry import get_task

FLAGS = ("nearest", "ghost")
LEVEL = """
    ############
    ##>0..Ky..##
    ##..##..01##
    ##Bg..Lr..##
    ############
    01 = Bb (Ky) nearest
"""


@pytest.fixture(params=mesabench.task_ids())
def task(request):
    return get_task(request.param)


@st.composite
def layouts(draw):
    """Any level that the encoding allows, agents on top of things included."""
    width, height = draw(st.integers(1, 6)), draw(st.integers(1, 6))
    shape = width, height
    cells = st.sampled_from(sorted(CELLS.values()))
    grid = np.zeros((*shape, 3), np.uint8)
    inside, marks = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
    packed = st.builds(
        lambda thing, colour: thing * 8 + colour, st.integers(5, 7), st.integers(0, 5)
    )
    for cell in np.ndindex(shape):
        grid[cell] = draw(cells)
        marks[cell] = draw(st.integers(0, 3))
        if grid[cell][0] == codes.BOX:
            inside[cell] = draw(st.just(0) | packed)
    pose = st.tuples(st.integers(0, width - 1), st.integers(0, height - 1), st.integers(0, 3))
    poses = draw(st.lists(pose, min_size=1, max_size=3))
    return Layout(grid, inside, marks, np.array(poses, np.int32), np.zeros(MEMORY, np.int32))


@given(layouts())
@settings(max_examples=150, deadline=None)
def test_what_is_written_is_read(layout):
    found = read_level(write_level(layout, FLAGS), FLAGS)
    for expected, array in zip(layout, found, strict=True):
        np.testing.assert_array_equal(array, expected)


def test_a_level_written_by_hand():
    layout = read_level(LEVEL, FLAGS)
    assert layout.grid.shape == (6, 5, 3)
    assert layout.pose.tolist() == [[1, 1, 0]]
    assert layout.grid[3, 1].tolist() == [codes.KEY, codes.YELLOW, 0]
    assert layout.grid[3, 3].tolist() == [codes.DOOR, codes.RED, codes.LOCKED]
    assert layout.grid[0, 0].tolist() == [codes.WALL, codes.GREY, 0]
    assert layout.grid[2, 1].tolist() == [codes.EMPTY, 0, 0]
    assert layout.grid[4, 2].tolist() == [codes.BOX, codes.BLUE, 0]
    assert layout.inside[4, 2] == codes.KEY * 8 + codes.YELLOW
    assert layout.marks[4, 2] == 1
    assert np.count_nonzero(layout.marks) == 1


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("Bg", "Bz", r"cell 1, 3: unknown thing 'Bz'"),
        (">0", "..", r"agents 0, 1, …, each once; this one has \[\]"),
        ("Bg", "v0", r"this one has \[0, 0\]"),
        ("##..##..01##", "##..##..01", r"row 2 has 10 characters, not 12"),
        ("01 = ", "02 = ", r"cell 4, 2: the legend has no line '01 = …'"),
        ("01 = ", "x1 = ", r"two digits first"),
        (" nearest", " nearst", r"legend 01: unknown flag 'nearst'.*did you mean 'nearest'"),
        ("(Ky)", "(K)", r"legend 01: unknown thing 'K'"),
    ],
)
def test_errors_say_where_and_what(old, new, message):
    with pytest.raises(LevelError, match=message):
        read_level(LEVEL.replace(old, new), FLAGS)


def test_cell_without_text_is_refused():
    layout = read_level(LEVEL, FLAGS)
    layout.grid[1, 1] = codes.KEY, codes.RED, 1
    with pytest.raises(LevelError, match=r"no text stands for .*\(5, 0, 1\)"):
        write_level(layout, FLAGS)


def test_generated_levels_play_on_the_same_as_text(task):
    batch = 4
    for split in task.splits:
        first, second = (Engine(task, split, batch=batch, autoreset=False) for _ in range(2))
        first.reset(levels=np.arange(batch))
        for b in range(batch):
            second.load(b, first.draw(b))
        np.testing.assert_array_equal(first.course.layout, second.course.layout)
        rng = np.random.default_rng(0)
        for _ in range(40):
            for name in ("grid", "marks", "pose", "inventory", "image", "events", "terminated"):
                np.testing.assert_array_equal(first.world[name], second.world[name])
            actions = rng.integers(task.actions, size=batch)
            first.step(actions)
            second.step(actions)


def make(task_id) -> Any:
    return gym.make(f"MesaBench/{task_id}")


def test_environment_plays_a_level_from_text(task):
    env = make(task.id)
    env.reset(seed=3)
    text = str(env.unwrapped)
    obs, info = env.reset(seed=3)
    again, custom = env.reset(options={"ascii": text})
    np.testing.assert_array_equal(obs["image"], again["image"])
    assert custom["layout"] == info["layout"]
    assert custom["level"] == f"{task.id}/train/custom"
    env.reset(seed=3)
    expected = env.reset()[1]["level"]
    env.reset(seed=3)
    env.reset(options={"ascii": text})
    assert env.reset()[1]["level"] == expected


def test_small_level_is_walled_in_and_its_rules_hold():
    env = make("KeysChests-v0")
    env.reset(options={"ascii": "##########\n##>0KyBg##\n##########"})
    grid = env.unwrapped.engine.world.grid[0]
    assert (grid[5:, :, 0] == codes.WALL).all()
    assert (grid[:, 3:, 0] == codes.WALL).all()
    *_, info = env.step(codes.FORWARD)
    assert info["events"]["key"] == 1
    _, reward, terminated, _, info = env.step(codes.FORWARD)
    assert (reward, terminated) == (1.0, True)
    assert info["returns"]["open_chests"] == pytest.approx(env.unwrapped.task.discount)


def test_level_that_does_not_fit_is_refused():
    env = make("RedDoor-v0")
    with pytest.raises(LevelError, match="11 × 1 cells, the world 9 × 9"):
        env.reset(options={"ascii": ">0" + ".." * 10})
    with pytest.raises(LevelError, match="has 1 agents, the level 2"):
        env.reset(options={"ascii": ">0..<1"})


def test_batch_goes_on_with_its_own_levels_after_a_loaded_one():
    task = get_task("RedDoor-v0")
    engine = Engine(task, batch=2, seed=1)
    engine.load(1, ">0Dr")
    engine.step([0, codes.FORWARD])
    assert engine.world.terminated.tolist() == [False, True]
    assert engine.level_name(1, last=True) == "RedDoor-v0/train/custom"
    assert engine.course.index[1] < engine.num_levels
    assert engine.world.clock[1] == 0
