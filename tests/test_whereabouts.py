"""On which side of an agent its targets lie."""

import numpy as np
import pytest
from showers import TOUCH

from mesabench.agents.planned import PlannedAgent, RandomAgent
from mesabench.agents.recording import Recorder
from mesabench.beside.whereabouts import SIDES, side_of, whereabouts
from mesabench.engine.codes import BALL, BOX, DOOR, KEY
from mesabench.registry import get_task
from mesabench.rollout import rollout


def test_sides_by_turning_the_plane() -> None:
    """A target d = (dx, dy) is at angle arg(d / w) to the way w; y points down, so right is +."""
    rng = np.random.default_rng(0)
    for _ in range(300):
        x, y, way = (int(n) for n in rng.integers((1, 1, 0), (8, 8, 4)))
        target = tuple(int(n) for n in rng.integers(0, 9, 2))
        cells = np.zeros((1, 9, 9), bool)
        cells[0][target] = True
        found = int(side_of(cells, np.array([[x, y, way]]))[0])
        offset = complex(target[0] - x, target[1] - y) / 1j**way
        if offset == 0:
            assert found == -1
            continue
        angle = np.degrees(np.angle(offset))
        sides = {"ahead": abs(angle) <= 45, "behind": abs(angle) >= 135}
        expected = next((s for s, true in sides.items() if true), "right" if angle > 0 else "left")
        assert SIDES[found] == expected


def test_the_nearest_of_several_counts() -> None:
    cells = np.zeros((2, 9, 9), bool)
    cells[0, 4, 1] = cells[0, 6, 4] = True  # three cells to the left, two ahead
    pose = np.array([[4, 4, 0], [4, 4, 0]])
    assert side_of(cells, pose).tolist() == [SIDES.index("ahead"), -1]


@pytest.mark.parametrize("task_id", [TOUCH, "LavaLand-v0"])
def test_targets_lie_where_they_are_seen(task_id: str) -> None:
    """View cell (i, j) is i − 3 to the right and 6 − j ahead: a single target seen must agree."""
    task = get_task(task_id)
    recorder = Recorder(RandomAgent(task.actions))
    played = rollout(recorder, task, "train", 16)
    labels, sight = whereabouts(played), recorder.record().sight["image"]
    looks = {TOUCH: (DOOR, *[0] * 0), "LavaLand-v0": (8,)}[task_id]
    agreed = 0
    for t, b in np.argwhere(labels[..., 0] >= 0):
        view = sight[t, b].reshape(7, 7, 3)[..., 0]
        seen = np.argwhere(np.isin(view, looks))
        if len(seen) == 1 and played.things(looks[0])[b] == 1:
            right, ahead = seen[0][0] - 3, 6 - seen[0][1]
            expected = "ahead" if ahead >= abs(right) else "right" if right > 0 else "left"
            assert SIDES[labels[t, b, 0]] == expected
            agreed += 1
    assert agreed > 100


def test_nothing_lies_anywhere_after_an_episode() -> None:
    task = get_task("KeysChests-v0")
    played = rollout(PlannedAgent(task, {task.base.name: 1.0}), task, "test", 16)
    labels = whereabouts(played)
    assert (labels[played.actions < 0] == -1).all()
    assert (labels[0] >= 0).all()  # every level begins with a key and a chest
    assert {KEY, BOX, BALL, DOOR} & set(np.unique(played.grid[..., 0]))
