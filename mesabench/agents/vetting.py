"""Which ONNX files are run at all: a stranger's file is data, and is read as nothing else.

The file is parsed, checked against the limits below, and handed on as the parsed message without
unknown fields: what is run is exactly what was looked at, however another parser would have read
the original bytes.
"""

import math
from collections.abc import Iterable, Iterator
from typing import Any

import onnx
from google.protobuf.message import DecodeError, Message
from onnx import AttributeProto, TensorProto

from mesabench.agents.operators import OPERATORS, REASONS
from mesabench.errors import AgentError

MAX_BYTES = 32 * 2**20
MAX_NODES = 10_000
MAX_ELEMENTS = MAX_BYTES  # of one constant: no more than a file of one-byte numbers could hold

STANDARD_DOMAINS = frozenset({"", "ai.onnx"})  # two names of the same one
PLAIN_ATTRIBUTES = frozenset(
    {
        *(AttributeProto.FLOAT, AttributeProto.INT, AttributeProto.STRING, AttributeProto.TENSOR),
        *(AttributeProto.FLOATS, AttributeProto.INTS, AttributeProto.STRINGS),
    }
)


def vet(data: bytes) -> onnx.ModelProto:
    """Parse an ONNX file's bytes and return the model if it is safe and reproducible to run.

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
        refusal = next(refusals(model), None)
    except (DecodeError, UnicodeDecodeError) as error:
        raise AgentError(f"not an ONNX file: {quoted(error)}") from error
    if refusal:
        raise AgentError(f"refused: {refusal}")
    try:
        onnx.checker.check_model(model)
    # The checker raises its own type, and others where a field does not decode.
    except Exception as error:
        raise AgentError(f"not a valid ONNX model: {quoted(error)}") from error
    if gap := next(_gaps(model), None):
        raise AgentError(f"refused: {gap}")
    return model


def refusals(model: onnx.ModelProto) -> Iterator[str]:
    """Yield what in `model` is refused and why."""
    graph = model.graph
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
    if sum(entry.domain in STANDARD_DOMAINS for entry in model.opset_import) != 1:
        yield "not exactly one version of the standard operators"
    for value in (*graph.input, *graph.output, *graph.value_info):
        if value.type.WhichOneof("value") not in ("tensor_type", None):
            yield f"{value.name!r} is not a plain tensor"
    yield from (reason for node in graph.node for reason in _of_node(node))
    yield from _of_tensors(graph.initializer)


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


def _gaps(model: onnx.ModelProto) -> Iterator[str]:
    """Yield where an input that is not optional is left empty, which crashes some kernels.

    The model must have passed the checker, so that every operator is known.
    """
    versions = {entry.domain: entry.version for entry in model.opset_import}
    version = versions.get("", versions.get("ai.onnx", 0))
    for node in model.graph.node:
        parameters = onnx.defs.get_schema(node.op_type, version).inputs
        for place, name in enumerate(node.input):
            # The last parameter of a variadic operator stands for all that follow.
            option = parameters[min(place, len(parameters) - 1)].option
            if not name and option != onnx.defs.OpSchema.FormalParameterOption.Optional:
                yield f"operator {node.op_type!r} (node {node.name!r}): input {place} is empty"


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
