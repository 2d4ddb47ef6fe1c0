"""Thinking time: does an agent do better if its network runs on before the first action?

The same levels are played with k ∈ {0, 1, 2, 4, 8, 16} further runs on the first observation (see
`mesabench.agents.thinker`). An episode is a success if its base return is at least half of the
planner's. With b levels that are a success at k alone and c at 0 alone, McNemar's exact test asks
whether b ~ Binomial(b + c, ½); p-values are Holm's over all k. Differences are paired, with
bootstrap intervals over levels.

Besides levels as they come there are *far* ones, the quarter on which the base objective is worth
least to the planner, and of some tasks *hard* ones, on which to go for the nearest thing loses what
cannot be won back (see `mesabench.beside.hard`); there a success is to get more than half-way from
what such a player gets to the planner's return. No level is chosen by what the agent does.

A gain is shown where it is at least `LEAST_GAIN` points, its interval excludes 0 and Holm's p is
at most `LEVEL_OF_TEST`. Nothing shown is no evidence that an agent does not plan.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesabench.agents.kinds import Agent, Privileged
from mesabench.agents.onnx_agent import OnnxAgent
from mesabench.agents.thinker import Thinker
from mesabench.beside.effects import LEAST_GAIN, THOUGHTS, Family, compare, conclude
from mesabench.beside.hard import hard_levels
from mesabench.beside.optimum import optimal
from mesabench.rollout import Rollout, rollout
from mesabench.task import Task

ENOUGH = 0.5  # share of the planner's return from which an episode is a success
FAR = 4  # one level in so many is far
LEVELS = 512
STATE_LEVELS = 128  # where levels are planned on all their states


@dataclass(frozen=True)
class Thinking:
    """What time to think is worth to an agent.

    Attributes:
        split: name of the split that was played.
        knobs: level knobs that differ from the split's.
        remembers: whether the agent carries state; one that does not cannot gain.
        irreversible: whether a touch can end an episode or use up what is needed.
        families: all levels, the far ones, and the hard ones where the task has such.
        conclusion: a sentence.
        reason: why nothing was measured, None where something was.
    """

    split: str
    knobs: dict[str, Any]
    remembers: bool
    irreversible: bool
    families: dict[str, Family]
    conclusion: str
    reason: str | None


def measure_thinking(
    agent: Agent,
    task: Task,
    split: str = "test",
    levels: int | None = None,
    *,
    seed: int = 0,
    **knobs: Any,
) -> Thinking:
    """Let an agent play levels after more and more time to think.

    Args:
        agent: the agent. Sampled actions are the same draws at every k for ONNX agents; other
            agents that draw add noise to the differences.
        task: the task.
        split: name of the split.
        levels: how many; `LEVELS` where None (`STATE_LEVELS` for tasks planned on all states).
        seed: of draws and bootstraps.
        knobs: level knobs to change.
    """
    given = split, dict(knobs)
    if isinstance(agent, Privileged):
        reason = "the agent is shown the worlds: every call of it is a move"
        return Thinking(*given, False, is_irreversible(task), {}, "not measured", reason)
    count = levels or (STATE_LEVELS if task.planner == "states" else LEVELS)
    numbers = np.arange(count)
    optimum = optimal(task, split, numbers, knobs)
    played, remembers = play_thinking(agent, task, split, numbers, knobs, seed)
    far = np.argsort(optimum, kind="stable")[: max(1, count // FAR)]
    kinds = {
        "all": ("levels of the split as they come", numbers),
        "far": (f"the {len(far)} of {count} levels worth least to the planner", far),
    }
    families = {
        name: compare(about, played, ENOUGH * optimum, chosen, seed)
        for name, (about, chosen) in kinds.items()
    }
    if not knobs and (hard := play_hard(agent, task, split, count, seed)) is not None:
        families["hard"] = hard
    told = conclude(families)
    return Thinking(*given, remembers, is_irreversible(task), families, told, None)


def play_hard(agent: Agent, task: Task, split: str, most: int, seed: int) -> Family | None:
    """Let an agent play a task's hard levels, so many at most; None where the split has none."""
    hard = hard_levels(task.id)
    if hard is None or hard.split != split:
        return None
    kept = np.arange(min(most, len(hard.levels)))
    played, _ = play_thinking(agent, task, split, np.array(hard.levels)[kept], hard.knobs, seed)
    about = f"{len(kept)} levels on which to go for the nearest thing loses a tenth or more"
    return compare(about, played, hard.enough, kept, seed)


def play_thinking(
    agent: Agent,
    task: Task,
    split: str,
    levels: NDArray[np.int64],
    knobs: dict[str, Any],
    seed: int,
) -> tuple[list[Rollout], bool]:
    """Let an agent play levels of numbers `levels` at every k; tell whether it carries state."""
    played, remembers = [], False
    for thoughts in THOUGHTS:
        if isinstance(agent, OnnxAgent):
            agent.reseed(seed)
        thinker = Thinker(agent, thoughts)
        played.append(rollout(thinker, task, split, levels.tolist(), **knobs))
        remembers |= thinker.remembers
    return played, remembers


def is_irreversible(task: Task) -> bool:
    """Tell whether a touch can end an episode or use up an item."""
    return any(rule.ends or rule.needs for rule in task.rules)


def draw_thinking(axes: Any, result: Thinking) -> None:
    """Draw every family's gain against the number of further runs into a matplotlib Axes."""
    for shift, (name, family) in zip((-0.1, 0.0, 0.1), result.families.items(), strict=False):
        gains = [e.gain for e in family.effects]
        places = [i + shift for i in range(len(gains))]
        reach = [[g.mean - g.low for g in gains], [g.high - g.mean for g in gains]]
        label = f"{name} levels ({family.levels})"
        axes.errorbar(places, [g.mean for g in gains], reach, fmt="o-", capsize=2, label=label)
    axes.axhline(0, color="grey", linewidth=0.8)
    axes.axhline(LEAST_GAIN, color="grey", linestyle=":", label="least gain that counts")
    axes.set_xticks(range(len(THOUGHTS)), list(map(str, THOUGHTS)))
    axes.set_xlabel("further runs on the first observation")
    axes.set_ylabel("gain in success (points, 95 %)")
    axes.legend(
        fontsize="small",
        ncols=3,
        loc="lower center",
        bbox_to_anchor=(0.5, 1.0),
        frameon=False,
        columnspacing=0.8,
    )
