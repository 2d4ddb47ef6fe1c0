"""Agents' files that nobody should run: a zoo, each with the reason for which it ends."""

import io
import pickle
import zipfile

import numpy as np
import onnx
from onnx import TensorProto as Type
from onnx import helper

from mesabench.agents.vetting import MAX_METADATA, MAX_NODES


def port(name, element=Type.FLOAT, *sizes):
    return helper.make_tensor_value_info(name, element, ["B", *sizes])


def constant(name, values, kind: type = np.float32):
    return onnx.numpy_helper.from_array(np.asarray(values, kind), name)


def harmless(*extra, constants=(), logits=None) -> onnx.ModelProto:
    """An agent that always goes on; `extra` nodes, `logits` of which take the place of its own."""
    nodes = [
        helper.make_node("Cast", ["obs.direction"], ["number"], to=Type.FLOAT),
        helper.make_node("Unsqueeze", ["number", "axis"], ["column"]),
        helper.make_node("Mul", ["column", "zero"], ["nothing"]),
        helper.make_node("Add", ["nothing", "ahead"], ["plain"]),
        *extra,
        helper.make_node("Identity", [logits or "plain"], ["logits"]),
    ]
    own = [
        constant("axis", [1], np.int64),
        constant("zero", 0),
        constant("ahead", [0, 0, 1]),
        *constants,
    ]
    graph = helper.make_graph(
        nodes, "agent", [port("obs.direction", Type.INT64)], [port("logits", Type.FLOAT, 3)], own
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def altered(change) -> onnx.ModelProto:
    model = harmless()
    change(model)
    return model


def tiny_bomb() -> bytes:
    """A graph of at most 152 bytes that asks for 32 GB."""
    graph = helper.make_graph(
        [helper.make_node("ConstantOfShape", ["n"], ["logits"])],
        "g",
        [],
        [port("logits", Type.FLOAT, 3)],
        [constant("n", [2**33 // 3, 3], np.int64)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 9)], ir_version=4)
    return model.SerializeToString()


def spread(memory: int) -> onnx.ModelProto:
    """A graph that asks for so many bytes at every step, in a shape that only the batch tells."""
    return harmless(
        helper.make_node("Shape", ["column"], ["shape"]),
        helper.make_node("Mul", ["shape", "much"], ["vast"]),
        helper.make_node("ConstantOfShape", ["vast"], ["room"]),
        helper.make_node("ReduceMax", ["room"], ["most"], keepdims=0),
        helper.make_node("Add", ["plain", "most"], ["swollen"]),
        constants=[constant("much", [1, memory // 4], np.int64)],
        logits="swollen",
    )


def grinder(side=1024, links=5000) -> onnx.ModelProto:
    """A graph that multiplies large matrices for hours, from a file of some kilobytes."""
    chain = [helper.make_node("MatMul", [f"m{n}", "m0"], [f"m{n + 1}"]) for n in range(links)]
    return harmless(
        helper.make_node("ReduceMax", ["column"], ["one"], keepdims=0),
        helper.make_node("Expand", ["one", "square"], ["m0"]),
        *chain,
        helper.make_node("ReduceMax", [f"m{links}"], ["most"], keepdims=0),
        helper.make_node("Add", ["plain", "most"], ["late"]),
        constants=[constant("square", [side, side], np.int64)],
        logits="late",
    )


def nan_logits() -> onnx.ModelProto:
    return harmless(
        helper.make_node("Div", ["zero", "zero"], ["nan"]),
        helper.make_node("Add", ["plain", "nan"], ["spoilt"]),
        logits="spoilt",
    )


def branching() -> onnx.ModelProto:
    branch = helper.make_graph(
        [helper.make_node("Identity", ["plain"], ["kept"])],
        "branch",
        [],
        [helper.make_tensor_value_info("kept", Type.FLOAT, None)],
    )
    return harmless(
        helper.make_node("If", ["flag"], ["chosen"], then_branch=branch, else_branch=branch),
        constants=[constant("flag", True, np.bool_)],
        logits="chosen",
    )


def endless() -> onnx.ModelProto:
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["go"], ["again"]),
            helper.make_node("Identity", ["x"], ["y"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("i", Type.INT64, []),
            helper.make_tensor_value_info("go", Type.BOOL, []),
            helper.make_tensor_value_info("x", Type.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("again", Type.BOOL, []),
            helper.make_tensor_value_info("y", Type.FLOAT, None),
        ],
    )
    return harmless(
        helper.make_node("Loop", ["", "flag", "plain"], ["last"], body=body),
        constants=[constant("flag", True, np.bool_)],
        logits="last",
    )


def outside(path):
    def change(model):
        tensor = model.graph.initializer[2]
        tensor.ClearField("raw_data")
        tensor.data_location = Type.EXTERNAL
        tensor.external_data.add(key="location", value=path)

    return altered(change)


def traversing(model) -> None:
    """Give every name the form of a path that leaves the folder."""
    model.producer_name = model.graph.name = "../../../../etc/cron.d/agent"
    names = {"number", "column", "nothing", "plain"}
    for node in model.graph.node:
        for side in (node.input, node.output):
            for n, name in enumerate(side):
                if name in names:
                    side[n] = f"../../../tmp/{name}"
    model.graph.input[0].name = "../../../../etc/passwd"


def function(model) -> None:
    node = helper.make_node("Identity", ["x"], ["y"])
    operators = [helper.make_opsetid("", 17)]
    model.functions.append(helper.make_function("own", "F", ["x"], ["y"], [node], operators))


def unpickled() -> bytes:
    class Mine:
        def __reduce__(self):
            return print, ("unpickled",)

    return pickle.dumps(Mine())


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("data", "{}")
        archive.writestr("policy.pth", b"\x80\x04.")
    return buffer.getvalue()


def properties(**found):
    return altered(lambda model: helper.set_model_props(model, found))


def renamed(model) -> None:
    model.graph.node[-1].output[0] = model.graph.output[0].name = "logit"


def many_nodes(model) -> None:
    node = helper.make_node("Identity", ["plain"], [""])
    model.graph.node.extend([node] * MAX_NODES)


# name → file, reason, part of the detail; what is refused at once or at the first step
QUICK = {
    "control flow, If": (branching(), "refused", "'If'.*control flow"),
    "control flow, Loop for ever": (endless(), "refused", "'Loop'.*control flow"),
    "random operator": (
        harmless(helper.make_node("RandomNormalLike", ["plain"], ["r"]), logits="r"),
        "refused",
        "random numbers",
    ),
    "custom domain": (
        harmless(helper.make_node("Gelu", ["plain"], ["g"], domain="com.microsoft"), logits="g"),
        "refused",
        "domain 'com.microsoft'",
    ),
    "Python operator": (
        harmless(helper.make_node("PyOp", ["plain"], ["p"], domain="ai.onnx.contrib"), logits="p"),
        "refused",
        "domain 'ai.onnx.contrib'",
    ),
    "external data": (outside("/etc/passwd"), "refused", "another file"),
    "external data, upwards": (outside("../../../etc/passwd"), "refused", "another file"),
    "path traversal in names": (altered(traversing), "refused", "is neither an observation"),
    "local function": (altered(function), "refused", "local functions"),
    "training information": (
        altered(lambda model: model.training_info.add()),
        "refused",
        "training information",
    ),
    "too many nodes": (altered(many_nodes), "refused", "nodes; at most"),
    "huge constant": (
        altered(lambda m: m.graph.initializer.append(Type(dims=[2**40], data_type=1, name="h"))),
        "refused",
        "elements fit",
    ),
    "truncated": (harmless().SerializeToString()[:-40], "refused", "not an ONNX file"),
    "empty": (b"", "refused", "no graph"),
    "pickle": (unpickled(), "refused", "not an ONNX file"),
    "zip": (zipped(), "refused", "not an ONNX file"),
    "wrong outputs": (altered(renamed), "refused", "unknown output 'logit'"),
    "too many actions": (
        altered(lambda m: m.graph.output[0].CopyFrom(port("logits", Type.FLOAT, 7))),
        "refused",
        "expected float32",
    ),
    "huge metadata": (properties(note="x" * (MAX_METADATA + 1)), "refused", "characters of prop"),
    "another task's": (properties(env="KeysChests-v0"), "refused", "for KeysChests-v0"),
    "other levels": (properties(env="RedDoor-v0", knobs='{"size": 11}'), "refused", "'size': 11"),
    "no such levels": (properties(env="RedDoor-v0", knobs='{"sise": 9}'), "refused", "sise"),
    "test-like levels": (properties(alpha="0.5"), "refused", "alpha 0.5"),
    "NaN logits": (nan_logits(), "non_finite", "logits are not finite"),
    "32 GB in 152 bytes": (tiny_bomb(), "out_of_memory", ""),
    "32 GB that grow with the batch": (spread(32 * 2**30), "out_of_memory", ""),
}


def as_bytes(found) -> bytes:
    return found if isinstance(found, bytes) else found.SerializeToString()
