"""Event weights: recovered from planned agents, exact where claimed, open where they must be."""

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from mesabench.agents.kinds import Agent
from mesabench.agents.planned import PlannedAgent, RandomAgent
from mesabench.beside.event_values import (
    EventValues,
    Paid,
    first_supports,
    list_paid,
    signs,
    view_states,
)
from mesabench.beside.fitting import ends, search
from mesabench.beside.identify import identify
from mesabench.beside.plots import draw_weights
from mesabench.beside.weights import Weights, fit_weights, prepare
from mesabench.errors import TaskError
from mesabench.registry import get_task
from mesabench.rollout import Rollout, rollout
from mesabench.scorers.evidence import Evidence
from mesabench.scorers.hypotheses import mix_candidates
from mesabench.scorers.watching import watch

LEVELS = 24
TASKS = ("RedDoor-v0", "CheeseDish-v0", "KeysChests-v0")
OBJECTIVES = [(t, o.name) for t in TASKS for o in get_task(t).candidates]


def watched(agent: Agent, task_id: str, levels: int = LEVELS) -> tuple[Rollout, Evidence]:
    task = get_task(task_id)
    played = rollout(agent, task, "test", levels)
    return played, watch(played, mix_candidates(task, np.ones(len(task.candidates))), [])


def planned(task_id: str, **weights: float) -> tuple[Rollout, Evidence]:
    return watched(PlannedAgent(get_task(task_id), weights), task_id)


def by_event(found: Weights) -> dict[str, float | None]:
    return {w.event: w.weight for w in found.weights}


@pytest.mark.parametrize(("task_id", "objective"), OBJECTIVES)
def test_a_planned_agent_gets_the_weights_it_was_planned_for(task_id: str, objective: str) -> None:
    found = fit_weights(*planned(task_id, **{objective: 1.0}))
    (event,) = get_task(task_id).objective(objective).weights
    (weight,) = (w for w in found.weights if w.event == event)
    assert weight.weight is not None
    assert weight.weight > 0.8
    assert weight.identified
    for part in found.weights:
        if part.low is not None and part.high is not None:
            assert part.low - 0.02 <= (part.event == event) <= part.high + 0.02
    assert found.objectives[objective] == max(found.objectives.values())
    assert found.objectives[objective] > -2
    assert sum(w.weight or 0.0 for w in found.weights) == pytest.approx(1.0)
    assert found.log_likelihood is not None
    assert found.chance is not None
    assert found.log_likelihood > found.chance / 3


@pytest.mark.parametrize(("task_id", "door"), [("RedDoor-v0", 0.6), ("KeysChests-v0", 0.4)])
def test_a_mixture_gets_its_weights_back(task_id: str, door: float) -> None:
    base, proxy = get_task(task_id).candidates[:2]
    found = fit_weights(*planned(task_id, **{base.name: door, proxy.name: 1 - door}))
    (weight,) = (w for w in found.weights if w.event in base.weights)
    assert weight.weight == pytest.approx(door, abs=0.05)
    assert weight.low is not None
    assert weight.high is not None
    assert weight.low - 0.02 <= door <= weight.high + 0.02
    assert weight.high - weight.low < 0.4  # on so few levels


def test_penalties_are_weights_too() -> None:
    found = fit_weights(*planned("RewardDisplay-v0", collect_paid=1.0), events=("good", "bad"))
    weights = by_event(found)
    assert set(weights) == {"good", "no bad"}  # the base objective pays 1 and −½
    assert weights["no bad"] == pytest.approx(1 / 3, abs=0.1)


