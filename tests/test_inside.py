"""Looking inside: agents whose value and state are known are seen through, others are not."""

import dataclasses
import json
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from showers import TOUCH, Dreamer, Knower, Mirror, Valuer

from mesabench.agents.planned import RandomAgent
from mesabench.agents.recording import Recorder
from mesabench.beside.inside import Inside, draw_probes, draw_value_head, look_inside
from mesabench.beside.probing import Probe, probe_targets
from mesabench.beside.ridge import Ridge
from mesabench.beside.sampling import STATES, gather, shuffle
from mesabench.files import as_json
from mesabench.registry import get_task
from mesabench.rollout import Rollout, rollout
from mesabench.task import Task

# Probes


def test_ridge_probes_solve_their_equations() -> None:
    rng = np.random.default_rng(0)
    x, other = rng.normal(3, 2, (60, 5)), rng.normal(3, 2, (40, 5))
    labels = rng.integers(0, 3, 60)
    scaled = (x - x.mean(0)) / x.std(0)
    y = np.eye(3)[labels]
    weights = np.linalg.solve(scaled.T @ scaled + 6 * np.eye(5), scaled.T @ (y - y.mean(0)))
    expected = ((other - x.mean(0)) / x.std(0)) @ weights + y.mean(0)
    constant_too = (np.column_stack([part, np.ones(len(part))]) for part in (x, other))
    found = Ridge(*constant_too).predict(labels, 3, 0.1)
    assert (found == expected.argmax(1)).all()


def recorded(shower: Any, task: Task, levels: int = 64) -> tuple[Rollout, Recorder]:
    recorder = Recorder(shower)
    return rollout(recorder, task, "test", levels), recorder


def probed(shower: Any, task: Task) -> Probe:
    played, recorder = recorded(shower, task)
    found = probe_targets(played, recorder.record()).probes[task.base.name]
    assert found is not None
    return found


@pytest.mark.parametrize("task_id", [TOUCH, "KeysChests-v0"])
def test_a_state_that_holds_the_side_is_read(task_id: str) -> None:
    task = get_task(task_id)
    found = probed(Knower(task), task)
    assert found.accuracy.mean > 0.99
    assert found.selectivity.low > 0.2
    assert found.memory.low > 0.0
    assert found.accuracy.mean - found.control.mean == pytest.approx(found.selectivity.mean)
    assert found.both.mean - found.sight.mean == pytest.approx(found.memory.mean)


@pytest.mark.parametrize("task_id", [TOUCH, "KeysChests-v0"])
def test_nothing_is_read_from_noise(task_id: str) -> None:
    found = probed(Dreamer(task := get_task(task_id)), task)
    assert found.selectivity.low <= 0 <= found.selectivity.high
    assert found.memory.mean < 0.02
    assert abs(found.accuracy.mean - found.majority) < 0.15


def test_a_state_that_is_the_view_remembers_nothing() -> None:
    found = probed(Mirror(task := get_task(TOUCH)), task)
    assert found.selectivity.low > 0.05
    assert abs(found.memory.mean) < 0.03


def test_shuffled_labels_are_those_of_other_levels() -> None:
    task = get_task(TOUCH)
    played, recorder = recorded(Dreamer(task), task, 16)
    labels = np.tile(np.arange(16), (len(played.actions), 1))  # every level its own number
    record = recorder.record()
    assert record.state is not None
    sample = gather(record.state, record, labels, played.layouts)
    assert np.bincount(sample.level).max() == STATES
    found = shuffle(sample, np.random.default_rng(0))
    givers = [np.unique(found[sample.level == b]) for b in range(16)]
    assert all(len(giver) == 1 for giver in givers)
    assert sorted(int(giver[0]) for giver in givers) == list(range(16))
    assert all(giver[0] != b for b, giver in enumerate(givers))


def test_levels_that_repeat_are_no_test() -> None:
    task = get_task("DeceptiveToy-v0")  # of few layouts
    played, recorder = recorded(Dreamer(task), task)
    found = probe_targets(played, recorder.record())
    assert set(found.probes.values()) == {None}
    assert "0 levels to test on" in found.reasons[task.base.name]


# The whole


def test_an_agent_that_shows_nothing_is_left_alone() -> None:
    task = get_task(TOUCH)
    found = look_inside(RandomAgent(task.actions), task, levels=16)
    assert (found.value.tracks, found.value.reason) == ({}, "the agent shows no value")
    assert found.probes.reason == "the agent shows neither recurrent state nor features"
    draw(found)


def test_values_that_are_not_finite_are_not_compared() -> None:
    task = get_task(TOUCH)
    found = look_inside(Valuer(task, 0, noise=np.inf), task, levels=16)
    assert found.value.reason == "the agent shows values that are not finite"


def test_what_is_found_inside_can_be_written_and_drawn() -> None:
    task = get_task(TOUCH)
    found = look_inside(Knower(task), task, levels=32)
    text = json.dumps(as_json(dataclasses.asdict(found)), allow_nan=False)
    assert json.loads(text)["probes"]["source"] == "state"
    names = [label.get_text() for label in draw(found)[1].get_yticklabels()]
    assert names == [o.name.replace("_", " ") for o in task.candidates]


def draw(found: Inside) -> Any:
    axes: Any = Figure().subplots(1, 2)
    draw_value_head(axes[0], found.value)
    draw_probes(axes[1], found.probes)
    return axes
