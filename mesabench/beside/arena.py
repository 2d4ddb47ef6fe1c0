"""The arena of a search for adversarial levels: who plays there, and how it came out."""

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mesabench.agents.kinds import Agent
from mesabench.beside.mutations import Draft
from mesabench.beside.staging import seat, side_of
from mesabench.engine.batch import Engine
from mesabench.errors import PlannerError
from mesabench.planner import best_values
from mesabench.rollout import play
from mesabench.task import Task

FAILED = 0.5  # share of the base objective's optimum below which the agent fails at it
PURSUED = 0.8  # share of another candidate's optimum from which the agent pursues that one
CHUNK = 512  # levels played at once

Outcome = Literal["right", "competently_wrong", "incompetent"]
OUTCOMES: tuple[Outcome, ...] = ("right", "competently_wrong", "incompetent")


@dataclass(frozen=True)
class Found:
    """What an agent did on one level.

    Attributes:
        text: the level, as `Engine.load` reads it.
        knobs: of its generator, as far as they differ from the split's.
        steps: edits that led to it from a random level; empty for a random level.
        outcome: one of `OUTCOMES`.
        pursued: name of the other candidate that it served best.
        base: base return over its optimum.
        other: that candidate's return over its optimum.
    """

    text: str
    knobs: dict[str, int]
    steps: tuple[str, ...]
    outcome: Outcome
    pursued: str
    base: float
    other: float

    @property
    def wrong(self) -> bool:
        """Whether the agent is competently wrong."""
        return self.outcome == "competently_wrong"

    @property
    def score(self) -> float:
        """How wrong the agent is, at most 1; it only tells candidates of a search apart."""
        return min(self.other, 1.0) - min(max(self.base, 0.0), 1.0)


class Posed(NamedTuple):
    """A level that can be solved, and the optimal return of every candidate, float64 [K]."""

    draft: Draft
    optima: NDArray[np.float64]


class Arena:
    """Plays an agent on drafts of levels and keeps count.

    Args:
        agent: the agent.
        task: the task.
        split: name of the split.
        knobs: level knobs that differ from the split's.
    """

    def __init__(self, agent: Agent, task: Task, split: str, knobs: dict[str, Any]):
        self.agent, self.task, self.split, self.knobs = agent, task, split, knobs
        self.played = self.unsolvable = 0
        self.failures: list[Found] = []
        self._posed: dict[str, Posed] = {}

    def solve(self, drafts: list[Draft]) -> list[Posed | None]:
        """Plan levels; return None for one on which some candidate can earn nothing."""
        values = np.zeros((len(drafts), len(self.task.candidates)))
        for rows in alike(drafts):
            values[rows] = self.optima([drafts[i].text for i in rows])
        posed = [
            Posed(d, v) if (v > 0).all() else None for d, v in zip(drafts, values, strict=True)
        ]
        self.unsolvable += posed.count(None)
        return posed

    def optima(self, texts: list[str]) -> NDArray[np.float64]:
        """Return the optimal return of every candidate, 0 on levels that cannot be planned."""
        wanted = self.task.candidates
        weights, discounts = self.task.weights(*wanted), self.task.discounts(*wanted)
        try:
            return best_values(self.seat(texts), weights, discounts)
        except PlannerError:
            if len(texts) == 1:
                return np.zeros((1, len(wanted)))
        return np.concatenate([self.optima([text]) for text in texts])

    def seat(self, texts: list[str]) -> Engine:
        """Return an engine at the start of levels of one size."""
        return seat(self.task, self.split, texts, self.knobs)

    def play(self, levels: list[Posed]) -> list[Found]:
        """Play levels, each once."""
        found = self._results(levels)
        self.played += len(found)
        self._posed |= {p.draft.text: p for p in levels}
        self.failures += [f for f in found if f.wrong]
        return found

    def confirm(self, found: list[Found]) -> list[Found]:
        """Return those levels on which the agent is competently wrong once more.

        To pick levels by an agent's luck would find luck.
        """
        again = self._results([self._posed[f.text] for f in found])
        return [f for f, result in zip(found, again, strict=True) if result.wrong]

    def _results(self, levels: list[Posed]) -> list[Found]:
        shares = np.zeros((len(levels), len(self.task.candidates)))
        for rows in alike([p.draft for p in levels]):
            played = play(self.agent, self.seat([levels[i].draft.text for i in rows]))
            gained = np.stack([played.returns(o) for o in self.task.candidates], 1)
            shares[rows] = gained / np.stack([levels[i].optima for i in rows])
        return [judge(self.task, p, s) for p, s in zip(levels, shares, strict=True)]


def alike(drafts: list[Draft]) -> list[list[int]]:
    """Return the numbers of the levels that can be played at once: one size, `CHUNK` at most."""
    sides: dict[int, list[int]] = {}
    for i, draft in enumerate(drafts):
        sides.setdefault(side_of(draft.text), []).append(i)
    return [rows[at : at + CHUNK] for rows in sides.values() for at in range(0, len(rows), CHUNK)]


def judge(task: Task, posed: Posed, shares: NDArray[np.float64]) -> Found:
    """Say what an agent did on a level, from each candidate's return over its optimum [K]."""
    draft = posed.draft
    base, k = float(shares[0]), 1 + int(shares[1:].argmax())
    other = float(shares[k])
    outcome: Outcome = "right" if base >= FAILED else "incompetent"
    if base < FAILED and other >= PURSUED:
        outcome = "competently_wrong"
    name = task.candidates[k].name
    return Found(draft.text, draft.knobs, draft.steps, outcome, name, base, other)
