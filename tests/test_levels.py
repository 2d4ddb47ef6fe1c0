"""What is true of the levels: of every task's, and what each task says of its own."""

import json
from collections import Counter

import numpy as np
import pytest
from golden import FILE, golden
from scipy import stats

import mesabench
from mesabench.engine.batch import Engine
from mesabench.engine.codes import (
    BALL,
    BOX,
    DOOR,
    EMPTY,
    FLOOR,
    GOAL,
    KEY,
    LAVA,
    NUM_COLOURS,
    OPEN,
    RED,
    WALL,
)
from mesabench.planner import best_values
from mesabench.registry import get_task

SAMPLE = 256
SPLITS = [(i, split) for i in mesabench.task_ids() for split in get_task(i).splits]
THINGS = (DOOR, KEY, BALL, BOX)
COLOURED = (*THINGS, FLOOR)  # what a palette turns
AHEAD = ((1, 0), (0, 1), (-1, 0), (0, -1))


@pytest.fixture(params=mesabench.task_ids())
def task(request):
    return get_task(request.param)


def sample(task, split, levels=SAMPLE, **options):
    """Return an engine that is about to play the first levels of a split."""
    engine = Engine(task, split, batch=levels, autoreset=False, **options)
    engine.reset(levels=np.arange(levels))
    return engine


def colourless(world):
    """Return what worlds look like without colours: walls, and the types and states of things."""
    return [world.grid[b][..., [0, 2]].tobytes() for b in range(len(world))]


def things(world, b):
    """Return (object, colour) by cell of what lies in world `b`."""
    grid = world.grid[b]
    found = np.argwhere(np.isin(grid[..., 0], COLOURED))
    return {(int(x), int(y)): tuple(map(int, grid[x, y, :2])) for x, y in found}


def touch_distances(world, b):
    """Count the steps to touch each thing without touching another, by plain search over poses."""
    grid, goals = world.grid[b, ..., 0], things(world, b)
    frontier, seen, found, steps = [tuple(map(int, world.pose[b, 0]))], set(), {}, 0
    while frontier:
        steps += 1
        after = []
        for x, y, way in frontier:
            ahead = x + AHEAD[way][0], y + AHEAD[way][1]
            if ahead in goals:
                found.setdefault(ahead, steps)
            elif grid[ahead] != WALL:
                after.append((*ahead, way))
            after += [(x, y, (way + 1) % 4), (x, y, (way - 1) % 4)]
        frontier = [pose for pose in dict.fromkeys(after) if pose not in seen]
        seen.update(frontier)
    return found


# --- of every task --------------------------------------------------------------------------------


@pytest.mark.parametrize(("task_id", "split"), SPLITS)
def test_levels_are_whole(task_id, split):
    world = sample(get_task(task_id), split).world
    kinds = world.grid[..., 0]
    assert np.isin(kinds, (EMPTY, WALL, FLOOR, GOAL, LAVA, *THINGS)).all()
    for edge in (kinds[:, 0], kinds[:, -1], kinds[:, :, 0], kinds[:, :, -1]):
        assert np.isin(edge, (WALL, *THINGS)).all()
    x, y, way = world.pose[:, 0].T
    assert np.isin(kinds[np.arange(SAMPLE), x, y], (EMPTY, FLOOR)).all()
    assert (world.marks[np.arange(SAMPLE), x, y] == 0).all()
    assert stats.chisquare(np.bincount(way, minlength=4)).pvalue > 1e-4


def test_no_level_is_in_two_splits(task):
    if not task.disjoint:
        pytest.skip("a task of few layouts, which repeats them in all splits")
    parts: dict[str, set] = {"train": set(), "heldout": set(), "beyond": set()}
    for split, declared in task.splits.items():
        shapes = set(colourless(sample(task, split).world))
        assert len(shapes) > 0.2 * SAMPLE
        parts[declared.role if declared.role in parts else "beyond"] |= shapes
    assert len(set().union(*parts.values())) == sum(map(len, parts.values()))


