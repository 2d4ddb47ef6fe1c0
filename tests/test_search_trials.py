"""What a search tries, and what it looks at while a trial is trained."""

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import pytest
import torch

from mesabench.adaptivity.references import BAYES, RANDOM, references_for
from mesabench.agents.planned import PlannedAgent, RandomAgent
from mesabench.baselines import trying
from mesabench.baselines.algorithms import ALGORITHMS, get_algorithm
from mesabench.baselines.config import Settings, TrainConfig
from mesabench.baselines.search_space import SPACE, rounded, space_of
from mesabench.baselines.train import build_model
from mesabench.baselines.trying import Diverged, Stopped, reached
from mesabench.baselines.yardstick import FIRST, Yardstick
from mesabench.evaluation import LEVELS
from mesabench.registry import get_task


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_what_is_searched_are_settings_and_holds_the_usual_ones(algorithm: str) -> None:
    usual: Settings = get_algorithm(algorithm).Args()
    space = space_of(usual)
    assert {*space} <= {field.name for field in fields(usual)}
    assert "learning_rate" in space
    assert "seed" not in SPACE
    for name, where in space.items():
        assert where._contains(where.to_internal_repr(getattr(usual, name)))


def test_numbers_are_tried_as_they_are_written_down() -> None:
    assert rounded({"learning_rate": 0.00123456, "rollout": 64}) == {
        "learning_rate": 0.00123,
        "rollout": 64,
    }


@pytest.mark.parametrize("task_id", ["RedDoor-v0", "DeceptiveToy-v0"])
def test_the_yardstick_runs_from_random_to_planned(task_id: str) -> None:
    task = get_task(task_id)
    yardstick = Yardstick(task, 64)
    assert yardstick.share(PlannedAgent(task, {task.base.name: 1.0})) == pytest.approx(1)
    assert yardstick.share(RandomAgent(task.actions, 0)) == pytest.approx(0)
    assert abs(yardstick.share(RandomAgent(task.actions, 1))) < 0.2


def test_the_yardstick_of_a_learning_task_runs_from_random_to_bayes() -> None:
    task = get_task("Bandit-v0")
    yardstick, others = Yardstick(task, 64), references_for(task, "heldout", 0)
    assert yardstick.share(others[BAYES]()) == pytest.approx(1)
    assert yardstick.share(others[RANDOM]()) == pytest.approx(0)


def test_a_search_sees_held_out_levels_that_no_evaluation_reports() -> None:
    yardstick = Yardstick(get_task("RedDoor-v0"), 8)
    assert min(yardstick.levels) >= FIRST > LEVELS


@pytest.mark.parametrize("algorithm", ["recurrent-ppo", "qrdqn"])
def test_a_trial_is_looked_at_along_the_way_and_stopped_where_it_is_not_promising(
    algorithm: str, monkeypatch
) -> None:
    task, looks, models = get_task("DeceptiveToy-v0"), list[int](), list[Any]()
    build = trying.build_model
    monkeypatch.setattr(
        trying, "build_model", lambda *given: models.append(build(*given)) or models[-1]
    )
    config = get_algorithm(algorithm).Args(steps=640, num_envs=8, hidden=8, threads=1)
    if isinstance(config, TrainConfig):
        config = replace(config, rollout=16, lstm=8)
    yardstick = Yardstick(task, 8, **config.knobs(task.id))
    share = reached(task, config, yardstick, lambda look, share: not looks.append(look))
    assert -1 < share <= 1
    assert looks == [1, 2, 3, 4, 5]
    with pytest.raises(Stopped):
        reached(task, config, yardstick, lambda look, share: look < 2)
    whole, cut = models
    assert cut.num_timesteps <= whole.num_timesteps / 2


def test_only_networks_that_break_diverge(monkeypatch) -> None:
    task, config = get_task("DeceptiveToy-v0"), TrainConfig(steps=64, num_envs=8, rollout=8, lstm=8)

    def spoiled(value: float) -> Callable[..., Any]:
        def build(*given) -> Any:
            model = build_model(*given)
            with torch.no_grad():
                next(model.policy.parameters()).fill_(value)
            return model

        return build

    monkeypatch.setattr(trying, "build_model", spoiled(float("nan")))
    with pytest.raises(Diverged):
        reached(task, config, Yardstick(task, 8), lambda *_: True)
    monkeypatch.setattr(trying, "build_model", spoiled(0.0))
    monkeypatch.setattr(trying, "schedules", lambda config: int("a fault of ours"))
    with pytest.raises(ValueError, match="a fault of ours"):
        reached(task, config, Yardstick(task, 8), lambda *_: True)
