"""States as rows of words: what of a world counts as its state, and no more."""

import functools

import numpy as np
from numpy.typing import NDArray

from mesabench.engine.batch import Engine
from mesabench.engine.cache import kernel

# What a state is: everything in a world but its clock, its horizon and what is observed of it.
FIELDS = ("grid", "inside", "marks", "pose", "carrying", "inventory", "memory")


def pack(engine: Engine, worlds: int | None = None) -> NDArray[np.uint64]:
    """Return what counts as a state of the first so many worlds (of all), a row of words each."""
    world = np.asarray(engine.world)
    spans = find_spans(world.dtype)
    words = -(-int(spans[:, 1].sum()) // 8)
    packed = np.zeros((len(world) if worlds is None else worlds, words), np.uint64)
    gather(world.view(np.uint8).reshape(len(world), -1), spans, packed.view(np.uint8))
    return packed


def unpack(engine: Engine, states: NDArray[np.uint64]) -> NDArray:
    """Put states [n] into the first n worlds; return all worlds as an array of records."""
    world = np.asarray(engine.world)
    rows = world.view(np.uint8).reshape(len(world), -1)
    scatter(states.view(np.uint8), find_spans(world.dtype), rows)
    return world


@functools.cache
def find_spans(record: np.dtype) -> NDArray[np.int64]:
    """Return where the fields of a state lie in a world's record, [n, (first byte, bytes)].

    Fields that follow one another are one span.
    """
    fields = record.fields or {}
    spans: list[list[int]] = []
    for offset, size in sorted((fields[name][1], fields[name][0].itemsize) for name in FIELDS):
        if spans and sum(spans[-1]) == offset:
            spans[-1][1] += size
        else:
            spans.append([offset, size])
    return np.array(spans)


@kernel
def gather(rows, spans, packed):
    """Copy spans of the first n rows of bytes [N, W], one after the other, to `packed` [n, D]."""
    for i in range(len(packed)):
        at = 0
        for first, size in spans:
            packed[i, at : at + size] = rows[i, first : first + size]
            at += size


@kernel
def scatter(packed, spans, rows):
    """Copy what `gather` has packed back to the first n rows."""
    for i in range(len(packed)):
        at = 0
        for first, size in spans:
            rows[i, first : first + size] = packed[i, at : at + size]
            at += size
