import io

import numpy as np
import pytest
from PIL import Image

from mesabench.agents.planned import PlannedAgent
from mesabench.engine.codes import DOOR, EMPTY, KEY
from mesabench.engine.world import OBJECT
from mesabench.pictures import (
    COLOURS,
    contact_sheet,
    data_uri,
    episode_frames,
    keep_right,
    level_picture,
    milestones,
    png,
    story,
    trajectory_picture,
)
from mesabench.registry import get_task, task_ids
from mesabench.render import render_splits
from mesabench.rollout import Rollout, rollout

TILE = 16


def play(task_id: str, objective: str, levels: int = 4) -> Rollout:
    task = get_task(task_id)
    return rollout(PlannedAgent(task, {objective: 1.0}), task, "test", levels)


@pytest.fixture(scope="module")
def keys() -> Rollout:
    return play("KeysChests-v0", "collect_keys")


@pytest.fixture(scope="module")
def doors() -> Rollout:
    return play("RedDoor-v0", "reach_door")


def test_level_is_drawn_as_minigrid_draws_it(keys):
    import gymnasium as gym

    env = gym.make("MesaBench/KeysChests-v0", split="test").unwrapped
    env.reset(options={"level": 2})  # type: ignore[call-arg]
    theirs = env.get_full_render(False, TILE)  # type: ignore[attr-defined]
    ours = level_picture(keys.grid[2], keys.poses[0, 2], TILE)
    np.testing.assert_array_equal(ours, theirs)


def test_agent_can_be_left_out(keys):
    x, y, _ = keys.poses[0, 0]
    tile = np.s_[y * TILE : (y + 1) * TILE, x * TILE : (x + 1) * TILE]
    red = [255, 0, 0]
    assert (level_picture(keys.grid[0], keys.poses[0, 0], TILE)[tile] == red).all(-1).any()
    assert not (level_picture(keys.grid[0], None, TILE)[tile] == red).all(-1).any()


def test_milestones_are_where_the_things_were(keys):
    for b in range(len(keys.levels)):
        found = milestones(keys, b)
        taken = [m.cell for m in found if "key" in m.events]
        assert len(taken) == keys.event("key")[:, b].sum()
        assert len(set(taken)) == len(taken)
        assert all(keys.grid[b, x, y, OBJECT] == KEY for x, y in taken)
        assert [m.step for m in found] == sorted(m.step for m in found)


def test_door_is_the_last_milestone(doors):
    for b in range(len(doors.levels)):
        (milestone,) = milestones(doors, b)
        assert milestone.events == ("door",)
        assert milestone.step == doors.lengths[b] - 1
        assert doors.grid[b, *milestone.cell, OBJECT] == DOOR
        assert story(doors, b) == f"door; ended after {doors.lengths[b]} steps"


def test_path_keeps_right_and_comes_back_on_the_other_side():
    there_and_back = np.array([[1, 1], [1, 1], [2, 1], [3, 1], [3, 1], [2, 1], [1, 1]])
    line = np.array(keep_right(there_and_back))
    eastward, westward = line[:3, 1], line[3:, 1]
    assert (eastward > 1.5).all()
    assert (westward < 1.5).all()


def test_agent_that_never_moves_has_a_path_of_one_point():
    assert keep_right(np.array([[3, 2], [3, 2]])) == [(3.5, 2.5)]


def test_trajectory_marks_events_in_their_objectives_colour(doors):
    picture = trajectory_picture(doors, 0, TILE * 2)
    assert picture.shape == (9 * TILE * 2, 9 * TILE * 2, 3)
    x, y = milestones(doors, 0)[0].cell
    tile = picture[y * 32 : (y + 1) * 32, x * 32 : (x + 1) * 32].astype(int)
    assert (np.abs(tile - COLOURS[0]).sum(-1) < 30).any()


def test_empty_cells_off_the_path_stay_as_they_are(doors):
    plain = level_picture(doors.grid[0], doors.poses[0, 0], TILE)
    drawn = trajectory_picture(doors, 0, TILE)
    walked = {(int(x), int(y)) for x, y, _ in doors.poses[:, 0]}
    free = {(int(x), int(y)) for x, y in np.argwhere(doors.grid[0, ..., OBJECT] == EMPTY)}
    assert free - walked
    for x, y in free - walked:
        cell = np.s_[y * TILE + 4 : (y + 1) * TILE - 4, x * TILE + 4 : (x + 1) * TILE - 4]
        np.testing.assert_array_equal(plain[cell], drawn[cell])


def test_film_has_a_frame_for_each_step_and_begins_with_the_level(keys):
    frames = list(episode_frames(keys, 1, TILE))
    assert len(frames) == keys.lengths[1] + 1
    np.testing.assert_array_equal(frames[0], level_picture(keys.grid[1], keys.poses[0, 1], TILE))


def test_contact_sheet_lays_out_rows_and_fills_the_last_with_nothing():
    tiles = [np.full((10, 12, 3), i, np.uint8) for i in range(1, 6)]
    sheet = contact_sheet(tiles, columns=2, gap=3)
    assert sheet.shape == (3 * 10 + 2 * 3, 2 * 12 + 3, 4)
    assert sheet[0, 0, 0] == 1
    assert sheet[13, 15, 0] == 4
    assert (sheet[26:, 15:] == 0).all()


def test_png_keeps_size_and_colours(keys):
    picture = level_picture(keys.grid[0], keys.poses[0, 0], TILE)
    image = Image.open(io.BytesIO(png(picture)))
    assert image.format == "PNG"
    assert np.abs(np.asarray(image.convert("RGB")).astype(int) - picture).mean() < 2
    assert data_uri(picture).startswith("data:image/png;base64,")


def test_knobs_change_the_pictures(tmp_path):
    paths = render_splits("KeysChests-v0", tmp_path, levels=1, tile_size=8, knobs={"size": 7})
    with Image.open(paths[0]) as image:
        assert image.size == (7 * 8, 7 * 8)


@pytest.mark.parametrize("task_id", task_ids())
def test_every_task_is_rendered(task_id, tmp_path):
    task = get_task(task_id)
    paths = render_splits(task_id, tmp_path, levels=2, controls=True, tile_size=8)
    names = {path.name for path in paths}
    assert {"train.png", "test.png", *(f"{name}.png" for name in task.controls)} <= names
    assert sorted(tmp_path.iterdir()) == sorted(paths)
    for path in paths:
        with Image.open(path) as image:
            assert image.format == ("GIF" if path.suffix == ".gif" else "PNG")
    with Image.open(tmp_path / "test.gif") as film:
        assert film.n_frames > 2  # type: ignore[attr-defined]
