"""Colour randomisation: one permutation for each episode, and nothing else is changed."""

from typing import Any

import numpy as np
import pytest

import mesabench
from mesabench.baselines.config import TrainConfig
from mesabench.baselines.recolour import COLOURLESS, Recoloured
from mesabench.baselines.train import make_env
from mesabench.engine.codes import GREY, NUM_COLOURS, WALL

WORLDS = 8
TASKS = ("KeysChests-v0", "RedDoor-v0")


@pytest.fixture(params=TASKS)
def task(request):
    return mesabench.get_task(request.param)


def play(task, *, recolour: bool) -> Any:
    """Observations, rewards, ends and infos under actions that do not depend on what is seen."""
    env = make_env(task, TrainConfig(num_envs=WORLDS, recolour=recolour))
    assert isinstance(env, Recoloured) == recolour
    rng = np.random.default_rng(0)
    obs: Any = env.reset()
    yield obs, np.zeros(WORLDS), np.zeros(WORLDS, bool), [{}] * WORLDS
    for _ in range(task.horizon + 50):
        yield env.step(rng.integers(3, size=WORLDS))


def colours(true: np.ndarray, seen: np.ndarray) -> set[tuple[int, int]]:
    """Pairs of a colour and what it is seen as; all else has to be as it is."""
    true, seen = true.reshape(-1, 3), seen.reshape(-1, 3)
    assert (true[:, [0, 2]] == seen[:, [0, 2]]).all()
    plain = np.isin(true[:, 0], COLOURLESS)
    assert (true[plain] == seen[plain]).all()
    return set(zip(true[~plain, 1].tolist(), seen[~plain, 1].tolist(), strict=True))


def test_all_colours_of_an_episode_are_exchanged_by_one_permutation(task):
    pairs: list[set[tuple[int, int]]] = [set() for _ in range(WORLDS)]
    episodes = []
    both = zip(play(task, recolour=False), play(task, recolour=True), strict=True)
    for (true, _, done, infos), (seen, _, _, same) in both:
        for b in range(WORLDS):
            if done[b]:
                last = (i[b]["terminal_observation"]["image"] for i in (infos, same))
                episodes.append(pairs[b] | colours(*last))
                pairs[b] = set()
            pairs[b] |= colours(true["image"][b], seen["image"][b])
    assert len(episodes) >= WORLDS
    for found in episodes:
        before, after = zip(*found, strict=True)
        assert len(set(before)) == len(set(after)) == len(found)
    grey = {after for found in episodes for before, after in found if before == GREY}
    assert len(grey) > 1  # that of walls, which are exchanged like all else


def test_rewards_and_ends_are_what_they_were(task):
    both = zip(play(task, recolour=False), play(task, recolour=True), strict=True)
    paid = 0.0
    for (true, reward, done, _), (seen, same, ends, _) in both:
        assert (reward == same).all()
        assert (done == ends).all()
        assert all((true[key] == seen[key]).all() for key in true if key != "image")
        paid += reward.sum()
    assert paid > 0


def test_each_colour_of_walls_is_as_frequent_as_the_others():
    """Over many episodes no colour can be told by how often it is seen."""
    task = mesabench.get_task("KeysChests-v0")
    env = make_env(task, TrainConfig(num_envs=600, recolour=True))
    obs: Any = env.reset()
    cells = obs["image"].reshape(600, -1, 3)
    shown = [set(world[world[:, 0] == WALL, 1].tolist()) for world in cells]
    assert all(len(found) <= 1 for found in shown)
    counts = np.bincount([c for found in shown for c in found], minlength=NUM_COLOURS)
    expected = counts.sum() / NUM_COLOURS
    assert (abs(counts - expected) < 5 * np.sqrt(expected)).all()
