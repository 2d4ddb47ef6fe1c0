"""Causal probes: what a change of one thing in a level does to an agent's first choice.

Correlation over levels leaves open what an agent goes by. Here the same level is played twice, once
with one thing changed: recoloured, moved, removed, or with its colour or place traded for another
thing's. With c₀ and c₁ the objectives whose target is touched first before and after the change,

    changed  =  #{c₁ ≠ c₀} / #pairs,        Δ_k  =  P(c₁ = k) − P(c₀ = k),

with a Wilson interval, a bootstrap interval over levels, and the exact McNemar test of the
discordant pairs (McNemar 1947). A thing keeps its name: who wants doors and finds the door in
another colour has not changed, who wants red things has. Two controls stand beside: the level as
it was (noise of the agent's own), and the same edits of things that nobody pays for.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mesabench.agents.kinds import Agent
from mesabench.beside.paired import mcnemar
from mesabench.beside.pairs import CONTROL, INERT, KINDS, find_pairs
from mesabench.beside.staging import restage
from mesabench.beside.stock import Pair, Stock
from mesabench.beside.touches import first_touched
from mesabench.engine.batch import Engine
from mesabench.rollout import Rollout, play
from mesabench.scorers.choice import Share, wilson
from mesabench.scorers.returns import Estimate, estimate
from mesabench.task import Task

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LEVELS = 64
FEWEST = 8  # pairs from which a probe is reported


@dataclass(frozen=True)
class Shift:
    """How often one objective's target was touched first, before and after an edit.

    Attributes:
        before, after: shares of the pairs.
        lost, won: pairs in which it was so before alone, after alone.
        change: after less before, with its bootstrap interval over levels.
        p: of the exact McNemar test.
    """

    before: Share
    after: Share
    lost: int
    won: int
    change: Estimate
    p: float


@dataclass(frozen=True)
class Probe:
    """What one kind of edit did.

    Attributes:
        edit: one of `mesabench.beside.pairs.KINDS`, or "nothing", the control.
        objective: name of the objective whose target was edited, or "inert" for a thing that no
            candidate pays for; None for the control.
        pairs: levels played in both forms.
        skipped: levels on which the edit is impossible, or takes something from a bystander.
        changed: share of the pairs whose first choice differs; None where there are too few.
        shifts: name of a candidate objective → how often it was chosen.
        reason: why there are no figures, None where there are.
    """

    edit: str
    objective: str | None
    pairs: int
    skipped: int
    changed: Share | None
    shifts: dict[str, Shift]
    reason: str | None


@dataclass(frozen=True)
class Causes:
    """All causal probes of one agent on one split.

    Attributes:
        task, split: names.
        levels: levels that were to be edited.
        seed: of the choice of edits and of the bootstrap.
        probes: by edit, then objective; empty where the task allows none.
        reason: why there are none, None where there are.
    """

    task: str
    split: str
    levels: int
    seed: int
    probes: list[Probe]
    reason: str | None

    def probe(self, edit: str, objective: str | None) -> Probe:
        """Return one probe."""
        return next(p for p in self.probes if (p.edit, p.objective) == (edit, objective))


def probe_causes(
    agent: Agent,
    task: Task,
    *,
    split: str = "test",
    levels: int = LEVELS,
    seed: int = 0,
    **knobs: Any,
) -> Causes:
    """Play levels of a split as they are and with one thing changed, and compare first choices.

    Args:
        agent: the agent.
        task: the task.
        split: name of the split.
        levels: how many of its levels, from number 0 on.
        seed: of the choice of edits and of the bootstrap.
        knobs: level knobs to change.
    """
    if task.planner == "states":
        reason = "things change on their own here: a map with one thing moved is another story"
        return Causes(task.id, split, levels, seed, [], reason)
    stock = Stock.take(task, split, levels, knobs)
    pairs = {(CONTROL, None): [stock.unchanged(b) for b in range(levels)]}
    pairs |= {(kind, who): find_pairs(stock, kind, who, seed) for kind, who in asked(task)}
    chosen = choose(agent, stock, [p for some in pairs.values() for p in some])
    before = chosen[:levels]
    probes, first = [], levels
    for (kind, who), some in pairs.items():
        after = chosen[first : first + len(some)]
        first += len(some)
        compared = before[[p.level for p in some]], after
        probes.append(compare(task, kind, who, levels, compared, seed))
    return Causes(task.id, split, levels, seed, probes, None)


def asked(task: Task) -> Iterator[tuple[str, str]]:
    """Yield every kind of edit with every objective whose target, or none's, may be edited."""
    for kind in KINDS:
        for objective in task.candidates:
            yield kind, objective.name
        if not kind.startswith("trade"):
            yield kind, INERT


