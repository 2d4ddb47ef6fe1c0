"""Settings that no training could have are refused before anything is trained, by their names."""

from dataclasses import fields, replace
from typing import Any, get_args, get_type_hints

import pytest

import mesabench
from mesabench.baselines.algorithms import ALGORITHMS, get_algorithm
from mesabench.baselines.config import Settings, TrainConfig
from mesabench.baselines.limits import LIMITS, POSITIVE
from mesabench.baselines.train import build_model
from mesabench.errors import MesaBenchError

TASK = mesabench.get_task("DeceptiveToy-v0")


def numbers(usual: Settings) -> list[str]:
    """Return the names of the settings that are numbers, or may be."""
    hints = get_type_hints(type(usual))
    kinds = {name: get_args(hint) or (hint,) for name, hint in hints.items()}
    return [f.name for f in fields(usual) if {int, float} & {*kinds[f.name]}]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_number_has_its_limits(algorithm: str) -> None:
    usual: Settings = get_algorithm(algorithm).Args()
    for name in numbers(usual):
        low, high = LIMITS[name]
        for value in (low, high) if high <= 1 else (max(low, 1),):
            kept = replace(usual, **{name: value})
            assert getattr(kept, name) == value
        refused: list[Any] = [low - 1, -7, float("nan"), float("inf")]
        refused += [0] if name in POSITIVE else []
        refused += [high + 1] if high < float("inf") else []
        for value in refused:
            with pytest.raises(MesaBenchError, match=f"setting {name} is .*, not "):
                replace(usual, **{name: value})


def test_a_discount_of_zero_is_one() -> None:
    """And not the task's."""
    config = TrainConfig(num_envs=2, rollout=8, minibatches=2, lstm=4, hidden=4, discount=0.0)
    assert build_model(TASK, config).gamma == 0.0  # type: ignore[attr-defined]


@pytest.mark.parametrize(("minibatches", "rollout"), [(128, 1), (1000, 8), (4, 5)])
def test_minibatches_have_two_samples_or_more(minibatches: int, rollout: int) -> None:
    """One sample has no standard deviation: stock RecurrentPPO would divide by NaN."""
    config = TrainConfig(num_envs=2, rollout=rollout, minibatches=minibatches, lstm=4, hidden=4)
    with pytest.raises(MesaBenchError, match=f"do not make {minibatches} minibatches"):
        build_model(TASK, config)


def test_there_are_as_many_minibatches_as_are_asked_for() -> None:
    config = TrainConfig(num_envs=8, rollout=8, minibatches=7, lstm=4, hidden=4, steps=64)
    model: Any = build_model(TASK, config)
    model.learn(64)
    sizes = [len(batch.actions) for batch in model.rollout_buffer.get(model.batch_size)]
    assert sizes == [10, 10, 10, 10, 10, 10, 4]
