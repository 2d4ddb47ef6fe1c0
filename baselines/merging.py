"""Several agents' files made one: an agent that acts on the mean of its members' probabilities.

Observations are shared; each member keeps its own state, under its own names.
"""

from collections.abc import Mapping, Sequence

import onnx
from onnx import GraphProto, ModelProto, NodeProto, ValueInfoProto, helper

from mesabench.agents.signature import EPISODE_START, FEATURES, LOGITS, NEXT, VALUE
from mesabench.errors import MesaBenchError


def merge(members: Sequence[ModelProto], properties: Mapping[str, str]) -> ModelProto:
    """Return the graph of an ensemble.

    Its logits are log((1/n) Σᵢ softmax(logitsᵢ)), its value is the members' mean, its features are
    theirs side by side.

    Args:
        members: graphs that fit the agent contract, for one task, all with value and features.
        properties: what the file says of itself.

    Raises:
        MesaBenchError: there are no members, or they were not written by one exporter.
    """
    versions = {(m.ir_version, *(o.version for o in m.opset_import)) for m in members}
    if len(versions) != 1:
        raise MesaBenchError("an ensemble has one member or more, all written by one exporter")
    graphs = [prefixed(member.graph, prefix(i)) for i, member in enumerate(members)]
    shared = {value.name: value for graph in graphs for value in graph.input}
    graph = helper.make_graph(
        [*(node for g in graphs for node in g.node), *joints(len(graphs))],
        "ensemble",
        list(shared.values()),
        joined_outputs(graphs),
        [tensor for g in graphs for tensor in g.initializer],
    )
    first = members[0]
    merged = helper.make_model(graph, opset_imports=first.opset_import, ir_version=first.ir_version)
    helper.set_model_props(merged, dict(properties))
    onnx.checker.check_model(merged, full_check=True)
    return merged


def prefix(member: int) -> str:
    """Return what the names of a member's own values begin with."""
    return f"member{member}."


def prefixed(graph: GraphProto, start: str) -> GraphProto:
    """Return a graph all of whose names but those of observations begin with `start`."""

    def rename(name: str) -> str:
        is_shared = name.startswith("obs.") or name in ("", EPISODE_START)
        return name if is_shared else start + name

    renamed = GraphProto()
    renamed.CopyFrom(graph)
    for node in renamed.node:
        node.name = start + node.name
        node.input[:] = [rename(name) for name in node.input]
        node.output[:] = [rename(name) for name in node.output]
    for value in (*renamed.input, *renamed.output, *renamed.initializer):
        value.name = rename(value.name)
    return renamed


def joints(count: int) -> list[NodeProto]:
    """Return the operators that join the members' outputs.

    The largest log-probability is taken out before they are exponentiated, lest all vanish.
    """

    def of_all(name: str) -> list[str]:
        return [prefix(i) + name for i in range(count)]

    logs, ratios, parts = (of_all(f"joint.{name}") for name in ("log", "ratio", "part"))
    nodes = [
        helper.make_node("LogSoftmax", [logits], [log], axis=-1)
        for logits, log in zip(of_all(LOGITS), logs, strict=True)
    ]
    nodes.append(helper.make_node("Max", logs, ["joint.largest"]))
    for log, ratio, part in zip(logs, ratios, parts, strict=True):
        nodes.append(helper.make_node("Sub", [log, "joint.largest"], [ratio]))
        nodes.append(helper.make_node("Exp", [ratio], [part]))
    return [
        *nodes,
        helper.make_node("Mean", parts, ["joint.mean"]),
        helper.make_node("Log", ["joint.mean"], ["joint.log"]),
        helper.make_node("Add", ["joint.log", "joint.largest"], [LOGITS]),
        helper.make_node("Mean", of_all(VALUE), [VALUE]),
        helper.make_node("Concat", of_all(FEATURES), [FEATURES], axis=1),
    ]


def joined_outputs(graphs: Sequence[GraphProto]) -> list[ValueInfoProto]:
    """Return the outputs of the ensemble: those in common, then the members' next states."""
    first = {value.name.removeprefix(prefix(0)): value for value in graphs[0].output}
    common = []
    for name in (LOGITS, VALUE, FEATURES):
        value = ValueInfoProto()
        value.CopyFrom(first[name])
        value.name = name
        common.append(value)
    sizes = [o.type.tensor_type.shape.dim for g in graphs for o in g.output if is_features(o)]
    common[-1].type.tensor_type.shape.dim[1].dim_value = sum(dim[1].dim_value for dim in sizes)
    return [*common, *(o for g in graphs for o in g.output if o.name.endswith(NEXT))]


def is_features(output: ValueInfoProto) -> bool:
    """Tell whether a member's output is its features."""
    return output.name.split(".")[-1] == FEATURES
