"""Which ONNX files are run at all: a stranger's file is data, and is read as nothing else.

The file is parsed, checked against the limits below, and handed on as the parsed message without
unknown fields: what is run is exactly what was looked at, however another parser would have read
the original bytes.
"""

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import onnx
from google.protobuf.message import DecodeError, Message
from onnx import AttributeProto, TensorProto

from mesabench.agents.operators import OPERATORS, REASONS
from mesabench.errors import AgentError

MAX_BYTES = 32 * 2**20
MAX_NODES = 10_000
MAX_METADATA = 2**16  # characters of all properties: an exporter's notes
MAX_ELEMENTS = MAX_BYTES  # of one constant: no more than a file of one-byte numbers could hold

STANDARD_DOMAINS = frozenset({"", "ai.onnx"})  # two names of the same one
MAX_INTEGER = 2**16  # in magnitude, of an attribute: an axis, a size, a stride
ANY_INTEGER = frozenset({"Constant", "Shape", "Slice"})  # for which 2**63 - 1 means "to the end"
LEAST = {"batch_dims": 0, "group": 1}  # kernels crash below
PLAIN_ATTRIBUTES = frozenset(
    {
        *(AttributeProto.FLOAT, AttributeProto.INT, AttributeProto.STRING, AttributeProto.TENSOR),
        *(AttributeProto.FLOATS, AttributeProto.INTS, AttributeProto.STRINGS),
    }
)


def vet(data: bytes) -> onnx.ModelProto:
    """Parse an ONNX file's bytes and return the model if nothing in it is refused.

    Raises:
        AgentError: the bytes are too many or no ONNX model, or the model contains something that
            is refused; the message says what and why.
    """
    if len(data) > MAX_BYTES:
        raise AgentError(f"the file has {len(data):,} bytes; at most {MAX_BYTES:,} are read")
    model = onnx.ModelProto()
    try:
        model.ParseFromString(data)
        model.DiscardUnknownFields()
        _trim(model.graph)
        refusal = next(refusals(model), None)
    except (DecodeError, UnicodeDecodeError) as error:
        raise AgentError(f"not an ONNX file: {quoted(error)}") from error
    if refusal:
        raise AgentError(f"refused: {refusal}")
    return model


