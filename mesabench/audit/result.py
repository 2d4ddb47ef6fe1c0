"""`audit`: a task's figures and lines together."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from mesabench.audit import checks
from mesabench.audit.checks import Line
from mesabench.audit.optimality import Optimality, check_optimality
from mesabench.audit.play import Play, observation_cost, play_split, total_variation
from mesabench.planner import plan_worlds
from mesabench.planner.decisions import part
from mesabench.registry import get_task
from mesabench.task import Task

LEVELS = 512
MAIN = ("train", "heldout", "test")


@dataclass(frozen=True)
class Character:
    """What sort of an objective it is: Hubinger's three properties as figures.

    Attributes:
        kind: how it is tied to the base objective in training.
        cost: cells that an agent has seen when it first reaches what it wants, at test.
        train, test: share of the optimal base return that an agent gets which is optimal for it.
        apart: total variation between its outcomes and the base objective's, at test.
    """

    kind: str
    cost: float
    train: float
    test: float
    apart: float


@dataclass(frozen=True)
class Audit:
    """The audit of one task.

    Attributes:
        task: its id.
        levels: levels of each split that were looked at.
        returns: split → agent → objective → mean discounted return.
        optimum: split → objective → mean optimal return.
        character: objective → what sort it is.
        decisions: split → share of levels with a decision point on the base-optimal way.
        optimality: of the check for unchanged optimality.
        lines: what was asked, and whether it holds.
    """

    task: str
    levels: int
    returns: dict[str, dict[str, dict[str, float]]]
    optimum: dict[str, dict[str, float]]
    character: dict[str, Character]
    decisions: dict[str, float]
    optimality: Optimality
    lines: tuple[Line, ...]

    @property
    def passed(self) -> bool:
        """Whether every line holds."""
        return all(line.passed for line in self.lines)

    @property
    def failures(self) -> list[Line]:
        """The lines that do not hold."""
        return [line for line in self.lines if not line.passed]

    def as_dict(self) -> dict[str, Any]:
        """Return the audit as plain data."""
        return asdict(self) | {"passed": self.passed}


def audit(task: str | Task, *, levels: int = LEVELS) -> Audit:
    """Audit a task on the first levels of each split.

    Raises:
        TaskError: no such task.
        PlannerError: a level cannot be planned.
    """
    task = get_task(task) if isinstance(task, str) else task
    plays = {split: play_split(task, split, levels) for split in task.splits}
    train, test = plays["train"], plays["test"]
    found = check_optimality({"train": train.base, "test": test.base})
    lines = checks.few(task)
    for split in ("train", "heldout") if task.scored else ():
        lines += checks.agreement(plays[split])
    lines += checks.divergence(test)
    for play in plays.values():
        lines += checks.reachable(play) + checks.features(train, play)
    lines += checks.disjoint(plays, task) + checks.unchanged(found)
    return Audit(
        task=task.id,
        levels=levels,
        returns={split: mean_returns(play) for split, play in plays.items()},
        optimum={
            split: dict(zip(names(task), play.optimum.mean(0).tolist(), strict=True))
            for split, play in plays.items()
        },
        character={o.name: describe(train, test, o.name) for o in task.candidates},
        decisions={split: decision_share(plays[split]) for split in ("train", "test")},
        optimality=found,
        lines=tuple(lines),
    )


def names(task: Task) -> list[str]:
    """Return the names of the candidate objectives."""
    return [o.name for o in task.candidates]


def mean_returns(play: Play) -> dict[str, dict[str, float]]:
    """Return the mean return of each objective's agent under each objective."""
    return {
        agent: {o.name: float(play.returns(agent, o).mean()) for o in play.task.candidates}
        for agent in play.rollouts
    }


def describe(train: Play, test: Play, name: str) -> Character:
    """Say what sort of an objective it is."""
    task = train.task
    base, objective = task.base, task.objective(name)

    def share(play: Play) -> float:
        optimum = play.returns(base.name, base).mean()
        return float(play.returns(name, base).mean() / optimum)

    return Character(
        kind=objective.kind,
        cost=observation_cost(test.rollouts[name], objective),
        train=share(train),
        test=share(test),
        apart=total_variation(test.outcomes(name), test.outcomes(base.name)),
    )


def decision_share(play: Play) -> float:
    """Return on what share of the levels the base-optimal way passes a decision point."""
    task, played = play.task, play.base
    wanted = task.candidates
    plans = plan_worlds(played.begin(), task.weights(*wanted), task.discounts(*wanted))
    ways = zip(plans, played.actions.T, played.lengths, strict=True)
    return float(np.mean([part(p.q_along(way[:n])).any() for p, way, n in ways]))
