"""The agent contract's inputs and outputs: names, element types and shapes.

Inputs are any subset of ``obs.<key>`` and ``episode_start``; every other input ``x`` is recurrent
state and needs an output ``x_next``. Outputs are ``logits``, the next states and, if the agent
shows them, ``value`` float32 [B] (what it expects to earn from here on) and ``x`` float32 [B, D]
(the features from which it chooses). B, the batch, leads everywhere and is dynamic.
"""

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import onnx
from gymnasium import spaces
from numpy.typing import DTypeLike
from onnx import TensorProto

from mesabench.errors import AgentError, nearest, unknown

MAX_STATE = 2**16  # floats of recurrent state per row of a batch; as many of features
EPISODE_START, LOGITS, VALUE, NEXT = "episode_start", "logits", "value", "_next"
FEATURES = "x"
OPTIONAL = (VALUE, FEATURES)
ELEMENTS: dict[int, np.dtype] = {
    TensorProto.UINT8: np.dtype(np.uint8),
    TensorProto.INT64: np.dtype(np.int64),
    TensorProto.FLOAT: np.dtype(np.float32),
    TensorProto.DOUBLE: np.dtype(np.float64),
}


class Port(NamedTuple):
    """An input or output as the file declares it."""

    name: str
    dtype: np.dtype | None  # None: a type that the contract does not know
    shape: tuple[int | str, ...]  # a string for an axis of any size

    def __str__(self) -> str:
        return f"{self.dtype or 'another type'} [{', '.join(map(str, self.shape))}]"


class Rows(NamedTuple):
    """Element type and shape of one row of a batch."""

    dtype: np.dtype
    shape: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.dtype} [{', '.join(('B', *map(str, self.shape)))}]"


class Signature(NamedTuple):
    """What an agent reads and writes, by input name."""

    observations: dict[str, Rows]
    states: dict[str, Rows]
    reads_episode_start: bool
    outputs: dict[str, Rows]


def observed(space: spaces.Dict) -> dict[str, Rows]:
    """Return what agents may read of an observation space, by input name.

    A uint8 Box stays uint8, other integers become int64, floats keep their type; text is left out.
    """
    return {
        f"obs.{key}": Rows(_element(part.dtype), part.shape or ())
        for key, part in space.spaces.items()
        if isinstance(
            part, spaces.Box | spaces.Discrete | spaces.MultiDiscrete | spaces.MultiBinary
        )
    }


def _element(dtype: DTypeLike) -> np.dtype:
    dtype = np.dtype(dtype)
    return dtype if dtype == np.uint8 or dtype.kind == "f" else np.dtype(np.int64)


def ports(values: Iterable[onnx.ValueInfoProto]) -> dict[str, Port]:
    """Return a graph's declared inputs or outputs by name."""
    return {
        value.name: Port(
            value.name,
            ELEMENTS.get(value.type.tensor_type.elem_type),
            tuple(
                axis.dim_value if axis.HasField("dim_value") else axis.dim_param or "?"
                for axis in value.type.tensor_type.shape.dim
            ),
        )
        for value in values
    }


def match(graph: onnx.GraphProto, space: spaces.Dict, num_actions: int) -> Signature:
    """Match what a graph declares with the contract.

    Raises:
        AgentError: a port is missing, unknown, or of the wrong type or shape.
    """
    readable = observed(space)
    flag = Rows(np.dtype(np.float32), ())
    fixed = {**readable, EPISODE_START: flag}
    constants = {tensor.name for tensor in graph.initializer}  # old files list them as inputs too
    named = ports(value for value in graph.input if value.name not in constants)
    for port in named.values():
        if port.name.startswith("obs.") and port.name not in readable:
            raise AgentError(unknown("observation input", port.name, readable))
        if port.name in fixed:
            _expect(port, fixed[port.name])
    states = {name: _state(port, fixed) for name, port in named.items() if name not in fixed}
    if (floats := sum(math.prod(rows.shape) for rows in states.values())) > MAX_STATE:
        raise AgentError(
            f"the state has {floats:,} numbers per row; at most {MAX_STATE:,} are kept"
        )
    declared = ports(graph.output)
    promised = {
        LOGITS: Rows(np.dtype(np.float32), (num_actions,)),
        VALUE: flag,
        FEATURES: _features(declared.get(FEATURES)),
        **{name + NEXT: rows for name, rows in states.items()},
    }
    return Signature(
        observations={name: rows for name, rows in readable.items() if name in named},
        states=states,
        reads_episode_start=EPISODE_START in named,
        outputs=_outputs(declared, promised, fixed),
    )


def _outputs(
    found: dict[str, Port], promised: dict[str, Rows], inputs: Iterable[str]
) -> dict[str, Rows]:
    """Return the outputs that the file has, in its order, after checking names and types."""
    for port in found.values():
        if port.name not in promised:
            raise AgentError(unknown("output", port.name, promised))
        _expect(port, promised[port.name])
    for name in promised:
        if name not in found and name not in OPTIONAL:
            state = name.removesuffix(NEXT) if name != LOGITS else ""
            raise AgentError(
                f"no output {name!r}{f' for the state input {state!r}' if state else ''}; the file"
                f" has {', '.join(map(repr, found)) or 'none'}" + _hint(state, inputs)
            )
    return {name: promised[name] for name in found}


def _features(port: Port | None) -> Rows:
    """Return the rows of the output for features; D is what the file says it is."""
    sizes = (1,) if port is None else port.shape[1:]
    if len(sizes) != 1 or not isinstance(sizes[0], int) or not 0 < sizes[0] <= MAX_STATE:
        raise AgentError(
            f"output {FEATURES!r}: expected float32 [B, D] with a fixed D of at most"
            f" {MAX_STATE:,}, found {port}"
        )
    return Rows(np.dtype(np.float32), (sizes[0],))


def _state(port: Port, inputs: Iterable[str]) -> Rows:
    """Return the rows of a state input."""
    sizes = tuple(n for n in port.shape[1:] if isinstance(n, int) and n > 0)
    if port.dtype != np.float32 or len(sizes) != len(port.shape) - 1:
        raise AgentError(
            f"input {port.name!r} is neither an observation nor {EPISODE_START!r}, so it is state:"
            f" expected float32 [B, ...] with fixed sizes after B, found {port}"
            + _hint(port.name, inputs)
        )
    rows = Rows(np.dtype(np.float32), sizes)
    _expect(port, rows)
    return rows


def _hint(name: str, inputs: Iterable[str]) -> str:
    close = nearest(name, inputs) or nearest(f"obs.{name}", inputs)
    return f"; did you mean the input {close!r}?" if close else ""


def _expect(port: Port, rows: Rows) -> None:
    """Raise AgentError unless `port` can carry `rows` at any batch size."""
    sizes = port.shape[1:]
    fits = (
        port.dtype == rows.dtype
        and len(port.shape) == 1 + len(rows.shape)
        and all(not isinstance(n, int) or n == m for n, m in zip(sizes, rows.shape, strict=True))
    )
    if not fits:
        raise AgentError(f"{port.name!r}: expected {rows}, found {port}")
    if isinstance(port.shape[0], int):
        raise AgentError(
            f"{port.name!r}: the batch axis is fixed at {port.shape[0]}; export it as dynamic"
        )
