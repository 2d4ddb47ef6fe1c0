"""Two agents together: joint values beside brute force, and values given what the other does."""

import itertools
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mesabench.agents.planned import PlannedAgent
from mesabench.agents.seated import Seated
from mesabench.engine import codes
from mesabench.engine.batch import Engine
from mesabench.errors import AgentError, PlannerError, TaskError
from mesabench.evaluation import evaluate
from mesabench.planner import best_values
from mesabench.planner.joint import (
    SCRIPT,
    Known,
    explore_jointly,
    plan_team,
    respond_to,
    team_policies,
)
from mesabench.planner.states import explore, plan_states
from mesabench.registry import get_task
from mesabench.rollout import rollout

TASK = get_task("SharedKeys-v0")
SMALL = {"size": 5, "margin": 1}
LEVELS = 2
DEPTH = 4
WEIGHTS, DISCOUNT = TASK.weights(TASK.base), TASK.discount
FACING = """
##########
##>0KrBb##
##......##
##>1KgBb##
##########
"""  # each agent faces a key, behind which lies a chest


@pytest.fixture(scope="module")
def graphs():
    return explore_jointly(small())


def small(**options: Any) -> Engine:
    engine = Engine(TASK, batch=LEVELS, autoreset=False, knobs=SMALL, **options)
    engine.reset(levels=np.arange(LEVELS))
    return engine


