"""Exact values where things move or come back: every state that the engine itself can reach.

`explore` asks the engine what each action does in each state of a level, from its start on, until
no new state turns up; `StatePlan` then holds the optimal values of any objectives on that graph.
No rule is written down twice, so the values are those of the game that agents play. It is for
levels of few states (small rooms); what a step does must be a function of the world alone, neither
of the clock nor of chance. That goes for whoever plays the other agents, too, on whom the values
are conditioned. States are told apart by 63 bits of a hash.
"""

import itertools
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mesabench.engine.batch import Engine, Partners
from mesabench.engine.cache import kernel
from mesabench.errors import PlannerError
from mesabench.planner.packing import pack
from mesabench.planner.search import OVER, Search
from mesabench.task import Task

THREADS = min(4, os.cpu_count() or 1)  # that share a search
TOLERANCE = 1e-9  # to which values are exact, relative to the largest reward


class StateGraph(NamedTuple):
    """What every action does in every state of one level. State 0 is the level's start."""

    after: NDArray[np.int32]  # [S, A] the next state, −1 where the episode ends
    events: NDArray[np.uint8]  # [S, A, E] how often each event happens


class Kept(threading.local):
    """The graphs that a thread asked for last: two threads do not drive out each other's."""

    # Task and partners are kept too, so that nothing else can get their ids.
    what: tuple[Task, Partners | None, list[StateGraph]] | None = None
    key: tuple | None = None

    def clear(self) -> None:
        """Forget them."""
        self.what = self.key = None


_kept = Kept()


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
    if _kept.what is None or _kept.key != key:
        _kept.clear()  # both lists at once may be too much
        _kept.what = engine.task, engine.partners, search_all(engine, starts)
        _kept.key = key
    return _kept.what[2]


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
    reward = pay(graph.events, weights)
    return StatePlan(graph, reward, discounts, iterate(graph.after, reward, discounts))


@kernel
def pay(events, weights):
    """Return what actions earn under n objectives, [n, S, A], from their events [S, A, E]."""
    states, actions, kinds = events.shape
    earned = np.zeros((len(weights), states, actions))
    for s in range(states):
        for action in range(actions):
            for e in range(kinds):
                if events[s, action, e] > 0:
                    for k in range(len(weights)):
                        earned[k, s, action] += events[s, action, e] * weights[k, e]
    return earned


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
