"""Exact values for two agents together: every state that their joint actions can reach.

`explore_jointly` tries every pair of actions in every state of a level, and beside the actions
what the task's script would do. From such a graph follow

* the team's optimum (`plan_team`): one mind moves both agents, each is paid for its own events,
  and the team gets the mean, which is what each gets where the reward is the team's;
* what either agent had best do while the other keeps to a policy that it is known to have
  (`respond_to`): the other is part of the world then, and the values are those of `plan_states`.

It is for small levels: what takes one agent thousands of states takes two of them a hundred times
as many. A policy is an array [S]: in each state the number of an action, or `SCRIPT`.
"""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mesabench.engine.batch import Engine
from mesabench.engine.codes import DONE, SCRIPTED
from mesabench.errors import PlannerError
from mesabench.planner.packing import pack
from mesabench.planner.search import Search
from mesabench.planner.states import (
    StateGraph,
    StatePlan,
    plan_states,
    start_states,
)

SCRIPT = -1  # in a policy: what the task's script does


class JointGraph(NamedTuple):
    """What every pair of choices does in every state of one level. State 0 is the level's start.

    An agent has C choices: its actions, and last what the script would do.
    """

    after: NDArray[np.int32]  # [S, C, C] the next state, −1 where the episode ends
    events: NDArray[np.uint8]  # [S, C, C, 2, E] how often each event happens to each agent
    states: NDArray[np.uint64]  # [S, W] the states, as rows of words


def explore_jointly(engine: Engine) -> list[JointGraph]:
    """Return the joint graph of every world of an engine, from its state now.

    Raises:
        PlannerError: the task has not two agents, or a level has too many states.
    """
    task = engine.task
    if task.agents != 2:
        raise PlannerError(f"{task.id} has {task.agents} agents, not the two that act jointly")
    starts, which = start_states(engine), np.arange(engine.batch)
    choices = (*range(task.actions), SCRIPTED)
    found = Search(engine, engine.batch, [*itertools.product(choices, repeat=2)], keep=True)
    found.run(starts, which)
    shape = (len(choices), len(choices))
    return [
        JointGraph(after.reshape(-1, *shape), events.reshape(-1, *shape, *events.shape[2:]), states)
        for after, events, states in found.levels()
    ]


def plan_team(graph: JointGraph, weights: ArrayLike, discounts: ArrayLike) -> StatePlan:
    """Compute the team's optimal values of objectives, over pairs of actions.

    The plan's action A · i + j is that the first agent does i and the second one j.

    Args:
        graph: the level.
        weights: [n, E] reward per event, for either agent.
        discounts: [n] or one, per step, above 0 and below 1.
    """
    weights = np.array(weights, np.float64, ndmin=2)
    after, events = graph.after[:, :-1, :-1], graph.events[:, :-1, :-1]
    pairs, kinds = after.shape[1] ** 2, events.shape[-1]
    both = StateGraph(after.reshape(-1, pairs), events.reshape(-1, pairs, 2 * kinds))
    return plan_states(both, np.tile(weights, 2) / 2, discounts)


def team_policies(team: StatePlan) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return an optimal policy of each agent [S], under a plan of the team for one objective."""
    best = team.q_along(np.arange(len(team.graph.after)))[:, 0].argmax(1)
    actions = round(team.graph.after.shape[1] ** 0.5)
    return best // actions, best % actions


def respond_to(graph: JointGraph, policy: ArrayLike, agent: int) -> StateGraph:
    """Return what agent 0 or 1 finds a level to be while the other one keeps to a policy.

    Args:
        graph: the level.
        policy: int [S] what the other agent does in each state; `SCRIPT` for what the script does.
        agent: whose level it is.
    """
    policy = np.broadcast_to(np.asarray(policy, np.int64), len(graph.after))
    states = np.arange(len(graph.after))
    if agent == 0:
        after, events = graph.after[states, :, policy], graph.events[states, :, policy, 0]
    else:
        after, events = graph.after[states, policy], graph.events[states, policy, :, 1]
    return StateGraph(np.ascontiguousarray(after[:, :-1]), events[:, :-1])


class Known:
    """Plays the second agent by a policy: what an engine takes as its `partners`.

    Args:
        graphs: the joint graphs of the levels that are going to be played.
        policies: int [S] for each of them, what the second agent does in every state.
    """

    def __init__(self, graphs: Sequence[JointGraph], policies: Sequence[ArrayLike]):
        self._actions = {
            state.tobytes(): SCRIPTED if action == SCRIPT else int(action)
            for graph, policy in zip(graphs, policies, strict=True)
            for state, action in zip(graph.states, np.asarray(policy), strict=True)
        }

    def __call__(self, engine: Engine, worlds: int) -> NDArray[np.int64]:
        """Return the actions [n, 1] in the first n worlds of an engine.

        Raises:
            PlannerError: a world is in a state that no graph has.
        """
        ended = engine.course.ended[:worlds].tolist()
        chosen = [
            DONE if over else self._actions.get(state.tobytes())
            for state, over in zip(pack(engine, worlds), ended, strict=True)
        ]
        if None in chosen:
            raise PlannerError(f"world {chosen.index(None)} is in a state that was not explored")
        return np.array(chosen, np.int64)[:, None]
