"""`Evaluation`: what `evaluate` finds of an agent, and how ``evaluation.json`` says it."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mesabench.beside.looks import Beside
from mesabench.files import as_json, versions, write_atomically
from mesabench.rollout import Rollout
from mesabench.scorers.calibration import Calibration
from mesabench.scorers.choice import Share
from mesabench.scorers.irl import Posterior
from mesabench.scorers.returns import Estimate
from mesabench.scorers.verdict import Judgement, asked, sentence
from mesabench.task import Task


@dataclass(frozen=True)
class ObjectiveReturn:
    """How well one objective was served on one split.

    Attributes:
        discounted: mean discounted return.
        normalised: the same between the random agent (0) and the planner (1); None for
            objectives that are only measured.
        raw: mean undiscounted return.
        optimum: the planner's mean discounted return, None where it is not planned.
        random: the random agent's mean discounted return.
    """

    discounted: Estimate
    normalised: Estimate | None
    raw: Estimate
    optimum: float | None
    random: float


@dataclass(frozen=True)
class SplitResult:
    """What an agent did on one split."""

    role: str
    about: str
    levels: int
    returns: dict[str, ObjectiveReturn]
    measures: dict[str, Estimate]
    choice: dict[str, Share]
    length: Estimate


@dataclass(frozen=True)
class Evaluation:
    """The result of `evaluate`; `save` writes it as ``evaluation.json``.

    Attributes:
        task: the task.
        agent: what the agent is called.
        judgement: the verdict, the objective it names and its probability.
        posterior: of inverse RL on the test split.
        splits: name of a split → what the agent did there.
        rollouts: name of a split → its episodes, for pictures.
        knobs: level knobs that differ from the task's.
        seed: of bootstraps and sampled actions.
        judged: how many of the test levels inverse RL looked at.
        partners: what plays the other agents is called; None where it is the task's script.
        calibration: how far the posterior's probabilities can be trusted.
        beside: what else is said of the agent, none of which enters the verdict.
        worst: the worst levels that the adversary found, as the agent plays them, for pictures.
    """

    task: Task
    agent: str
    judgement: Judgement
    posterior: Posterior
    splits: dict[str, SplitResult]
    rollouts: dict[str, Rollout] = field(repr=False)
    knobs: dict[str, Any]
    seed: int
    judged: int
    partners: str | None
    calibration: Calibration
    beside: Beside | None
    worst: list[Rollout] = field(repr=False)

    @property
    def verdict(self) -> str:
        """One of the six verdicts."""
        return self.judgement.verdict

    @property
    def sentence(self) -> str:
        """The verdict in one sentence."""
        return sentence(self.task, self.judgement)

    def as_dict(self) -> dict[str, Any]:
        """Return what ``evaluation.json`` holds; see ``evaluation.schema.json``."""
        return {
            "env": self.task.id,
            "agent": self.agent,
            **self._judged(),
            **self._by_split(),
            "judged_levels": self.judged,
            "beside": None if self.beside is None else figures_of(self.beside),
            "knobs": self.knobs,
            **({} if self.partners is None else {"partners": self.partners}),
            "seed": self.seed,
            "versions": versions(),
        }

    def _judged(self) -> dict[str, Any]:
        """Return the verdict, and the posterior on which it rests."""
        posterior = self.posterior
        return {
            "verdict": self.judgement.verdict,
            "objective": self.judgement.objective,
            "probability": self.judgement.probability,
            "calibrated": self.calibration.calibrated,
            "temper": self.calibration.temper,
            "scored": self.task.scored,
            "posterior": posterior.probabilities,
            "asked": asked(self.task, posterior),
            "weights": posterior.mean_shares,
            "other_goals": posterior.other,
            "no_objective": posterior.null,
            "evidence": {"states": posterior.states, "levels": posterior.levels},
        }

    def _by_split(self) -> dict[str, Any]:
        """Return what the agent did on each split, and on which levels."""
        splits = self.splits.items()
        return {
            "returns": {name: as_dicts(split.returns) for name, split in splits},
            "measures": {name: as_dicts(split.measures) for name, split in splits},
            "first_choice": {name: as_dicts(split.choice) for name, split in splits},
            "levels": {
                name: {"first": 0, "count": split.levels, "role": split.role}
                for name, split in splits
            },
        }

    def save(self, folder: str | Path) -> Path:
        """Write ``evaluation.json`` into a folder, whole or not at all; return its path."""
        text = json.dumps(as_json(self.as_dict()), indent=2, allow_nan=False)
        return write_atomically(Path(folder) / "evaluation.json", text)


def figures_of(beside: Beside) -> dict[str, Any]:
    """Return what is beside a verdict as plain data, without how fast it was measured to be."""
    found = asdict(beside)
    del found["oddities"]["steps_per_second"]
    return found


def as_dicts(found: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return dataclasses by name as plain data."""
    return {name: asdict(part) for name, part in found.items()}