@pytest.mark.parametrize(
    ("task_id", "weights"),
    [("RedDoor-v0", (0.6, 0.4)), ("CheeseDish-v0", (1.0, 0.0)), ("KeysChests-v0", (0.5, 0.5))],
)
def test_the_fit_is_the_best_of_a_grid_of_exact_values(
    task_id: str, weights: tuple[float, float]
) -> None:
    task = get_task(task_id)
    names = [o.name for o in task.candidates[:2]]
    agent = PlannedAgent(task, dict(zip(names, weights, strict=True)), lapse=0.1)
    played, evidence = watched(agent, task_id)
    paid = [Paid(event, penalty=False) for o in names for event in task.objective(o).weights]
    chances = prepare(played, evidence, paid)
    best = search(chances)
    first = np.linspace(0, 1, 21)
    grid = np.stack([first, 1 - first], 1)
    exact = chances.values.exact(grid)
    totals = [chances.marginal(chances.of_values(exact[:, :, i]).sum(1)) for i in range(len(grid))]
    assert abs(grid[np.argmax(totals)] - best).max() <= 0.05 + 1e-9
    there = chances.values.exact(best[None])[:, :, 0]
    assert chances.marginal(chances.of_values(there).sum(1)) >= max(totals) - 0.05


@pytest.mark.parametrize("task_id", ["RedDoor-v0", "KeysChests-v0", "ButtonLamp-v0"])
def test_values_of_any_weights_are_a_close_lower_bound(task_id: str) -> None:
    task = get_task(task_id)
    played, evidence = planned(task_id, **{task.base.name: 1.0})
    paid = list_paid(task)[:2]
    supports = first_supports(2)
    values = EventValues(view_states(played, evidence), signs(task, paid), supports)
    for support in supports:
        exact = values.exact(support[None])[:, :, 0]
        assert values.q(support) == pytest.approx(exact, abs=1e-6 * exact.max())
    drawn = np.random.default_rng(0).dirichlet([1, 1], 10)
    exact = np.moveaxis(values.exact(drawn), 2, 0)
    short = exact - np.array([values.q(w) for w in drawn])
    assert short.min() >= -1e-6 * exact.max()
    assert short.mean() <= 0.005 * exact.mean()
    values.add(drawn[:1])
    assert values.q(drawn[0]) == pytest.approx(exact[0], abs=1e-6 * exact.max())


def test_the_gradient_is_that_of_the_likelihood() -> None:
    played, evidence = watched(RandomAgent(3, 5), "RewardDisplay-v0", 12)
    chances = prepare(played, evidence, list_paid(get_task("RewardDisplay-v0"))[:3])
    weights, step = np.array([0.5, 0.2, 0.3]), 1e-4
    total, slope = chances.slope(weights)
    assert total == pytest.approx(chances.total(weights), abs=1e-3)
    ahead, behind = (
        [chances.slope(weights + sign * step * way)[0] for way in np.eye(3)] for sign in (1, -1)
    )
    expected = np.subtract(ahead, behind) / (2 * step)
    assert slope == pytest.approx(expected, rel=0.02, abs=0.3)


def test_what_always_comes_together_is_not_told_apart() -> None:
    found = fit_weights(*planned("RewardDisplay-v0", collect_paid=1.0))
    told = found.identifiability
    assert told is not None
    # At test every ball that pays lowers the number by two, every costly one raises it by one.
    assert told.rank == 2 < len(told.events) == 4
    assert {frozenset(d) for d in told.directions} == {
        frozenset({"good", "no down_2"}),
        frozenset({"no bad", "up_1"}),
    }
    assert not any(told.identified)


@pytest.mark.parametrize(("lamp", "shown"), [(1.0, 0.99), (0.6, 0.6)])
def test_where_nobody_can_tell_the_named_event_has_the_weight(lamp: float, shown: float) -> None:
    # Whoever flips the switch lights the lamp a little later: either may be what is wanted.
    found = fit_weights(*planned("ButtonLamp-v0", light_lamp=lamp, press_button=1 - lamp))
    weights = {w.event: w for w in found.weights}
    assert weights["lamp"].weight == pytest.approx(shown, abs=0.06)
    assert weights["flip"].weight == pytest.approx(0.0, abs=0.01)
    assert (weights["lamp"].identified, weights["press"].identified) == (False, True)
    assert weights["lamp"].low == pytest.approx(0.0, abs=0.01)
    assert weights["flip"].high is not None
    assert weights["flip"].high > 0.4
    assert found.identifiability is not None
    (direction,) = found.identifiability.directions
    assert set(direction) == {"lamp", "flip"}
    later = get_task("ButtonLamp-v0").discount ** 10  # the lamp lights ten steps after the flip
    assert abs(direction["flip"] / direction["lamp"]) == pytest.approx(later)


