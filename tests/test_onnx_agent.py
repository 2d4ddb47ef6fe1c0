"""ONNX agents that run: their state, what they see, how they choose."""

import subprocess
import sys

import numpy as np
import onnx
import pytest
from onnx import TensorProto as Type
from onnx import helper
from small_agents import (
    ACTIONS,
    SPACE,
    agent,
    constant,
    counter,
    inventory,
    model,
    port,
    reactive,
    with_node,
    with_properties,
)

from mesabench.agents.onnx_agent import OnnxAgent
from mesabench.errors import AgentError


def test_state_is_zero_at_episode_starts_even_if_the_graph_ignores_them():
    policy, state, played = agent(counter()), None, []
    for start in ([1, 1], [0, 0], [0, 1], [0, 0]):
        actions, state = policy({}, state, np.array(start, bool))
        played.append(actions.tolist())
    assert played == [[0, 0], [1, 1], [2, 0], [0, 1]]


def test_infer_runs_the_graph_alone():
    policy = agent(counter())
    output = policy.infer({}, {"n": np.ones((1, 1), np.float32)}, [True])
    assert output.logits.argmax() == 1


def test_a_broken_state_does_not_outlive_its_episode():
    policy = agent(counter())
    broken = {"n": np.full((2, 1), np.nan, np.float32)}
    actions, _ = policy({}, broken, [1, 1])
    assert actions.tolist() == [0, 0]


def test_episode_start_is_an_input_like_any_other():
    nodes = [
        helper.make_node("Unsqueeze", ["episode_start", "axis"], ["column"]),
        helper.make_node("Mul", ["column", "weights"], ["logits"]),
    ]
    axis = onnx.numpy_helper.from_array(np.array([1]), "axis")
    inputs, outputs = [port("episode_start")], [port("logits", Type.FLOAT, 3)]
    policy = agent(model(nodes, inputs, outputs, [constant("weights", [0, 1, 0]), axis]))
    assert policy({}, None, np.array([True, False]))[0].tolist() == [1, 0]


@pytest.mark.parametrize(
    ("name", "element", "sizes"),
    [
        ("image", Type.UINT8, (7, 7, 3)),
        ("direction", Type.INT64, ()),
        ("inventory", Type.FLOAT, (1,)),
    ],
)
def test_observations_arrive_with_their_types(name, element, sizes):
    nodes = [
        helper.make_node("Cast", [f"obs.{name}"], ["number"], to=Type.FLOAT),
        helper.make_node("Reshape", ["number", "flat"], ["row"]),
        helper.make_node("Gemm", ["row", "weights"], ["logits"]),
    ]
    count = int(np.prod(sizes))
    flat = onnx.numpy_helper.from_array(np.array([-1, count]), "flat")
    constants = [constant("weights", np.tile([0, 1, 0], (count, 1))), flat]
    outputs = [port("logits", Type.FLOAT, 3)]
    policy = agent(model(nodes, [port(f"obs.{name}", element, *sizes)], outputs, constants))
    obs = {
        key: np.ones((5, *(SPACE[key].shape or ())), np.int32) for key in SPACE if key != "mission"
    }
    assert policy({**obs, "mission": ["go"] * 5}, None, np.ones(5))[0].tolist() == [1] * 5


def test_sampling_follows_the_softmax_and_the_seed():
    obs = inventory(*[np.log(2)] * 20_000)  # logits log 2, log 4, log 8
    start = np.ones(20_000)
    proto = with_properties(reactive(), action="sample")
    first, again = (agent(proto, seed=1)(obs, None, start)[0] for _ in range(2))
    other, _ = agent(proto, seed=2)(obs, None, start)
    assert (first == again).all()
    assert (first != other).any()
    shares = np.bincount(first) / len(first)
    np.testing.assert_allclose(shares, np.array([2, 4, 8]) / 14, atol=0.015)


def test_metadata_is_exposed():
    properties = {"env": "KeysChests-v0", "action": "greedy"}
    assert agent(with_properties(reactive(), **properties)).metadata == properties


def test_value_is_optional_and_returned():
    proto = reactive()
    proto.graph.node.append(
        helper.make_node("ReduceMax", ["logits"], ["value"], axes=[1], keepdims=0)
    )
    proto.graph.output.append(port("value"))
    np.testing.assert_equal(agent(proto).infer(inventory(2, 1), None, [0, 0]).value, [6, 3])
    assert agent(reactive()).infer(inventory(2, 1), None, [0, 0]).value is None


def test_a_producer_cannot_switch_the_file_format():
    proto = counter()
    proto.producer_name = "ORTM"
    assert proto.SerializeToString()[4:8] == b"ORTM"  # how ONNX Runtime tells its own format
    assert agent(proto)({}, None, [1])[0].tolist() == [0]


def test_an_empty_last_input_is_the_same_as_none():
    """ONNX Runtime crashes on this one."""
    proto = with_node("LayerNormalization", ["n", "weight", ""], ["u"], axis=1)
    proto.graph.initializer.append(constant("weight", [1]))
    assert agent(proto)({}, None, [1])[0].tolist() == [0]


def test_loads_from_a_file(tmp_path):
    path = tmp_path / "agent.onnx"
    path.write_bytes(counter().SerializeToString())
    assert OnnxAgent.load(path, SPACE, ACTIONS)({}, None, [1])[0].tolist() == [0]
    with pytest.raises(AgentError, match="cannot read the agent"):
        OnnxAgent.load(tmp_path / "other.onnx", SPACE, ACTIONS)


def test_reading_agents_needs_no_torch():
    code = "import sys, mesabench.agents.onnx_agent, mesabench.agents.sb3_agent;"
    code += "import mesabench.agents.export; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
