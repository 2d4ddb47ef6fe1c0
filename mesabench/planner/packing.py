"""States as rows of words: what of a world counts as its state, and no more."""

import functools
import itertools
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mesabench.engine.batch import Engine

# What a state is: everything in a world but its clock, its horizon and what is observed of it.
FIELDS = ("grid", "inside", "marks", "pose", "carrying", "inventory", "memory")


def pack(engine: Engine, worlds: int | None = None) -> NDArray[np.uint64]:
    """Return what counts as a state of the first so many worlds (of all), a row of words each."""
    world = np.asarray(engine.world)
    spans = find_spans(world.dtype)
    size = spans[-1].packed.stop
    n = len(world) if worlds is None else worlds
    packed = np.empty((n, -(-size // 8)), np.uint64)
    packed[:, -1] = 0  # its last bytes may be no state's
    into, rows = packed.view(np.uint8), world.view(np.uint8).reshape(len(world), -1)
    for span in spans:  # NumPy copies rows of bytes several times faster than a kernel
        into[:, span.packed] = rows[:n, span.record]
    return packed


def unpack(engine: Engine, states: NDArray[np.uint64]) -> NDArray:
    """Put states [n] into the first n worlds; return all worlds as an array of records."""
    world = np.asarray(engine.world)
    rows, n = world.view(np.uint8).reshape(len(world), -1), len(states)
    packed = states.view(np.uint8)
    for span in find_spans(world.dtype):
        rows[:n, span.record] = packed[:, span.packed]
    return world


class Span(NamedTuple):
    """Bytes of a state that lie side by side: where in a world's record, and where packed."""

    record: slice
    packed: slice


@functools.cache
def find_spans(record: np.dtype) -> list[Span]:
    """Return where the fields of a state lie; fields that follow one another are one span."""
    fields = record.fields or {}
    spans: list[list[int]] = []
    for offset, size in sorted((fields[name][1], fields[name][0].itemsize) for name in FIELDS):
        if spans and sum(spans[-1]) == offset:
            spans[-1][1] += size
        else:
            spans.append([offset, size])
    ends = itertools.accumulate(size for _, size in spans)
    return [
        Span(slice(first, first + size), slice(end - size, end))
        for (first, size), end in zip(spans, ends, strict=True)
    ]