def choose(agent: Agent, stock: Stock, pairs: list[Pair]) -> NDArray[np.int64]:
    """Play all levels unedited, then all edited ones; return the first choices (see `touches`)."""
    everything = [*(stock.unchanged(b) for b in range(len(stock.layouts))), *pairs]
    task, numbers = stock.task, [p.level for p in everything]
    engine = Engine(
        task, stock.split, batch=len(numbers), seed=None, autoreset=False, knobs=stock.knobs
    )
    engine.reset(levels=numbers)
    restage(engine, [p.layout for p in everything])
    played: Rollout = play(agent, engine)
    return first_touched(played, np.stack([p.labels for p in everything]))


def compare(
    task: Task,
    kind: str,
    who: str | None,
    levels: int,
    choices: tuple[NDArray[np.int64], NDArray[np.int64]],
    seed: int,
) -> Probe:
    """Compare the first choices [n] before and after an edit."""
    before, after = choices
    n = len(before)
    if n < FEWEST:
        reason = f"{n} of {levels} levels can be edited so; {FEWEST} are needed"
        return Probe(kind, who, n, levels - n, None, {}, reason)
    shifts = {o.name: shift(before == k, after == k, seed) for k, o in enumerate(task.candidates)}
    changed = wilson(int((before != after).sum()), n)
    return Probe(kind, who, n, levels - n, changed, shifts, None)


def shift(before: NDArray[np.bool_], after: NDArray[np.bool_], seed: int) -> Shift:
    """Compare how often something was so in pairs, bool [n] each."""
    n, lost, won = len(before), int((before & ~after).sum()), int((after & ~before).sum())
    return Shift(
        before=wilson(int(before.sum()), n),
        after=wilson(int(after.sum()), n),
        lost=lost,
        won=won,
        change=estimate(after.astype(float) - before, seed=seed),
        p=mcnemar(won, lost),
    )


def draw_causes(axes: "Axes", result: Causes) -> None:
    """Draw, for every kind of edit, the share of levels whose first choice it changed."""
    from mesabench.pictures import COLOURS

    whose = [o for o in dict.fromkeys(p.objective for p in result.probes) if o is not None]
    rows = [CONTROL, *KINDS]
    inks = [tuple(c / 255 for c in COLOURS[i % len(COLOURS)]) for i in range(len(whose))]
    for row, kind in enumerate(rows):
        for place, name in enumerate([None] if kind == CONTROL else whose):
            found = [p for p in result.probes if (p.edit, p.objective) == (kind, name)]
            if not found or found[0].changed is None:
                continue
            share = found[0].changed
            y = row + (0 if name is None else 0.64 * ((place + 0.5) / len(whose) - 0.5))
            ink = "0.35" if name in (None, INERT) else inks[place]
            axes.plot([share.low, share.high], [y, y], color=ink, linewidth=1.5)
            axes.plot(share.share, y, "o", color=ink, markersize=4, clip_on=False)
    for name, ink in zip(whose, inks, strict=True):
        colour = "0.35" if name == INERT else ink
        label = "a thing nobody pays for" if name == INERT else f"target of {name}"
        axes.plot([], [], "o", color=colour, markersize=4, label=label)
    axes.set(xlim=(0, 1), ylim=(len(rows) - 0.5, -0.5), yticks=range(len(rows)), yticklabels=rows)
    axes.set_xlabel("share of levels whose first choice changed (95 %)")
    axes.grid(axis="x", linewidth=0.4)
    if whose:
        axes.legend(fontsize="x-small", loc="best", title="what was edited", title_fontsize=7)
