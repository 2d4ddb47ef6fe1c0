"""Exact values where things move or come back: every state that the engine itself can reach.

`explore` asks the engine what each action does in each state of a level, from its start on, until
no new state turns up; `StatePlan` then holds the optimal values of any objectives on that graph.
No rule is written down twice, so the values are those of the game that agents play. It is for
levels of few states (small rooms); what a step does must be a function of the world alone, neither
of the clock nor of chance. That goes for whoever plays the other agents, too, on whom the values
are conditioned. States are told apart by 63 bits of a hash.
"""

import functools
import itertools
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mesabench.engine.batch import Engine, Partners
from mesabench.engine.cache import kernel
from mesabench.engine.rng import mix
from mesabench.errors import PlannerError
from mesabench.task import Task

# What a state is: everything in a world but its clock, its horizon and what is observed of it.
FIELDS = ("grid", "inside", "marks", "pose", "carrying", "inventory", "memory")
CHUNK = 1024  # states that are stepped at once; so many stay in a core's cache
THREADS = min(4, os.cpu_count() or 1)  # that share a search
MAX_STATES = 200_000  # of one level
TOLERANCE = 1e-9  # to which values are exact, relative to the largest reward
OVER = -1

_kept: dict[tuple, tuple[Task, Partners | None, list["StateGraph"]]] = {}


class StateGraph(NamedTuple):
    """What every action does in every state of one level. State 0 is the level's start."""

    after: NDArray[np.int32]  # [S, A] the next state, −1 where the episode ends
    events: NDArray[np.uint8]  # [S, A, E] how often each event happens


class StatePlan(NamedTuple):
    """Optimal values of n objectives on a graph of states."""

    graph: StateGraph
    reward: NDArray[np.float64]  # [n, S, A]
    discounts: NDArray[np.float64]  # [n]
    values: NDArray[np.float64]  # [n, S]

    def q_along(self, states: ArrayLike) -> NDArray[np.float64]:
        """Return Q* in T states, float64 [T, n, A]: the value of each action, then optimal play."""
        states = np.asarray(states, np.int64)
        after = self.graph.after[states]
        later = np.where(after == OVER, 0.0, self.values[:, after])
        q = self.reward[:, states] + self.discounts[:, None, None] * later
        return np.moveaxis(q, 0, 1)


def explore(engine: Engine) -> list[StateGraph]:
    """Return the graph of every world of an engine, from its state now.

    Graphs are kept until others are asked for: an audit has many questions about the same levels.

    Raises:
        PlannerError: a level has more than `MAX_STATES` states.
    """
    starts = start_states(engine)
    who = (id(engine.task), id(engine.partners))
    key = (*who, engine.split, str(engine.given_knobs), starts.tobytes())
    if key not in _kept:
        _kept.clear()
        # Task and others are kept too, so that nothing else can get their ids.
        _kept[key] = (engine.task, engine.partners, search_all(engine, starts))
    return _kept[key][2]


def start_states(engine: Engine) -> NDArray[np.uint64]:
    """Return the states from which the levels of an engine are searched, a row of words each."""
    if (engine.course.variant != 0).any():
        raise PlannerError("levels that alpha has mixed in are not planned on all states")
    return pack(engine)


def search_all(engine: Engine, starts: NDArray[np.uint64]) -> list[StateGraph]:
    """Return the graphs of levels from their starts, by playing them beside the engine."""
    parts = np.array_split(np.arange(len(starts)), min(THREADS, len(starts)))
    with ThreadPoolExecutor(len(parts)) as pool:
        return list(itertools.chain(*pool.map(lambda part: search(engine, starts, part), parts)))


def search(
    engine: Engine, starts: NDArray[np.uint64], which: NDArray[np.int64]
) -> list[StateGraph]:
    """Return the graphs of some of the levels."""
    found = Search(engine, len(which), [(action,) for action in range(engine.task.actions)])
    found.run(starts[which], which)
    return [StateGraph(after, events[:, :, 0]) for after, events, _ in found.levels()]


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


def plan_states(graph: StateGraph, weights: ArrayLike, discounts: ArrayLike) -> StatePlan:
    """Compute the optimal values of objectives on a graph of states.

    Args:
        graph: the level.
        weights: [n, E] reward per event, of either sign.
        discounts: [n] per step, above 0 and below 1.

    Raises:
        PlannerError: a discount is out of range.
    """
    weights = np.array(weights, np.float64, ndmin=2)
    discounts = np.broadcast_to(np.asarray(discounts, np.float64), len(weights)).copy()
    if not ((discounts > 0) & (discounts < 1)).all():
        raise PlannerError(f"discounts {discounts} are not above 0 and below 1")
    reward = np.ascontiguousarray(np.moveaxis(graph.events @ weights.T, -1, 0))
    return StatePlan(graph, reward, discounts, iterate(graph.after, reward, discounts))


@kernel
def iterate(after, reward, discounts):
    """Return the values [n, S], by value iteration from the states that were found last."""
    objectives, states, actions = reward.shape
    values = np.zeros((objectives, states))
    for k in range(objectives):
        value, gain, discount = values[k], reward[k], discounts[k]
        least = TOLERANCE * (1.0 - discount) * max(np.abs(gain).max(), 1e-300)
        change = least + 1.0
        while change > least:
            change = 0.0
            for s in range(states - 1, -1, -1):
                best = -np.inf
                for action in range(actions):
                    worth = gain[s, action]
                    if after[s, action] >= 0:
                        worth += discount * value[after[s, action]]
                    best = max(best, worth)
                change = max(change, abs(best - value[s]))
                value[s] = best
    return values


@kernel
def follow_states(after, actions):
    """Return the states [T + 1] that actions [T] lead through from state 0; the last is kept."""
    states = np.zeros(len(actions) + 1, np.int64)
    for t in range(len(actions)):
        later = after[states[t], actions[t]]
        states[t + 1] = later if later >= 0 else states[t]
    return states


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
