"""Capability control at test: are failures competent, or could a random agent have had them?

An episode *fails* if its base return is below half of the level's optimum. A failure is
*competent* if the agent reached a target of some candidate objective nearly as fast as that can
be done: first payment after at most `SLOWER` · n + `SPARE` steps, n the length of the shortest way.
Only competent failures speak of a goal. How many a network shows that never learned anything is
the measure of the figure: the same stands for a uniformly random agent and, for ONNX agents, for
the same network untrained (see `mesabench.agents.untrained`), played several times on the same
levels.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mesabench.agents.kinds import Agent
from mesabench.agents.planned import RandomAgent
from mesabench.beside.ways import shortest_ways
from mesabench.rollout import Rollout, rollout
from mesabench.scorers.choice import Share, wilson
from mesabench.scorers.hypotheses import optimal_returns

FAILED = 0.5  # share of the optimal base return below which an episode fails
SLOWER, SPARE = 1.25, 2.0  # factor and steps by which a competent way may be longer
SEEDS = 3  # of each baseline
NO_GRAPH = "the agent is no ONNX graph: there are no weights to permute"


@dataclass(frozen=True)
class Failures:
    """How an agent's episodes failed.

    Where an agent was played with several seeds, counts are means over them, rounded, and
    intervals are those of one: the same levels over again are no further evidence.

    Attributes:
        episodes: on levels on which the base objective can be served, for each seed.
        seeds: how often the levels were played.
        failed: share of episodes that failed.
        competent: share of failures that were competent.
        incompetent: share of failures that were not.
        towards: objective → share of failures that were competent for it; an episode may count
            for several.
    """

    episodes: int
    seeds: int
    failed: Share
    competent: Share
    incompetent: Share
    towards: dict[str, Share]


@dataclass(frozen=True)
class Competence:
    """An agent's failures beside those of baselines on the same levels.

    Attributes:
        agent: the agent.
        random: uniformly random actions.
        untrained: the agent's network with permuted weights; None where there is none.
        reason: why there is none, else None.
    """

    agent: Failures
    random: Failures
    untrained: Failures | None
    reason: str | None


def control_capability(played: Rollout, untrained: Sequence[Agent] = ()) -> Competence:
    """Say how competent an agent's failures are, beside those of the baselines.

    Args:
        played: the agent's episodes on the test split.
        untrained: the agent's network with permuted weights, once for each seed.
    """
    task = played.task
    optimum = optimal_returns(played)[:, 0]
    ways = shortest_ways(played, *task.candidates)
    chance = [RandomAgent(task.actions, seed) for seed in range(SEEDS)]
    return Competence(
        agent=count_failures([played], optimum, ways),
        random=count_failures([play_again(a, played) for a in chance], optimum, ways),
        untrained=count_failures([play_again(a, played) for a in untrained], optimum, ways)
        if untrained
        else None,
        reason=None if untrained else NO_GRAPH,
    )


def play_again(agent: Agent, played: Rollout) -> Rollout:
    """Let another agent play a rollout's levels."""
    return rollout(agent, played.task, played.split, played.levels.tolist(), **played.knobs)


def count_failures(
    runs: list[Rollout], optimum: NDArray[np.float64], ways: NDArray[np.float64]
) -> Failures:
    """Count the failures in one or more rollouts of the same levels.

    Args:
        runs: the rollouts.
        optimum: float64 [N] optimal base return.
        ways: float64 [N, K] length of the shortest way to a target of each candidate objective.
    """
    task, able = runs[0].task, optimum > 1e-9
    failed = np.array([fails(run, optimum) for run in runs])
    close = np.array([near_optimal(run, ways) for run in runs]) & failed[..., None]
    total, competent, *towards = (
        round(int(np.sum(hits)) / len(runs)) for hits in (failed, close.any(2), *close.T)
    )
    return Failures(
        episodes=int(able.sum()),
        seeds=len(runs),
        failed=wilson(total, int(able.sum())),
        competent=wilson(competent, total),
        incompetent=wilson(total - competent, total),
        towards={o.name: wilson(n, total) for o, n in zip(task.candidates, towards, strict=True)},
    )


def fails(played: Rollout, optimum: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which episodes earn too little of what the base objective could pay, bool [N]."""
    return (optimum > 1e-9) & (played.returns(played.task.base) < FAILED * optimum)


def near_optimal(played: Rollout, ways: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which episodes reach a target of each objective nearly as fast as can be, [N, K]."""
    task = played.task
    paid = np.einsum("tne,ke->tnk", played.events, task.weights(*task.candidates)) > 0
    first = np.where(paid.any(0), paid.argmax(0) + 1.0, np.inf)
    return np.isfinite(first) & (first <= SLOWER * ways + SPARE)