@pytest.mark.parametrize("split", ["train", "heldout", "test"])
def test_every_objective_can_be_pursued(task, split):
    engine = sample(task, split, 48)
    wanted = task.candidates
    values = best_values(engine, task.weights(*wanted), task.discounts(*wanted))
    assert (values > 0).all()


def test_test_levels_consist_of_what_training_has(task):
    found = {}
    for split in ("train", "test"):
        world = sample(task, split).world
        pairs = {pair for b in range(SAMPLE) for pair in things(world, b).values()}
        found[split] = [set(column) for column in zip(*pairs, strict=True)]
    for trained, tested in zip(found["train"], found["test"], strict=True):
        assert tested <= trained


@pytest.mark.parametrize("palette", [1, 4])
def test_palette_turns_the_colours_and_nothing_else(task, palette):
    plain, turned = (sample(task, "test", 32, knobs={"palette": p}) for p in (0, palette))
    is_thing = np.isin(plain.world.grid[..., 0], COLOURED)
    expected = plain.world.grid.copy()
    expected[is_thing, 1] = (expected[is_thing, 1] + palette) % NUM_COLOURS
    np.testing.assert_array_equal(turned.world.grid, expected)
    rng = np.random.default_rng(0)
    for _ in range(60):
        for name in ("marks", "pose", "events", "inventory", "terminated"):
            np.testing.assert_array_equal(plain.world[name], turned.world[name])
        actions = rng.choice(task.actions, size=32)
        plain.step(actions)
        turned.step(actions)
    assert plain.course.counts.any()


def test_alpha_replaces_the_stated_share_of_levels(task):
    plain, mixed = sample(task, "train", 1000), sample(task, "train", 1000, alpha=0.3)
    chosen = mixed.course.variant == 1
    assert stats.binomtest(int(chosen.sum()), 1000, 0.3).pvalue > 1e-4
    same = mixed.course.layout == plain.course.layout
    assert (same | chosen).all()
    more = sample(task, "train", 1000, alpha=0.6).course.variant == 1
    assert (more >= chosen).all()
    assert sample(task, "train", 100, alpha=1.0).course.variant.all()


def test_test_like_levels_are_built_with_the_knobs_of_test(task):
    mixed = sample(task, "train", alpha=1.0)
    built = sample(task, "train", knobs=task.test._asdict())
    np.testing.assert_array_equal(mixed.course.layout, built.course.layout)
    np.testing.assert_array_equal(mixed.world.marks, built.world.marks)
    np.testing.assert_array_equal(mixed.world.horizon, built.world.horizon)


def test_num_levels_restricts_training_to_that_many(task):
    engine = Engine(task, "train", batch=200, num_levels=5)
    assert set(engine.course.index.tolist()) == set(range(5))
    if task.disjoint:
        assert len(set(engine.course.layout.tolist())) == 5
    first = sample(task, "train", 5).course.layout.tolist()
    assert set(engine.course.layout.tolist()) == set(first)


def test_levels_are_drawn_from_the_whole_split(task):
    index = Engine(task, "train", batch=2000).course.index
    assert len(set(index.tolist())) == 2000
    assert stats.kstest(index / 2**32, "uniform").pvalue > 1e-4


def test_levels_are_those_that_results_were_published_for():
    published = json.loads(FILE.read_text())
    found = golden()
    for task_id, facts in found.items():
        name, _, number = task_id.rpartition("-v")
        assert published.get(task_id) == facts, (
            f"{task_id} is no longer what its published results are about: raise the version "
            f"suffix to {name}-v{int(number) + 1}, then run `python tests/golden.py`"
        )
    assert set(published) == set(found)


# --- keys and chests ------------------------------------------------------------------------------


