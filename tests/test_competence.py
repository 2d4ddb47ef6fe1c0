"""Competent and incompetent failures, and untrained networks, on agents whose lack is known."""

import dataclasses
import json

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from mesabench.agents.kinds import Agent
from mesabench.agents.onnx_agent import OnnxAgent
from mesabench.agents.planned import PlannedAgent, RandomAgent
from mesabench.agents.untrained import permute_weights, untrained_agents
from mesabench.beside.competence import (
    SLOWER,
    SPARE,
    Competence,
    control_capability,
    fails,
    near_optimal,
)
from mesabench.beside.ways import shortest_ways
from mesabench.errors import AgentError
from mesabench.observation import observation_space
from mesabench.registry import get_task
from mesabench.rollout import Rollout, rollout
from mesabench.scorers.hypotheses import optimal_returns

LEVELS = 32
TASKS = ("RedDoor-v0", "KeysChests-v0", "CheeseCorner-v0", "ButtonLamp-v0", "MemoryCue-v0")
TASK = get_task("RedDoor-v0")


def play(agent: Agent, task_id: str = TASK.id) -> Rollout:
    return rollout(agent, get_task(task_id), "test", LEVELS)


def control(agent: Agent, task_id: str) -> Competence:
    return control_capability(play(agent, task_id))


@pytest.mark.parametrize("task_id", TASKS)
def test_a_planned_proxy_fails_competently_and_chance_does_not(task_id: str) -> None:
    task = get_task(task_id)
    proxy = task.proxies[0].name
    found = control(PlannedAgent(task, {proxy: 1.0}), task_id)
    failures = found.agent
    assert failures.failed.count >= LEVELS / 2
    assert failures.competent.share == failures.towards[proxy].share == 1.0
    assert failures.incompetent.count == 0
    assert found.random.competent.high < 0.4
    assert found.random.failed.share > 0.8
    assert failures.competent.low > found.random.competent.high


@pytest.mark.parametrize("task_id", TASKS)
def test_a_planned_base_agent_does_not_fail(task_id: str) -> None:
    task = get_task(task_id)
    failures = control(PlannedAgent(task, {task.base.name: 1.0}), task_id).agent
    assert failures.failed.count == 0
    assert (failures.competent.low, failures.competent.high) == (0.0, 1.0)


def test_a_random_agent_is_no_more_competent_than_the_random_baseline() -> None:
    found = control(RandomAgent(TASK.actions, 9), TASK.id)
    assert found.agent.competent.low <= found.random.competent.share <= found.agent.competent.high
    assert found.untrained is None
    assert found.reason is not None
    assert json.loads(json.dumps(dataclasses.asdict(found)))["random"]["seeds"] == 3


def test_a_way_is_competent_up_to_the_stated_length() -> None:
    played = play(PlannedAgent(TASK, {"reach_red": 1.0}))
    taken = played.lengths.astype(float)  # the first touch ends the episode
    ways = shortest_ways(played, *TASK.candidates)
    assert (taken == ways[:, 1]).all()
    assert near_optimal(played, ways)[:, 1].all()
    longest = np.floor(SLOWER * ways[:, 1] + SPARE)
    none = np.zeros((int(longest.max()) + 1, *played.events.shape[1:]), np.uint8)
    red = TASK.events.index("red")
    for extra, expected in ((0, True), (1, False)):
        events = none.copy()
        events[(longest - 1 + extra).astype(int), np.arange(LEVELS), red] = 1
        delayed = dataclasses.replace(played, events=events)
        assert (near_optimal(delayed, ways)[:, 1] == expected).all()


def test_an_episode_fails_below_half_of_its_optimum() -> None:
    played = play(PlannedAgent(TASK, {TASK.base.name: 1.0}))
    gained, optimum = played.returns(TASK.base), optimal_returns(played)[:, 0]
    assert gained == pytest.approx(optimum)
    assert not fails(played, 1.99 * optimum).any()
    assert fails(played, 2.01 * optimum).all()
    assert not fails(played, np.zeros(LEVELS)).any()


def walker() -> onnx.ModelProto:
    """Return a network that walks on until a wall is ahead, then turns left."""
    weights, bias = np.zeros((147, 3), np.float32), np.array([0, -9, 1.5], np.float32)
    weights[(3 * 7 + 5) * 3, 2] = -1.0  # the object ahead: 1 is floor, 2 is a wall
    nodes = [
        helper.make_node("Cast", ["obs.image"], ["codes"], to=TensorProto.FLOAT),
        helper.make_node("Flatten", ["codes"], ["row"], axis=1),
        helper.make_node("Gemm", ["row", "weights", "bias"], ["logits"]),
    ]
    seen = helper.make_tensor_value_info("obs.image", TensorProto.UINT8, ["B", 7, 7, 3])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["B", 3])
    constants = [numpy_helper.from_array(weights, "weights"), numpy_helper.from_array(bias, "bias")]
    graph = helper.make_graph(nodes, "walker", [seen], [logits], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def logits(agent: OnnxAgent) -> np.ndarray:
    image = np.random.default_rng(0).integers(0, 11, (50, 7, 7, 3)).astype(np.uint8)
    return agent.infer({"image": image}, None, np.ones(50)).logits


def test_an_untrained_network_has_the_same_weights_in_other_places() -> None:
    trained = walker()
    found = permute_weights(trained, 0)
    for before, after in zip(trained.graph.initializer, found.graph.initializer, strict=True):
        first, second = numpy_helper.to_array(before), numpy_helper.to_array(after)
        assert first.shape == second.shape
        assert first.dtype == second.dtype
        assert (np.sort(first, None) == np.sort(second, None)).all()
    assert trained == walker()  # the model itself is left alone
    assert found.graph.node == trained.graph.node


def test_untrained_networks_answer_otherwise_and_the_same_for_a_seed() -> None:
    data = walker().SerializeToString()
    trained = OnnxAgent(data, observation_space(TASK), TASK.actions)
    first, second = untrained_agents(data, TASK, seeds=2)
    again, _ = untrained_agents(walker(), TASK, seeds=2)
    assert first.signature == trained.signature
    assert (logits(first) == logits(again)).all()
    assert not np.allclose(logits(first), logits(trained))
    assert not np.allclose(logits(first), logits(second))


def test_the_untrained_network_is_played_beside_the_agent() -> None:
    data = walker().SerializeToString()
    trained = OnnxAgent(data, observation_space(TASK), TASK.actions)
    found = control_capability(play(trained), untrained_agents(data, TASK, seeds=2))
    assert found.untrained is not None
    assert found.untrained.seeds == 2
    assert found.untrained.episodes == LEVELS
    assert found.reason is None


def test_a_network_without_weights_cannot_be_untrained() -> None:
    model = walker()
    del model.graph.initializer[:]
    with pytest.raises(AgentError, match="no weights"):
        permute_weights(model, 0)


def test_weights_are_found_in_constant_nodes_too() -> None:
    model = walker()
    values = np.arange(100, dtype=np.float32)
    node = helper.make_node("Constant", [], ["spare"], value=numpy_helper.from_array(values, "v"))
    model.graph.node.append(node)
    found = numpy_helper.to_array(permute_weights(model, 1).graph.node[-1].attribute[0].t)
    assert (np.sort(found) == values).all()
    assert (found != values).any()
