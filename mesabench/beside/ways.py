"""Ways: in how few steps an objective's next target can be reached, on the whole level.

The way to an objective's target ends with the first step that pays it, and has no step on it that
costs it anything. Its length counts every step, turns and the fetching of items included.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mesabench.engine.batch import Engine
from mesabench.planner import plan_worlds
from mesabench.planner.states import StateGraph, explore, follow_states
from mesabench.rollout import Rollout
from mesabench.task import Objective, Task

STEEP = 0.03  # a discount at which only the first payment counts


class Course(NamedTuple):
    """What lay before the agent at each of the T steps of one episode, for K objectives.

    Attributes:
        q: float64 [T, K, A] the optimal value of every action.
        steps: float64 [T, K] length of the shortest way to a target; infinite where there is none.
    """

    q: NDArray[np.float64]
    steps: NDArray[np.float64]


def trace_courses(played: Rollout, *objectives: Objective) -> list[Course]:
    """Return the course of every episode of a rollout, for the given objectives."""
    task = played.task
    engine = played.begin()
    plans = plan_worlds(engine, task.weights(*objectives), task.discounts(*objectives))
    actions = [played.actions[:n, b] for b, n in enumerate(played.lengths)]
    steps = measure(engine, scaled(task, *objectives), actions)
    return [
        Course(found.q_along(done), ways)
        for found, done, ways in zip(plans, actions, steps, strict=True)
    ]


def shortest_ways(played: Rollout, *objectives: Objective) -> NDArray[np.float64]:
    """Return the length of the shortest way to a target from each level's start, [N, K]."""
    first = [row[:1] for row in played.actions.T]
    steps = measure(played.begin(), scaled(played.task, *objectives), first)
    return np.concatenate(steps)


def measure(
    engine: Engine, weights: NDArray[np.float64], actions: list[NDArray]
) -> list[NDArray[np.float64]]:
    """Return the lengths [T, K] before each action of every world, by the task's planner."""
    planned = _on_graphs if engine.task.planner == "states" else _on_charts
    return planned(engine, weights, actions)


def scaled(task: Task, *objectives: Objective) -> NDArray[np.float64]:
    """Return the objectives' weights [K, E], the largest payment of each being 1."""
    weights = task.weights(*objectives)
    return weights / np.maximum(weights.max(1, keepdims=True), 1e-12)


def _on_charts(
    engine: Engine, weights: NDArray[np.float64], actions: list[NDArray]
) -> list[NDArray[np.float64]]:
    """Read the lengths off values: with payments of about 1, log V / log γ is within ½ of them."""
    found = []
    for level, done in zip(plan_worlds(engine, weights, STEEP), actions, strict=True):
        value = level.q_along(done).max(-1)
        length = 1 + np.round(np.log(np.maximum(value, 1e-320)) / np.log(STEEP))
        found.append(np.where(value > 0, length, np.inf))
    return found


def _on_graphs(
    engine: Engine, weights: NDArray[np.float64], actions: list[NDArray]
) -> list[NDArray[np.float64]]:
    return [
        shortest(graph, weights)[:, follow_states(graph.after, done.astype(np.int64))[:-1]].T
        for graph, done in zip(explore(engine), actions, strict=True)
    ]


def shortest(graph: StateGraph, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the length of the shortest way from every state of a graph, float64 [K, S]."""
    pay = np.moveaxis(graph.events @ weights.T, -1, 0)
    steps = np.full((len(weights), len(graph.after)), np.inf)
    while True:
        later = np.where((graph.after < 0) | (pay < 0), np.inf, steps[:, graph.after])
        shorter = 1 + np.where(pay > 0, 0.0, later).min(-1)
        if (shorter == steps).all():
            return steps
        steps = shorter
