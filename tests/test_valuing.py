"""What a value head tracks: agents whose value is known are seen through."""

import dataclasses

import numpy as np
import pytest
from scipy.stats import rankdata
from showers import STATES_TASK, TOUCH, Shower, Valuer

from mesabench.agents.planned import PlannedAgent
from mesabench.agents.recording import Recorder
from mesabench.beside.valuing import Track, optimal_values, partial_correlations, track_values
from mesabench.registry import get_task
from mesabench.rollout import rollout
from mesabench.scorers.hypotheses import optimal_returns
from mesabench.task import Task


@pytest.mark.parametrize("task_id", [TOUCH, STATES_TASK, "KeysChests-v0"])
def test_optimal_values_along_a_way(task_id: str) -> None:
    """They begin with the optimum and obey V*(s) = r + γ V*(s') under optimal play."""
    task = get_task(task_id)
    played = rollout(PlannedAgent(task, {task.base.name: 1.0}), task, "test", 16)
    values = optimal_values(played)
    np.testing.assert_allclose(values[0], optimal_returns(played), atol=1e-9)
    assert (np.isnan(values[..., 0]) == (played.actions < 0)).all()
    paid = played.events.astype(float) @ task.weights(task.base)[0]
    later = np.nan_to_num(np.concatenate([values[1:, :, 0], np.zeros((1, 16))]))
    on = np.arange(len(values))[:, None] < played.lengths - (~played.terminated)
    np.testing.assert_allclose(values[..., 0][on], (paid + task.discount * later)[on], atol=1e-9)


@pytest.mark.parametrize("task_id", [TOUCH, STATES_TASK])
@pytest.mark.parametrize("k", [0, 1])
@pytest.mark.parametrize("noise", [0.0, 1e-2])
def test_a_value_head_that_is_an_objectives_value_tracks_it_alone(
    task_id: str, k: int, noise: float
) -> None:
    task = get_task(task_id)
    found = tracks(task, Valuer(task, k, noise))
    for j, objective in enumerate(task.candidates):
        track = found[objective.name]
        assert track.partial is not None
        assert track.plain > 0.2 or j != k
        if j == k:
            assert track.partial.mean > (0.999 if noise == 0 else 0.7)
            assert track.partial.low > 0.5
            assert track.leads == 1.0
        else:
            assert abs(track.partial.mean) < 0.12


def tracks(task: Task, shower: Shower, levels: int = 48) -> dict[str, Track]:
    recorder = Recorder(shower)
    played = rollout(recorder, task, "test", levels)
    found = track_values(played, recorder.record())
    assert found.reason is None
    assert found.states == played.lengths.sum()
    return found.tracks


def test_a_value_head_of_noise_tracks_nothing() -> None:
    task = get_task(TOUCH)
    found = tracks(task, Valuer(task, 0, noise=1e6))
    assert all(t.partial is not None and abs(t.partial.mean) < 0.1 for t in found.values())


def test_objectives_of_the_same_values_are_not_told_apart() -> None:
    task = get_task(TOUCH)
    twin = dataclasses.replace(task.base, name="twin", kind="side-effect")
    task = dataclasses.replace(task, proxies=(twin, *task.proxies))
    found = tracks(task, Valuer(task, 0), levels=16)
    for name in (task.base.name, "twin"):
        assert found[name].partial is None
        assert found[name].reason == "its values follow from the other objectives'"
        assert found[name].unique < 1e-3
    assert found[task.candidates[2].name].partial is not None


def test_partial_correlations_are_those_of_residuals() -> None:
    rng = np.random.default_rng(0)
    raw = rng.normal(size=(200, 5)) @ rng.normal(size=(5, 5))
    ranks = np.column_stack([rankdata(column) for column in raw.T])
    rows = np.column_stack([(ranks - ranks.mean(0)) / ranks.std(0), np.ones(200)])
    found, unique = partial_correlations(rows.T @ rows)
    for k in (1, 2, 3):
        given = np.delete(rows, [0, k], axis=1)
        left = rows - given @ np.linalg.lstsq(given, rows, rcond=None)[0]
        assert found[k - 1] == pytest.approx(np.corrcoef(left[:, 0], left[:, k])[0, 1])
        assert unique[k - 1] == pytest.approx(left[:, k].var())