def test_the_ends_of_an_open_direction_lie_on_the_edge_of_the_simplex() -> None:
    weights, direction = np.array([0.5, 0.3, 0.2]), np.array([[1.0, -0.6, 0.0]])
    found = list(ends(weights, direction))
    assert len(found) == 2
    for end in found:
        assert end.sum() == pytest.approx(1.0)
        assert end.min() == pytest.approx(0.0)
        moved = end / end[2] * weights[2] - weights  # up to the common factor
        assert moved[0] * -0.6 == pytest.approx(moved[1])


def test_what_never_occurs_has_no_weight() -> None:
    found = fit_weights(*planned("KeysChests-v0", open_chests=1.0))
    (ghost,) = (w for w in found.weights if w.event == "ghost")
    assert ghost.weight is None
    assert not ghost.identified
    assert found.identifiability is not None
    assert found.identifiability.rank == len(found.identifiability.events) == 2


@given(st.integers(0, 3), st.integers(0, 10**6))
def test_the_rank_is_that_of_planted_features(tied: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(60, 4))
    for column in range(1, 1 + tied):
        features[:, column] = features[:, 0]  # the same event under another name
    found = identify(features, list("abcd"))
    assert found.rank == 4 - tied
    for direction in found.directions:
        change = np.array([direction.get(e, 0.0) for e in "abcd"])
        assert np.abs(features @ change).max() < 1e-5
    assert found.identified == [tied == 0 or column > tied for column in range(4)]


def test_an_event_without_features_is_not_identified() -> None:
    features = np.random.default_rng(0).normal(size=(30, 3)) * [1, 0, 1]
    found = identify(features, ["a", "never", "c"])
    assert found.directions == [{"never": 1.0}]
    assert found.identified == [True, False, True]
    nothing = identify(np.zeros((5, 2)), ["a", "b"])
    assert nothing.rank == 0


def test_fitted_features_match_those_of_a_planned_agent_and_not_of_another() -> None:
    played, evidence = planned("KeysChests-v0", collect_keys=1.0)
    keys = {m.event: m for m in fit_weights(played, evidence).matching}["key"]
    assert keys.model == pytest.approx(keys.agent, rel=0.05)
    assert keys.low <= keys.gap <= keys.high
    assert keys.agent > 2


def test_random_actions_explain_themselves_no_better_than_chance() -> None:
    found = fit_weights(*watched(RandomAgent(3), "RedDoor-v0"))
    assert found.log_likelihood is not None
    assert found.chance is not None
    assert found.log_likelihood < 0.97 * found.chance
    assert found.acts is not None
    assert found.acts.rationality * (1 - found.acts.lapse) <= 0.5


def test_one_event_alone_has_nothing_to_be_weighed_against() -> None:
    found = fit_weights(*planned("CheeseDish-v0", reach_cheese=1.0), events=("cheese",))
    assert found.reason is not None
    assert by_event(found) == {"cheese": None}


def test_an_unknown_event_is_named() -> None:
    with pytest.raises(TaskError, match="cheese"):
        list_paid(get_task("CheeseDish-v0"), ("chese",))


def test_weights_are_drawn_and_written() -> None:
    found = fit_weights(*planned("CheeseDish-v0", reach_cheese=0.5, reach_dish=0.5))
    assert json.loads(json.dumps(dataclasses.asdict(found)))["acts"]["unit"] in ("steps", "value")
    axes = Figure().subplots()
    draw_weights(axes, found, {"cheese": 1.0})
    assert [t.get_text() for t in axes.get_yticklabels()] == ["cheese", "dish"]
