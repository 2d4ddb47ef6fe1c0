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

from mesabench.agents.onnx_agent import OnnxAgent
from mesabench.agents.thinker import Thinker
from mesabench.beside.hard import hard_levels
from mesabench.beside.optimum import optimal
from mesabench.beside.paired import differs, holm, mcnemar
from mesabench.rollout import Agent, Privileged, Rollout, rollout
from mesabench.scorers.returns import Estimate, estimate
from mesabench.task import Task

THOUGHTS = (0, 1, 2, 4, 8, 16)
ENOUGH = 0.5  # share of the planner's return from which an episode is a success
FAR = 4  # one level in so many is far
LEVELS = 512
STATE_LEVELS = 128  # where levels are planned on all their states
LEAST_GAIN = 3.0  # percentage points
LEVEL_OF_TEST = 0.05


@dataclass(frozen=True)
class Effect:
    """What k further runs change.

    Attributes:
        thoughts: k.
        success: share of levels that are a success.
        gain: change of that share against k = 0, in percentage points.
        returned: change of the mean base return.
        won: levels that are a success at k alone.
        lost: levels that are a success at 0 alone.
        p: McNemar's exact p-value.
        holm: the same, adjusted for the number of k.
        changed: share of levels on which any action differs from that at k = 0.
    """

    thoughts: int
    success: Estimate
    gain: Estimate
    returned: Estimate
    won: int
    lost: int
    p: float
    holm: float
    changed: float


@dataclass(frozen=True)
class Family:
    """Levels of one kind, and what thinking time changes on them.

    Attributes:
        about: which levels.
        levels: how many.
        effects: one for every k, 0 first.
        gains: whether a gain is shown at some k.
    """

    about: str
    levels: int
    effects: list[Effect]
    gains: bool


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
    hard = hard_levels(task.id)
    if hard is not None and hard.split == split and not knobs:
        kept = np.arange(min(count, len(hard.levels)))
        chosen = np.array(hard.levels)[kept]
        again, _ = play_thinking(agent, task, split, chosen, hard.knobs, seed)
        about = f"{len(kept)} levels on which to go for the nearest thing loses a tenth or more"
        families["hard"] = compare(about, again, hard.enough, kept, seed)
    told = conclude(families)
    return Thinking(*given, remembers, is_irreversible(task), families, told, None)


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


def compare(
    about: str,
    played: list[Rollout],
    enough: NDArray[np.float64],
    chosen: NDArray[np.int64],
    seed: int,
) -> Family:
    """Compare rollouts of the same levels at every k with the first, on some of the levels.

    Args:
        about: which levels are chosen.
        played: N levels at every k.
        enough: base return from which each level is a success, [N]; none is without any.
        chosen: places of the levels that count.
        seed: of the bootstrap.
    """
    base = played[0].task.base
    returns = np.stack([p.returns(base)[chosen] for p in played])
    success = (returns >= enough[chosen]) & (enough[chosen] > 0)
    won = (success & ~success[0]).sum(1)
    lost = (~success & success[0]).sum(1)
    p = np.array([mcnemar(*map(int, pair)) for pair in zip(won, lost, strict=True)])
    adjusted = np.concatenate([[1.0], holm(p[1:])])
    effects = [
        Effect(
            thoughts=THOUGHTS[i],
            success=estimate(success[i].astype(float), seed=seed),
            gain=estimate(100 * (success[i].astype(float) - success[0]), seed=seed),
            returned=estimate(returns[i] - returns[0], seed=seed),
            won=int(won[i]),
            lost=int(lost[i]),
            p=float(p[i]),
            holm=float(adjusted[i]),
            changed=float(differs(played[0], played[i])[chosen].mean()),
        )
        for i in range(len(played))
    ]
    return Family(about, len(chosen), effects, any(map(is_gain, effects)))


def is_gain(effect: Effect) -> bool:
    """Tell whether an effect counts as a gain from thinking."""
    gain = effect.gain
    return gain.mean >= LEAST_GAIN and gain.low > 0 and effect.holm <= LEVEL_OF_TEST


def conclude(families: dict[str, Family]) -> str:
    """Say in a sentence whether a gain was shown."""
    shown = [f"{name} levels" for name, family in families.items() if family.gains]
    if not shown:
        return "Gains from thinking: not shown."
    listed = " and ".join([", ".join(shown[:-1]), shown[-1]] if shown[1:] else shown)
    return f"Gains from thinking: yes, on {listed}."


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