def read_metadata(path: Path) -> dict[str, str]:
    """Return the properties that an agent's file holds.

    Raises:
        AgentError: the file cannot be read, or is refused.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise AgentError(f"cannot read the agent {str(path)!r}: {error.strerror}") from error
    return {p.key: p.value for p in vet(data).metadata_props}


def check(model: onnx.ModelProto) -> None:
    """Have ONNX's own checker look at a model that `vet` returned.

    Raises:
        AgentError: the model breaks ONNX's rules, or its types and shapes contradict each other.
    """
    try:
        onnx.checker.check_model(model, full_check=True)
    # The checker raises its own type, and others where a field does not decode.
    except Exception as error:
        raise AgentError(f"not a valid ONNX model: {quoted(error)}") from error


def refusals(model: onnx.ModelProto) -> Iterator[str]:
    """Yield what in `model` is refused and why."""
    graph = model.graph
    if not graph.output:
        yield "it holds no graph"
    if model.functions:
        yield "local functions; export with every function inlined"
    if model.training_info:
        yield "training information; export for inference"
    if graph.sparse_initializer:
        yield "sparse constants; store them dense"
    if len(graph.node) > MAX_NODES:
        yield f"{len(graph.node):,} nodes; at most {MAX_NODES:,} are run"
    # Protobuf's usual implementation hands text that does not decode over as bytes.
    if any(isinstance(text, bytes) for text in _texts(model)):
        yield "text that is not UTF-8"
    if (size := sum(len(p.key) + len(p.value) for p in model.metadata_props)) > MAX_METADATA:
        yield f"{size:,} characters of properties; at most {MAX_METADATA:,} are read"
    versions = [entry.version for entry in model.opset_import if entry.domain in STANDARD_DOMAINS]
    if len(versions) != 1:
        yield "not exactly one version of the standard operators"
    for value in (*graph.input, *graph.output, *graph.value_info):
        if value.type.WhichOneof("value") not in ("tensor_type", None):
            yield f"{value.name!r} is not a plain tensor"
    yield from (reason for node in graph.node for reason in _of_node(node))
    yield from _of_tensors(graph.initializer)
    yield from _crashing(graph, versions[0])


def _of_node(node: onnx.NodeProto) -> Iterator[str]:
    """Yield what about one node is refused and why."""
    what = f"operator {node.op_type!r} (node {node.name!r})"
    if node.domain not in STANDARD_DOMAINS:
        yield f"{what} of domain {node.domain!r}; only the standard operators are run"
    if node.op_type not in OPERATORS:
        reason = REASONS.get(node.op_type, "not among the operators that policies are made of")
        yield f"{what}: {reason}"
    if node.op_type == "Dropout" and any(node.input[2:]):
        yield f"{what} with a training mode: random; export in evaluation mode"
    for attribute in node.attribute:
        if attribute.type not in PLAIN_ATTRIBUTES:
            kind = attribute.type
            known = kind in AttributeProto.AttributeType.values()
            label = AttributeProto.AttributeType.Name(kind) if known else str(kind)
            yield f"{what} with an attribute {attribute.name!r} of kind {label}"
        integers = (attribute.i, *attribute.ints)
        if max(map(abs, integers)) > MAX_INTEGER and node.op_type not in ANY_INTEGER:
            yield f"{what} with {attribute.name!r} beyond {MAX_INTEGER:,}"
        if attribute.HasField("t"):
            yield from _of_tensors([attribute.t])


def _of_tensors(tensors: Iterable[TensorProto]) -> Iterator[str]:
    """Yield what about constants is refused and why."""
    for tensor in tensors:
        what = f"constant {tensor.name!r}"
        if tensor.data_location != TensorProto.DEFAULT or tensor.external_data:
            yield f"{what} lies in another file; export with the weights inside"
        if tensor.data_type == TensorProto.STRING:
            yield f"{what} holds text"
        if min(tensor.dims, default=0) < 0 or math.prod(tensor.dims) > MAX_ELEMENTS:
            yield f"{what} has shape {list(tensor.dims)}; at most {MAX_ELEMENTS:,} elements fit"


def _crashing(graph: onnx.GraphProto, version: int) -> Iterator[str]:
    """Yield what the checker or the runtime is known to crash on.

    The list is what random graphs found. It is no proof that nothing else does, so a service that
    runs strangers' agents should still do so in a process of its own.
    """
    empty = {tensor.name for tensor in graph.initializer if 0 in tensor.dims}
    for node in graph.node:
        what = f"operator {node.op_type!r} (node {node.name!r})"
        if _lacks_input(node, version):
            yield f"{what} lacks an input"
        if node.op_type == "OneHot" and empty.intersection(node.input[1:2]):
            yield f"{what} has an empty depth"
        for attribute in node.attribute:
            if attribute.i < (least := LEAST.get(attribute.name, attribute.i)):
                yield f"{what} has {attribute.name!r} below {least}"


def _lacks_input(node: onnx.NodeProto, version: int) -> bool:
    """Return whether an input that is not optional is left empty."""
    try:
        parameters = onnx.defs.get_schema(node.op_type, version).inputs
    except onnx.defs.SchemaError:
        parameters = []
    if not parameters:
        return False  # an unknown operator or too many inputs, as the checker will say
    # The last parameter of a variadic operator stands for all that follow.
    options = [parameters[min(n, len(parameters) - 1)].option for n in range(len(node.input))]
    return any(
        not name and option != onnx.defs.OpSchema.FormalParameterOption.Optional
        for name, option in zip(node.input, options, strict=True)
    )


def _trim(graph: onnx.GraphProto) -> None:
    """Drop empty inputs from the end: they mean what absent ones mean, but crash some kernels."""
    for node in graph.node:
        while node.input and not node.input[-1]:
            node.input.pop()


def _texts(message: Message) -> Iterator[str | bytes]:
    """Yield every text field of a message and of the messages in it."""
    for field, value in message.ListFields():
        values: Any = [value] if isinstance(value, str | bytes | Message) else value
        if field.type == field.TYPE_STRING:
            yield from values
        elif field.type == field.TYPE_MESSAGE:
            for part in values:
                yield from _texts(part)


def quoted(error: Exception) -> str:
    """Return the first line of a foreign message, printable and of bounded length."""
    line = next(iter(str(error).splitlines()), "") or type(error).__name__
    return "".join(c if c.isprintable() else "?" for c in line)[:300]
