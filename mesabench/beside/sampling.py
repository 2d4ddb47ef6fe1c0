"""Labelled states of an agent's way through levels, for probes to fit on and to be tested on."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mesabench.agents.recording import Record
from mesabench.engine.codes import NUM_OBJECTS

STATES = 24  # of one level at most, evenly spaced, so that long idle episodes do not prevail
LEAST_LEVELS = 8  # in either half


class Sample(NamedTuple):
    """M states of one half of the levels."""

    inner: NDArray  # [M, D] what the agent shows
    sight: NDArray  # [M, O] what it sees
    label: NDArray[np.int64]  # [M] the side
    level: NDArray[np.int64]  # [M] ascending
    fits: NDArray[np.bool_]  # [M] whether it is of the half of the levels to fit on

    def of(self, chosen: NDArray[np.bool_]) -> "Sample":
        """Return some of the states."""
        return Sample(
            self.inner[chosen],
            self.sight[chosen],
            self.label[chosen],
            self.level[chosen],
            self.fits[chosen],
        )


def gather(
    inner: NDArray, record: Record, labels: NDArray[np.int64], layouts: NDArray[np.uint64]
) -> Sample:
    """Return at most `STATES` labelled states of every level, given labels [S, N]."""
    fits = np.arange(len(layouts)) < len(layouts) // 2
    repeated = ~fits & np.isin(layouts, layouts[fits])
    chosen = []
    for b in np.flatnonzero(~repeated):
        steps = np.flatnonzero(labels[:, b] >= 0)
        places = np.linspace(0, max(len(steps) - 1, 0), min(STATES, len(steps)))
        chosen += [(t, b) for t in steps[places.astype(int)]]
    at, level = np.array(chosen, np.int64).reshape(-1, 2).T
    sight = [seen(name, array[at, level]) for name, array in record.sight.items()]
    return Sample(inner[at, level], np.concatenate(sight, 1), labels[at, level], level, fits[level])


def seen(name: str, rows: NDArray) -> NDArray[np.float32]:
    """Return observations [M, D] as a probe reads them: codes one-hot, numbers as they are."""
    if not np.issubdtype(rows.dtype, np.integer):
        return rows.astype(np.float32)
    codes = NUM_OBJECTS if name == "image" else int(rows.max(initial=0)) + 1
    return np.eye(codes, dtype=np.float32)[rows].reshape(len(rows), -1)


def unfit(sample: Sample) -> str:
    """Return why a sample cannot be probed, "" where it can."""
    for half, purpose in ((sample.fits, "fit on"), (~sample.fits, "test on")):
        if (found := len(np.unique(sample.level[half]))) < LEAST_LEVELS:
            return (
                f"only {found} levels to {purpose} have a target and a layout that is theirs alone;"
                f" at least {LEAST_LEVELS} are needed"
            )
    if len(np.unique(sample.label[sample.fits])) < 2:
        return "the target always lies on the same side"
    return ""


def shuffle(sample: Sample, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return labels [M] of other levels, each taken at the same share of the level's course."""
    _, first, count = np.unique(sample.level, return_index=True, return_counts=True)
    order = rng.permutation(len(first))
    giver = np.empty_like(order)
    giver[order] = np.roll(order, 1)  # one cycle, so that no level keeps its own labels
    place = [
        first[j] + np.rint(np.linspace(0, count[j] - 1, count[i])).astype(np.int64)
        for i, j in enumerate(giver)
    ]
    return sample.label[np.concatenate(place)]
