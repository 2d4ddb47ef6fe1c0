"""Decision points, the indifference point and shortest ways, on agents whose choices are known."""

import dataclasses
import json

import numpy as np
import pytest
from matplotlib.figure import Figure

from mesabench.agents.kinds import Agent
from mesabench.agents.planned import PlannedAgent
from mesabench.agents.walker import GreedyWalker, action_costs, paying, walkable
from mesabench.beside.comparison import compare
from mesabench.beside.decisions import BASE, NEITHER, PROXY, Decisions, decide, list_decisions
from mesabench.beside.indifference import fit_curve
from mesabench.beside.plots import draw_decisions
from mesabench.beside.resampling import level_counts
from mesabench.beside.ways import Course, trace_courses
from mesabench.evaluation import infer_objective
from mesabench.registry import get_task, task_ids
from mesabench.rollout import Rollout, rollout
from mesabench.scorers.hypotheses import mix_candidates
from mesabench.scorers.watching import watch
from mesabench.task import Task

LEVELS = 48
TASKS = ("RedDoor-v0", "KeysChests-v0", "Watched-v0", "ButtonLamp-v0")


def decisions_of(agent: Agent, task: Task, levels: int = LEVELS) -> Decisions:
    played = rollout(agent, task, "test", levels)
    candidates = mix_candidates(task, np.ones(len(task.candidates)))
    return list_decisions(played, watch(played, candidates, []))


class Nearest(GreedyWalker):
    """Walks to whatever target of any candidate objective is nearest."""

    def __init__(self, task: Task):
        super().__init__(task, task.base.name)
        self.wanted = list(task.candidates)

    def targets(self) -> np.ndarray:
        return np.logical_or.reduce([self._errands(o)[0] for o in self.wanted])


@pytest.mark.parametrize("task_id", TASKS)
@pytest.mark.parametrize("proxy", [False, True])
def test_planned_agents_choose_their_objective_at_every_margin(task_id: str, proxy: bool) -> None:
    task = get_task(task_id)
    goal = task.proxies[0] if proxy else task.base
    pair = decisions_of(PlannedAgent(task, {goal.name: 1.0}), task).pairs[0]
    assert pair.points >= 10
    assert [b.chose.share for b in pair.bins] == [0.0 if proxy else 1.0] * len(pair.bins)
    assert pair.total.neither == 0
    assert (pair.low, pair.high) == ((0.0, 0.0) if proxy else (1.0, 1.0))
    assert pair.curve.indifference is None
    assert pair.curve.reason == f"always chose the {'proxy' if proxy else 'base objective'}"


@pytest.mark.parametrize("task_id", ["CheeseDish-v0", "KeysChests-v0", "RewardDisplay-v0"])
def test_who_takes_the_nearest_thing_turns_at_no_margin(task_id: str) -> None:
    task = get_task(task_id)
    curve = decisions_of(Nearest(task), task).pairs[0].curve
    assert curve.indifference == pytest.approx(0, abs=1)
    assert curve.low is not None
    assert curve.high is not None
    assert curve.low <= 0.5
    assert curve.high >= -0.5


@pytest.mark.parametrize(("base", "lapse"), [(0.4, 0.0), (0.6, 0.15)])
def test_a_mixture_turns_where_its_weights_say(base: float, lapse: float) -> None:
    task = get_task("RedDoor-v0")  # one thing can be had per episode, so the closed form holds
    weights = {task.base.name: base, task.proxies[0].name: 1 - base}
    curve = decisions_of(PlannedAgent(task, weights, lapse=lapse), task, 128).pairs[0].curve
    expected = np.log((1 - base) / base) / np.log(1 / task.discount)
    assert curve.indifference == pytest.approx(expected, abs=1)
    assert curve.low is not None
    assert curve.high is not None
    assert curve.low < expected < curve.high


def test_a_planted_turning_point_is_found_despite_lapses() -> None:
    rng = np.random.default_rng(0)
    margin = rng.integers(-12, 13, 400).astype(float)
    base = np.where(rng.random(400) < 0.2, rng.random(400) < 0.5, margin > 2.5)
    found = fit_curve(margin, base, level_counts(400, rng, 100))
    assert found.indifference == pytest.approx(2.5, abs=0.7)
    assert found.lapse == 0.2
    assert found.at(np.array([-12.0, 12.0])) == pytest.approx([0.1, 0.9], abs=0.01)


