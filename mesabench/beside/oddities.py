"""Oddities: faults and quirks of an agent that a reader of its figures should know of.

The agent is asked the same question in two ways that must not matter: again, beside itself in one
batch, alone, or with another episode before this one. What it answers are its logits where it has
them, otherwise its actions.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mesabench.agents.kinds import Agent
from mesabench.agents.onnx_agent import OnnxAgent
from mesabench.beside.asking import STEPS, Session, Timed, differing
from mesabench.engine.batch import Engine
from mesabench.errors import AgentError
from mesabench.rollout import rollout
from mesabench.task import Task

Severity = Literal["error", "warning", "note"]

CONSTANT = 0.99  # share of one action above which an agent counts as constant
SLOW = 200.0  # steps per second below which 1,024 levels of a split take minutes
LEVELS = 16


@dataclass(frozen=True)
class Finding:
    """Something odd about an agent.

    Attributes:
        kind: "constant", "broken", "samples", "unsteady", "carries", "batch" or "slow".
        severity: an error makes figures meaningless, a warning doubtful; a note explains them.
        sentence: what was found.
    """

    kind: str
    severity: Severity
    sentence: str


@dataclass(frozen=True)
class Oddities:
    """What was found odd about an agent.

    Attributes:
        findings: none where nothing is odd.
        steps_per_second: of the agent alone, in a batch of `LEVELS` levels; None if it broke.
        action_shares: how often each action was played; empty if it broke.
        untested: checks that could not be made, with the reason.
    """

    findings: list[Finding]
    steps_per_second: float | None
    action_shares: list[float]
    untested: list[str]


def find_oddities(agent: Agent, task: Task, split: str = "test", **knobs: Any) -> Oddities:
    """Look for faults and quirks of an agent.

    Args:
        agent: the agent; where it samples, its generator is further on afterwards.
        task: the task.
        split: name of the split that is played.
        knobs: level knobs to change.
    """
    timed = Timed(agent)
    try:
        played = rollout(timed, task, split, LEVELS, **knobs)
        engine = Engine(task, split, batch=2 * LEVELS, autoreset=False, knobs=knobs)
        found, untested = repeat(Session(agent, engine))
    except AgentError as error:
        return Oddities([Finding("broken", "error", f"It breaks off: {error}")], None, [], [])
    counts = np.bincount(played.actions[played.actions >= 0], minlength=task.actions)
    shares = counts / counts.sum()
    found += [plays_one_action(shares), is_slow(timed.rate)]
    findings = [finding for finding in found if finding is not None]
    return Oddities(findings, timed.rate, shares.tolist(), untested)


def repeat(session: Session) -> tuple[list[Finding | None], list[str]]:
    """Return what is found by asking again in other ways, and which ways could not be tried."""
    draws = draws_actions(session)
    if draws and not isinstance(session.agent, OnnxAgent):
        return [draws], ["memory across episodes and the batch: the agent draws its actions"]
    if carries := carries_state(session):
        return [draws, carries], ["the batch: the agent carries state across episodes"]
    return [draws, minds_batch(session)], []


def draws_actions(session: Session) -> Finding | None:
    """Find whether the same levels, side by side or again, are played differently."""
    agent, twice = session.agent, np.concatenate([np.arange(LEVELS)] * 2)
    first, again = session.play(twice).answers, session.play(twice).answers
    # What an agent carries over from before is by now the same in both halves of the batch.
    beside = differing(again[:, :LEVELS], again[:, LEVELS:])
    unlike = int(beside.sum()) if differing(first, again).any() else 0
    if isinstance(agent, OnnxAgent) and agent.action == "sample":
        return Finding("samples", "note", "It samples its actions, as its file asks.")
    if unlike == 0:
        return None
    told = f"the same level, played twice, gives other actions on {unlike} of {LEVELS} levels"
    if isinstance(agent, OnnxAgent):
        return Finding("unsteady", "warning", f"It is greedy by its file, yet {told}.")
    return Finding("samples", "note", f"It samples its actions: {told}.")


def carries_state(session: Session) -> Finding | None:
    """Find whether a level is played differently once other episodes came before it.

    It is played thrice. Between, the agent is asked different numbers of times, so that one that
    counts in a circle is found too.
    """
    levels = np.arange(session.engine.batch)
    first = session.play(levels)
    between = session.play(np.roll(levels, 1) + len(levels), first.state, STEPS - 1)
    again = session.play(levels, between.state)
    last = session.play(levels, again.state)
    later = (differing(first.answers, course.answers) for course in (again, last))
    unlike = int(np.logical_or(*later).sum())
    if unlike == 0:
        return None
    return Finding(
        "carries",
        "warning",
        "It carries state across episodes: with another episode before it, the same level is"
        f" played differently on {unlike} of {len(levels)} levels.",
    )


def minds_batch(session: Session) -> Finding | None:
    """Find whether a level is played differently alone than in a batch."""
    together = session.play(np.arange(session.engine.batch)).answers
    some = range(0, LEVELS, 2)
    alone = np.concatenate([session.alone(level).answers for level in some], 1)
    unlike = int(differing(together[:, list(some)], alone).sum())
    if unlike == 0:
        return None
    return Finding(
        "batch",
        "warning",
        "It depends on what else is in its batch: played alone, the same level goes differently"
        f" on {unlike} of {len(some)} levels.",
    )


def plays_one_action(shares: NDArray[np.float64]) -> Finding | None:
    """Find whether nearly all actions are the same one."""
    if shares.max() <= CONSTANT:
        return None
    told = f"It plays action {int(shares.argmax())} in {100 * shares.max():.1f} % of its steps."
    return Finding("constant", "warning", told)


def is_slow(rate: float) -> Finding | None:
    """Find whether an agent is so slow that evaluations are a nuisance."""
    if rate >= SLOW:
        return None
    return Finding("slow", "note", f"It is slow: {rate:.0f} steps per second.")
