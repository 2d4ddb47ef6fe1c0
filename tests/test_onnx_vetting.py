"""What is refused in an agent's file: a wrong one is never more than an error."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto as Type
from onnx import helper
from small_agents import ACTIONS, SPACE, agent, constant, counter, with_node, with_properties

from mesabench.agents.onnx_agent import OnnxAgent
from mesabench.agents.operators import OPERATORS, REASONS
from mesabench.agents.vetting import MAX_BYTES, MAX_ELEMENTS, MAX_NODES
from mesabench.errors import AgentError


@pytest.mark.parametrize("operator", REASONS)
def test_refused_operators(operator):
    with pytest.raises(AgentError, match=f"refused: operator '{operator}'.*: {REASONS[operator]}"):
        agent(with_node(operator, ["n"], ["unused"]))


def test_allowed_operators_exist_and_repeat_themselves():
    assert not OPERATORS & REASONS.keys()
    for operator in OPERATORS - {"Dropout"}:
        schema = onnx.defs.get_schema(operator)
        graphs = [a for a in schema.attributes.values() if "GRAPH" in str(a.type)]
        assert not graphs
        # Older releases of onnx do not say.
        assert "NonDeterministic" not in str(getattr(schema, "node_determinism", ""))


def external(tensor):
    tensor.ClearField("raw_data")
    tensor.data_location = Type.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")
    return tensor


def tampered(change):
    proto = counter()
    change(proto)
    return proto


def too_many_nodes(proto):
    node = helper.make_node("Identity", ["n"], [""])
    proto.graph.node.extend([node] * MAX_NODES)


def add_function(proto):
    operators = [helper.make_opsetid("", 17)]
    node = helper.make_node("Identity", ["x"], ["y"])
    proto.functions.append(helper.make_function("own", "F", ["x"], ["y"], [node], operators))


def add_sparse(proto):
    indices = onnx.numpy_helper.from_array(np.array([0]), "i")
    sparse = helper.make_sparse_tensor(constant("v", [1]), indices, [9])
    proto.graph.sparse_initializer.append(sparse)


def add_sequence(proto):
    sequence = helper.make_tensor_sequence_value_info("n_list", Type.FLOAT, None)
    proto.graph.value_info.append(sequence)


REFUSED = {
    "domain": (with_node("Gelu", ["n"], ["u"], domain="com.microsoft"), "domain 'com.microsoft'"),
    "subgraph": (
        with_node("Identity", ["n"], ["u"], body=counter().graph),
        "attribute 'body' of kind GRAPH",
    ),
    "training dropout": (with_node("Dropout", ["n", "", "one"], ["u"]), "evaluation mode"),
    "external data": (tampered(lambda p: external(p.graph.initializer[0])), "in another file"),
    "external attribute": (
        with_node("Constant", [], ["u"], value=external(constant("c", [1]))),
        "in another file",
    ),
    "text": (
        with_node(
            "Constant", [], ["u"], value=Type(dims=[1], data_type=Type.STRING, string_data=[b"a"])
        ),
        "text",
    ),
    "huge constant": (
        tampered(lambda p: p.graph.initializer.append(Type(dims=[MAX_ELEMENTS, 2], data_type=1))),
        "elements fit",
    ),
    "negative size": (
        tampered(lambda p: p.graph.initializer.append(Type(dims=[-1], data_type=1))),
        "elements fit",
    ),
    "nodes": (tampered(too_many_nodes), "nodes; at most"),
    "function": (tampered(add_function), "local functions"),
    "training": (tampered(lambda p: p.training_info.add()), "training information"),
    "sparse": (tampered(add_sparse), "sparse constants"),
    "sequence": (tampered(add_sequence), "not a plain tensor"),
    "two opsets": (
        tampered(lambda p: p.opset_import.add(domain="ai.onnx", version=18)),
        "not exactly one version",
    ),
    "rare operator": (with_node("STFT", ["n"], ["u"]), "'STFT'.*not among the operators"),
    "too many inputs": (with_node("Neg", ["n", "n"], ["u"]), "not a valid ONNX model"),
    "missing input": (with_node("Mean", ["", "n"], ["u"]), "'Mean'.*lacks an input"),
    "empty depth": (
        tampered(
            lambda p: (
                p.graph.initializer.append(constant("depth", [])),
                p.graph.node.append(helper.make_node("OneHot", ["n", "depth", "n"], ["u"])),
            )
        ),
        "empty depth",
    ),
    "negative count": (
        with_node("GatherND", ["n", "k"], ["u"], batch_dims=-2),
        "'batch_dims' below 0",
    ),
    "no groups": (with_node("Conv", ["n", "n"], ["u"], group=0), "'group' below 1"),
    "huge attribute": (with_node("Flatten", ["n"], ["u"], axis=2**40), "'axis' beyond 65,536"),
    "too much memory": (
        with_node("ConstantOfShape", ["vast"], ["u"]),
        "failed to run|cannot open",
    ),
    "action": (with_properties(counter(), action="sampel"), "did you mean 'sample'"),
}
REFUSED["too much memory"][0].graph.initializer.append(
    onnx.numpy_helper.from_array(np.array([10**12]), "vast")
)


@pytest.mark.parametrize(("proto", "message"), REFUSED.values(), ids=REFUSED)
def test_refused_contents(proto, message):
    with pytest.raises(AgentError, match=message):
        agent(proto)


def test_refused_encoding():
    data = counter().SerializeToString().replace(b"n_next", b"n_\xffext")
    with pytest.raises(AgentError, match="not UTF-8"):
        OnnxAgent(data, SPACE, ACTIONS)


@pytest.mark.parametrize("data", [b"", b"\x08", b"PK\x03\x04 a zip file", bytes(MAX_BYTES + 1)])
def test_refused_bytes(data):
    with pytest.raises(AgentError, match=r"not an ONNX file|no graph|bytes; at most"):
        OnnxAgent(data, SPACE, ACTIONS)