def brute_force(text: str) -> float:
    """Return the best return of all pairs of sequences of DEPTH actions."""
    plans = np.array([*itertools.product(range(9), repeat=DEPTH)])
    engine = Engine(TASK, batch=len(plans), autoreset=False, knobs=SMALL)
    for b in range(len(plans)):
        engine.load(b, text)
    gained = np.zeros(len(plans))
    for t in range(DEPTH):
        engine.step(np.stack([plans[:, t] // 3, plans[:, t] % 3], 1))
        gained += DISCOUNT**t * (engine.world.events[:, 0, : len(TASK.events)] @ WEIGHTS[0])
    return float(gained.max())


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (FACING, 2 * DISCOUNT),
        (FACING.replace(">0", "v0"), DISCOUNT + DISCOUNT**2),
        (FACING.replace(">0", "<0"), DISCOUNT + DISCOUNT**3),
        (FACING.replace("Kr", ".."), DISCOUNT),
    ],
    ids=["face the keys", "one has to turn", "one has to turn round", "one key for both"],
)
def test_the_teams_optimum_is_that_of_all_ways_to_act(text: str, value: float) -> None:
    engine = Engine(TASK, batch=1, autoreset=False, knobs=SMALL)
    engine.load(0, text)
    (graph,) = explore_jointly(engine)
    team = plan_team(graph, WEIGHTS, DISCOUNT)
    assert team.values[0, 0] == pytest.approx(brute_force(text))
    assert team.values[0, 0] == pytest.approx(value)


def test_who_answers_an_optimal_partner_best_attains_the_teams_optimum(graphs) -> None:
    for graph in graphs:
        team = plan_team(graph, WEIGHTS, DISCOUNT)
        for agent, policy in enumerate(reversed(team_policies(team))):
            answer = plan_states(respond_to(graph, policy, agent), WEIGHTS, DISCOUNT)
            np.testing.assert_allclose(answer.values, team.values, atol=1e-9)
            lone = plan_states(respond_to(graph, 0 * policy, agent), WEIGHTS, DISCOUNT)
            assert (lone.values <= team.values + 1e-9).all()
            assert (lone.values < team.values - 1e-3).any()


def test_beside_the_script_both_planners_see_the_same_level(graphs) -> None:
    weights = TASK.weights(*TASK.candidates)
    for graph, alone in zip(graphs, explore(small()), strict=True):
        answer = plan_states(respond_to(graph, SCRIPT, 0), weights, DISCOUNT)
        np.testing.assert_allclose(
            answer.values[:, 0], plan_states(alone, weights, DISCOUNT).values[:, 0], atol=1e-9
        )
        assert len(alone.after) < len(graph.after)


def test_either_seat_has_the_values_of_the_other_in_the_level_with_seats_exchanged(graphs) -> None:
    weights = TASK.weights(*TASK.candidates)
    engine = Engine(TASK, batch=LEVELS, autoreset=False, knobs=SMALL | {"seat": 1})
    engine.reset(levels=np.arange(LEVELS))
    for graph, exchanged in zip(graphs, explore_jointly(engine), strict=True):
        for agent in range(2):
            mine = plan_states(respond_to(graph, SCRIPT, agent), weights, DISCOUNT)
            there = plan_states(respond_to(exchanged, SCRIPT, 1 - agent), weights, DISCOUNT)
            np.testing.assert_allclose(mine.values[:, 0], there.values[:, 0], atol=1e-9)


def test_a_known_partner_is_part_of_the_world_that_is_planned_and_played(graphs) -> None:
    teams = [plan_team(graph, WEIGHTS, DISCOUNT) for graph in graphs]
    partner = Known(graphs, [team_policies(team)[1] for team in teams])
    optimum = [team.values[0, 0] for team in teams]
    found = best_values(small(partners=partner), WEIGHTS, DISCOUNT)[:, 0]
    np.testing.assert_allclose(found, optimum, atol=1e-9)
    agent = PlannedAgent(TASK, {TASK.base.name: 1.0})
    played = rollout(agent, TASK, "train", LEVELS, partners=partner, **SMALL)
    np.testing.assert_allclose(played.returns(TASK.base), optimum)
    with pytest.raises(PlannerError, match="world 0 is in a state that was not explored"):
        rollout(agent, TASK, "test", LEVELS, partners=partner, **SMALL, chests=1)


def wander(obs: Any, state: Any, episode_start: NDArray) -> tuple[NDArray[np.int64], None]:
    """Go on where the cell ahead is no wall, and turn right where it is."""
    ahead = obs["image"][:, 3, 5, 0]
    return np.where(ahead == codes.WALL, codes.RIGHT, codes.FORWARD), None


def test_whoever_is_seated_acts_on_what_the_other_sees_and_is_planned_with() -> None:
    plain, seated = small(), small(partners=Seated(wander))
    for _ in range(12):
        there = wander({"image": plain.world.image[:, 1].copy()}, None, np.zeros(0))[0]
        plain.step(np.stack([np.zeros(LEVELS, int), there], 1))
        seated.step(np.zeros(LEVELS, int))
        np.testing.assert_array_equal(plain.world.pose, seated.world.pose)
    partners = Seated(wander)
    promised = best_values(small(partners=partners), WEIGHTS, DISCOUNT)[:, 0]
    agent = PlannedAgent(TASK, {TASK.base.name: 1.0})
    played = rollout(agent, TASK, "train", LEVELS, partners=partners, **SMALL)
    assert played.terminated.all()
    np.testing.assert_allclose(played.returns(TASK.base), promised, atol=1e-6)
    assert (promised != best_values(small(), WEIGHTS, DISCOUNT)[:, 0]).any()


def test_what_cannot_be_a_partner_is_named() -> None:
    with pytest.raises(AgentError, match="shown the worlds"):
        Seated(PlannedAgent(TASK, {TASK.base.name: 1.0}))
    remembers = small(partners=Seated(lambda obs, state, start: (np.zeros(LEVELS, int), obs)))
    with pytest.raises(AgentError, match="remembers"):
        remembers.step([0] * LEVELS)
    one = get_task("KeysChests-v0")
    with pytest.raises(TaskError, match="KeysChests-v0 has one agent"):
        Engine(one, partners=Seated(wander))
    with pytest.raises(PlannerError, match="KeysChests-v0 has 1 agents, not the two"):
        explore_jointly(Engine(one))
    with pytest.raises(TaskError, match="own script only"):
        evaluate(wander, TASK, beside=True, partners=Seated(wander))