@pytest.mark.parametrize(
    ("margin", "base", "reason"),
    [
        (np.arange(5.0), np.arange(5) > 2, "fewer than"),
        (np.full(20, 3.0), np.arange(20) > 9, "all margins are 3"),
        (np.arange(20.0), np.arange(20) < 10, "does not turn"),
        (np.arange(20.0), np.arange(20) % 7 != 3, "beyond the margins|does not turn"),
    ],
)
def test_no_turning_point_is_made_up(margin: np.ndarray, base: np.ndarray, reason: str) -> None:
    found = fit_curve(margin, base, np.ones((20, len(margin))))
    assert found.indifference is None
    assert found.reason is not None
    assert any(part in found.reason for part in reason.split("|"))


def played_by_base(task_id: str) -> Rollout:
    task = get_task(task_id)
    return rollout(PlannedAgent(task, {task.base.name: 1.0}), task, "test", 16)


@pytest.mark.parametrize("task_id", ["RedDoor-v0", "CheeseDish-v0"])
def test_ways_are_as_long_as_breadth_first_search_says(task_id: str) -> None:
    played = played_by_base(task_id)
    engine = played.begin()
    found = np.array([c.steps[0] for c in trace_courses(played, *played.task.candidates)])
    for k, objective in enumerate(played.task.candidates):
        costs = action_costs(walkable(engine), paying(engine, objective), engine.world.pose[:, 0])
        assert (found[:, k] == costs.min(1)).all()


@pytest.mark.parametrize("task_id", task_ids())
def test_the_optimal_agent_is_never_quicker_than_the_shortest_way(task_id: str) -> None:
    played = played_by_base(task_id)
    pays = np.einsum("tne,e->tn", played.events, played.task.weights(played.task.base)[0]) > 0
    first = [c.steps[0, 0] for c in trace_courses(played, played.task.base)]
    reached = pays.any(0)
    assert reached.any()
    assert (pays.argmax(0)[reached] + 1 >= np.array(first)[reached]).all()


def test_only_the_first_telling_state_between_two_touches_is_a_decision() -> None:
    q = np.tile(np.array([[[1.0, 0.5, 0.5], [0.5, 1.0, 0.5]]]), (6, 1, 1))
    course = Course(q, np.tile([3.0, 5.0], (6, 1)))
    pays = np.zeros((6, 2), np.bool_)
    pays[2, 1] = True  # the third step takes a target of the proxy
    actions = np.array([0, 1, 1, 2, 0, 0], np.int8)
    found = list(decide(course, np.arange(6), actions, pays))
    assert found == [(2, BASE, PROXY), (2, NEITHER, NEITHER)]
    assert list(decide(course, np.array([1]), actions, pays)) == [(2, PROXY, PROXY)]
    agreed = course._replace(q=q[:, [0, 0]])
    assert not list(decide(agreed, np.arange(6), actions, pays))


def test_three_scorers_agree_on_a_planned_agent() -> None:
    task = get_task("RedDoor-v0")
    played = rollout(PlannedAgent(task, {task.proxies[0].name: 1.0}), task, "test", LEVELS)
    evidence = watch(played, mix_candidates(task, np.ones(3)), [])
    rows = compare(played, infer_objective(played), list_decisions(played, evidence))
    assert [r.objective for r in rows] == [o.name for o in task.candidates]
    red = rows[1]
    assert min(red.posterior, red.first_choice.share, red.decisions.share) > 0.9
    assert rows[0].posterior < 0.1


def test_decisions_are_drawn_and_written() -> None:
    task = get_task("RedDoor-v0")
    found = decisions_of(PlannedAgent(task, {task.base.name: 0.6, "reach_red": 0.4}), task)
    assert json.loads(json.dumps(dataclasses.asdict(found)))["base"] == task.base.name
    axes = Figure().subplots()
    draw_decisions(axes, found, {"reach_red": "reach something red"})
    legend = axes.get_legend()
    assert legend is not None
    assert next(t.get_text() for t in legend.get_texts()) == "or reach something red"
