"""Search over the states of levels: what every move does in each of them, as the engine plays it.

States are told apart by 63 bits of a hash.
"""

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mesabench.engine.batch import Engine
from mesabench.engine.cache import kernel
from mesabench.engine.rng import mix
from mesabench.errors import PlannerError
from mesabench.planner.packing import pack, unpack

CHUNK = 1024  # states that are stepped at once; so many stay in a core's cache
MAX_STATES = 200_000  # of one level
OVER = -1


class Search:
    """Breadth-first search over the states of many levels at once.

    Args:
        engine: what is played; the others in it play all agents that do not move.
        levels: how many levels there are.
        moves: M moves to try in every state: the actions of the first n agents each.
        keep: whether the states themselves are kept.
    """

    def __init__(
        self,
        engine: Engine,
        levels: int,
        moves: Sequence[tuple[int, ...]],
        *,
        keep: bool = False,
    ):
        self.scratch = Engine(
            engine.task,
            engine.split,
            batch=CHUNK,
            seed=None,
            autoreset=False,
            knobs=engine.given_knobs,
            partners=engine.partners,
            blind=True,
        )
        self.moves, self.keep = moves, keep
        self.total = 0
        self.sizes = np.zeros(levels, np.int64)  # states of each level so far
        self._keys, self._numbers = np.zeros(1 << 16, np.uint64), np.zeros(1 << 16, np.int64)
        self._levels: list[NDArray[np.int64]] = []
        self._after: list[NDArray[np.int64]] = []
        self._events: list[NDArray[np.uint8]] = []
        self._states: list[NDArray[np.uint64]] = []
        self._front: list[tuple[NDArray[np.uint64], NDArray[np.int64]]] = []

    def run(self, starts: NDArray[np.uint64], which: NDArray[np.int64]) -> None:
        """Search from the start of each level; `which` has the levels' numbers, for messages.

        Raises:
            PlannerError: a level has more than `MAX_STATES` states.
        """
        self.meet(starts, np.arange(len(starts)))
        while self.expand():
            if self.sizes.max() > MAX_STATES:
                level = f"{self.scratch.task.id}/{self.scratch.split}"
                where = f"{level}, world {int(which[self.sizes.argmax()])}"
                raise PlannerError(
                    f"{where}: more than {MAX_STATES} states; choose a smaller level"
                )

    def meet(self, states: NDArray[np.uint64], levels: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the numbers [n] of states; those met for the first time join the frontier."""
        while 2 * (self.total + len(states)) > len(self._keys):
            self._keys, self._numbers = regrow(self._keys, self._numbers)
        keys = hash_rows(states, levels)
        numbers, fresh = look_up(self._keys, self._numbers, keys, self.total)
        if fresh.any():
            self.total += int(fresh.sum())
            self.sizes += np.bincount(levels[fresh], minlength=len(self.sizes))
            self._front.append((states[fresh], levels[fresh]))
            self._levels.append(levels[fresh])
            if self.keep:
                self._states.append(states[fresh])
        return numbers

    def expand(self) -> bool:
        """Try every move in every state of the frontier; return whether new ones came up."""
        states, levels = (np.concatenate(part) for part in zip(*self._front, strict=True))
        self._front = []
        shape = (len(self.moves), len(self.moves[0]), len(self.scratch.task.events))
        for first in range(0, len(states), CHUNK):
            some, of = states[first : first + CHUNK], levels[first : first + CHUNK]
            after = np.empty((len(some), len(self.moves)), np.int64)
            events = np.empty((len(some), *shape), np.uint8)
            for i, move in enumerate(self.moves):
                after[:, i], events[:, i] = self._try(some, of, move)
            self._after.append(after)
            self._events.append(events)
        return bool(self._front)

    def _try(
        self, states: NDArray, levels: NDArray[np.int64], move: tuple[int, ...]
    ) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
        engine, n = self.scratch, len(states)
        world = unpack(engine, states)
        world["clock"][:n] = 0
        np.asarray(engine.course)["ended"][:n] = False
        engine.step_some(move, n)
        over = world["terminated"][:n]
        after = np.full(n, OVER, np.int64)
        after[~over] = self.meet(pack(engine, n)[~over], levels[~over])
        return after, world["events"][:n, : len(move), : len(engine.task.events)]

    def levels(self) -> list[tuple[NDArray[np.int32], NDArray[np.uint8], NDArray[np.uint64]]]:
        """Return what was found of each level, whose states have numbers of its own.

        The next state int32 [S, M], events uint8 [S, M, n, E], and the states as rows of words
        [S, W] (none where they were not kept).
        """
        level, after = np.concatenate(self._levels), np.concatenate(self._after)
        events = np.concatenate(self._events)
        order = np.argsort(level, kind="stable")
        first = np.searchsorted(level[order], np.arange(len(self.sizes) + 1))
        number = np.empty(len(level), np.int64)
        number[order] = np.arange(len(level)) - np.repeat(first[:-1], np.diff(first))
        local = np.where(after == OVER, OVER, number[after]).astype(np.int32)[order]
        events = events[order]
        states = np.concatenate(self._states)[order] if self.keep else np.zeros((0, 0), np.uint64)
        spans = itertools.pairwise(first)
        return [(local[low:high], events[low:high], states[low:high]) for low, high in spans]


@kernel
def hash_rows(rows, levels):
    """Return a hash, never 0, of each row of words [n, D] and the level [n] it belongs to."""
    keys = np.empty(len(rows), np.uint64)
    for i in range(len(rows)):
        word = mix(np.uint64(levels[i]))
        for j in range(rows.shape[1]):
            word = mix(word ^ rows[i, j])
        keys[i] = word | np.uint64(1)
    return keys


@kernel
def look_up(table, numbers, keys, total):
    """Return the number of each key [n], and which of them were new; those go into the table."""
    found, fresh = np.empty(len(keys), np.int64), np.zeros(len(keys), np.bool_)
    mask = np.uint64(len(table) - 1)
    for i in range(len(keys)):
        place = (keys[i] >> np.uint64(1)) & mask
        while table[place] != 0 and table[place] != keys[i]:
            place = (place + np.uint64(1)) & mask
        if table[place] == 0:
            table[place], numbers[place] = keys[i], total
            fresh[i] = True
            total += 1
        found[i] = numbers[place]
    return found, fresh


@kernel
def regrow(table, numbers):
    """Return a hash table of twice the size with the same entries."""
    larger, moved = np.zeros(2 * len(table), np.uint64), np.zeros(2 * len(table), np.int64)
    mask = np.uint64(len(larger) - 1)
    for i in range(len(table)):
        if table[i] != 0:
            place = (table[i] >> np.uint64(1)) & mask
            while larger[place] != 0:
                place = (place + np.uint64(1)) & mask
            larger[place], moved[place] = table[i], numbers[i]
    return larger, moved
