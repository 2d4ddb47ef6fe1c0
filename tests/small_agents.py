"""ONNX agents of a few nodes, and what they see."""

import numpy as np
import onnx
from gymnasium import spaces
from onnx import TensorProto as Type
from onnx import helper

from mesabench.agents.onnx_agent import OnnxAgent

SPACE = spaces.Dict(
    image=spaces.Box(0, 10, (7, 7, 3), np.uint8),
    direction=spaces.Discrete(4),
    inventory=spaces.Box(0, 255, (1,), np.float32),
    mission=spaces.Text(10),
)
ACTIONS = 3


def port(name, element=Type.FLOAT, *sizes):
    return helper.make_tensor_value_info(name, element, ["B", *sizes])


def constant(name, values):
    return onnx.numpy_helper.from_array(np.asarray(values, np.float32), name)


def counter() -> onnx.ModelProto:
    """An agent that plays 0, 1, 2, 0, ... by counting its steps; it ignores `episode_start`."""
    nodes = [
        helper.make_node("Add", ["n", "one"], ["n_next"]),
        helper.make_node("Mod", ["n", "three"], ["turn"], fmod=1),
        helper.make_node("Sub", ["turn", "actions"], ["miss"]),
        helper.make_node("Mul", ["miss", "miss"], ["square"]),
        helper.make_node("Neg", ["square"], ["logits"]),
    ]
    constants = [constant("one", 1), constant("three", 3), constant("actions", [0, 1, 2])]
    return model(nodes, [port("n", Type.FLOAT, 1)], [port("logits", Type.FLOAT, 3)], constants, "n")


def model(nodes, inputs, outputs, constants=(), *states) -> onnx.ModelProto:
    outputs = [*outputs, *(port(f"{state}_next", Type.FLOAT, 1) for state in states)]
    graph = helper.make_graph(nodes, "agent", inputs, outputs, list(constants))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def reactive(
    operator="Identity", element=Type.FLOAT, sizes=(1,), name="obs.inventory", **attributes
):
    """An agent whose logits are `operator` of one input, spread over the actions."""
    nodes = [
        helper.make_node(operator, [name], ["seen"], **attributes),
        helper.make_node("Cast", ["seen"], ["number"], to=Type.FLOAT),
        helper.make_node("Mul", ["number", "weights"], ["logits"]),
    ]
    logits = port("logits", Type.FLOAT, 3)
    return model(nodes, [port(name, element, *sizes)], [logits], [constant("weights", [1, 2, 3])])


def agent(proto: onnx.ModelProto, **options) -> OnnxAgent:
    return OnnxAgent(proto.SerializeToString(), SPACE, ACTIONS, **options)


def with_node(*args, **kwargs) -> onnx.ModelProto:
    proto = counter()
    proto.graph.node.append(helper.make_node(*args, **kwargs))
    return proto


def with_properties(proto: onnx.ModelProto, **properties) -> onnx.ModelProto:
    helper.set_model_props(proto, properties)
    return proto


def inventory(*values):
    return {"inventory": np.array(values, np.float32)[:, None]}