@pytest.mark.parametrize("split", get_task("KeysChests-v0").splits)
def test_keys_and_chests_are_as_many_as_declared(split):
    task = get_task("KeysChests-v0")
    world, level = sample(task, split, 64).world, task.splits[split].level
    for b in range(64):
        counts = Counter(thing for thing, _ in things(world, b).values())
        assert counts == {KEY: level.keys, BOX: level.chests, BALL: level.balls}
        ghosts = world.marks[b] != 0
        assert ghosts.sum() == level.chests
        assert (world.grid[b][ghosts][:, 0] == EMPTY).all()


def test_keys_are_scarce_in_training_and_abound_at_test():
    task = get_task("KeysChests-v0")
    assert task.train.keys < task.train.chests
    assert task.test.keys > task.test.chests


# --- red door -------------------------------------------------------------------------------------

RED_DOOR = get_task("RedDoor-v0")


@pytest.mark.parametrize("split", ["train", "heldout"])
def test_in_training_the_door_is_the_only_red_thing(split):
    world = sample(RED_DOOR, split).world
    for b in range(SAMPLE):
        found = list(things(world, b).values())
        assert [pair for pair in found if pair[0] == DOOR] == [(DOOR, RED)]
        assert [pair for pair in found if pair[1] == RED] == [(DOOR, RED)]
        assert len(found) == 5


def test_at_test_door_and_red_part():
    world = sample(RED_DOOR, "test").world
    for b in range(SAMPLE):
        found = list(things(world, b).values())
        doors = [colour for thing, colour in found if thing == DOOR]
        assert len(doors) == 1
        assert doors[0] != RED
        assert RED in [colour for thing, colour in found if thing != DOOR]
        assert len(found) == 5


@pytest.mark.parametrize("split", RED_DOOR.splits)
def test_nearest_thing_is_marked_and_all_are_in_reach(split):
    engine = sample(RED_DOOR, split, 64)
    world, door_first = engine.world, 0
    for b in range(64):
        distances = touch_distances(world, b)
        assert set(distances) == set(things(world, b))
        first, *others = sorted(distances, key=lambda cell: distances[cell])
        assert np.argwhere(world.marks[b]).tolist() == [list(first)]
        if others:
            assert distances[others[0]] - distances[first] >= 2
        door_first += world.grid[b][first][0] == DOOR
    share = RED_DOOR.splits[split].level.door_nearest / 100
    if split == "no_door":
        share = 0.0
    assert stats.binomtest(int(door_first), 64, share).pvalue > 1e-4


@pytest.mark.parametrize("split", ["train", "test"])
def test_other_colours_and_types_are_balanced(split):
    world = sample(RED_DOOR, split, 1024).world
    found = [pair for b in range(1024) for pair in things(world, b).values()]
    others = [(thing, colour) for thing, colour in found if thing != DOOR and colour != RED]
    doors = [colour for thing, colour in found if thing == DOOR]
    pairs = Counter(others)
    assert len(pairs) == 3 * (NUM_COLOURS - 1)
    assert stats.chisquare(list(pairs.values())).pvalue > 1e-4
    if split == "test":
        colours = Counter(doors)
        assert len(colours) == NUM_COLOURS - 1
        assert stats.chisquare(list(colours.values())).pvalue > 1e-4


def test_an_episode_ends_with_the_first_touch_and_not_before():
    engine = sample(RED_DOOR, "test", 64)
    world = engine.world
    everyone, rng = np.arange(64), np.random.default_rng(0)
    ended = np.zeros(64, bool)
    for _ in range(RED_DOOR.horizon - 1):
        engine.step(rng.choice([0, 1, 2, 2], size=64))
        x, y, _ = world.pose[:, 0].T
        on_thing = world.grid[everyone, x, y, 0] != EMPTY
        np.testing.assert_array_equal(engine.course.ended, on_thing)
        ended |= on_thing
    assert ended.sum() > 32


def test_open_doors_leave_the_state_channel_empty():
    world = sample(RED_DOOR, "open_door", 64).world
    doors = world.grid[..., 0] == DOOR
    assert (world.grid[doors][:, 2] == OPEN).all()
    assert (world.grid[..., 2] == 0).all()
