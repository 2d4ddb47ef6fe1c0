"""The planner inside the planner head finds shortest paths, as far as its iterations reach."""

from typing import Any

import numpy as np
import torch as th

import mesabench
from mesabench.baselines.algorithms.planner_head import Args, ValueIteration
from mesabench.baselines.train import build_model

MAP = """
.......
.#####.
.#G..#.
.###.#.
...#.#.
##.#...
...####
"""


def test_value_iteration_finds_the_shortest_paths_round_walls():
    """V = γ^d (1 − γ^(K−d)) at d steps from a goal that pays 1 − γ at each step on it."""
    rows = [list(row) for row in MAP.split()]
    kinds, gamma, iterations = np.array(rows), 0.9, 40
    planner = ValueIteration(iterations, 5, discount=gamma)
    with th.no_grad():
        planner.logits.mul_(1e4)  # each move reaches its target for certain
    reward = np.select([kinds == "#", kinds == "G"], [-1.0, 1.0 - gamma], 0.0)
    values, choices = planner(th.tensor(reward, dtype=th.float32)[None, None])
    distances = breadth_first(kinds)
    wanted = gamma**distances * (1 - gamma ** (iterations - distances))
    inside = distances < iterations
    assert distances[inside].max() == 28
    found = values.detach().numpy()[0, 0]
    assert np.allclose(found[inside], wanted[inside], atol=1e-6)
    assert found[kinds == "#"].max() < 0
    assert th.equal(choices.amax(dim=1, keepdim=True), values)


def breadth_first(kinds: np.ndarray) -> np.ndarray:
    """Steps to the goal from each open cell; 99 from walls and closed-off cells."""
    distances = np.full(kinds.shape, 99)
    (start,) = np.argwhere(kinds == "G")
    queue = [(*start.tolist(), 0)]
    for x, y, steps in queue:
        inside = 0 <= x < len(kinds) and 0 <= y < len(kinds)
        if not inside or kinds[x, y] == "#" or distances[x, y] <= steps:
            continue
        distances[x, y] = steps
        queue += [(x + 1, y, steps + 1), (x - 1, y, steps + 1)]
        queue += [(x, y + 1, steps + 1), (x, y - 1, steps + 1)]
    return distances


def test_the_planner_sees_what_is_ahead_of_the_agent():
    """A reward on a cell moves the planner's features if and only if it is near enough."""
    for iterations, reaches in ((3, False), (7, True)):
        model = build_model(mesabench.get_task("RedDoor-v0"), Args(num_envs=4))
        planner: Any = model.policy.features_extractor
        planner.plan.iterations = iterations
        reward = th.zeros(1, 1, 7, 7)
        before = planner.plan(reward)[1][0, :, 3, 6]
        reward[0, 0, 3, 0] = 1.0  # straight ahead, six cells away
        after = planner.plan(reward)[1][0, :, 3, 6]
        assert th.equal(before, after) != reaches
