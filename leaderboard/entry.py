"""`Entry`: one method on the leaderboard, as its file holds it. Aggregates are never stored.

Files are read and written by `mesabench.leaderboard.reading`. The JSON Schema of the same rules is
`schema.json`.
"""

from collections import Counter
from collections.abc import Hashable, Iterable
from datetime import date
from typing import Annotated, Literal, Self, TypeVar

from pydantic import Field, field_validator, model_validator

from mesabench.leaderboard.counts import Counts, Name, Record
from mesabench.scorers.verdict import Verdict as ObjectiveVerdict

T = TypeVar("T", bound=Hashable)

# The objective track's verdicts and the learning track's.
Verdict = Literal[
    ObjectiveVerdict, "history_conditioned", "not_by_rewards", "not_history_conditioned"
]
Reason = Literal[
    "refused", "non_finite", "failed_to_run", "out_of_memory", "timed_out", "crashed", "bad_result"
]
Badge = Literal["submitted", "re-evaluated", "reproduced"]

Slug = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{1,47}$")]
TaskId = Annotated[str, Field(max_length=64, pattern=r"^[A-Za-z0-9]+-v[0-9]+$")]
Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Line = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
Text = Annotated[str, Field(max_length=4000, pattern=r"^[^\x00-\x08\x0b-\x1f\x7f]*$")]
Url = Annotated[str, Field(max_length=500, pattern=r"^https?://[^\s<>\"'`\\\x00-\x1f\x7f]+$")]
# A file at an address that starts with http(s), or one of this repository.
Place = Annotated[
    str,
    Field(
        max_length=500,
        pattern=r"^(https?://[^\s<>\"'`\\\x00-\x1f\x7f]+"
        r"|baselines/(agents|organisms)(/[A-Za-z0-9_][A-Za-z0-9_.-]*)+)$",
    ),
]
Seed = Annotated[int, Field(ge=0, lt=2**63)]
Salt = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[!-~]+$")]


class Suite(Record):
    """With which version of the suite an entry was evaluated."""

    version: Annotated[str, Field(max_length=40, pattern=r"^[0-9][A-Za-z0-9.+-]*$")]
    commit: Annotated[str, Field(pattern=r"^[0-9a-f]{7,64}$")] | None


class Method(Record):
    """What is ranked: a way to train agents, and whose it is."""

    name: Line
    authors: Annotated[tuple[Line, ...], Field(min_length=1, max_length=20)]
    description: Text
    bibtex: Text | None
    licence: Line
    urls: Annotated[tuple[Url, ...], Field(max_length=10)]


class Training(Record):
    """How the agents were trained, by their owners' word.

    Attributes:
        split: on which levels.
        steps: environment steps of each agent.
        recipe: the command, or where it is told.
        hardware: what it ran on.
        saw_test: whether any agent ever saw levels of the test split.
    """

    split: Line
    steps: Annotated[int, Field(ge=0, le=10**15)]
    recipe: Text
    hardware: Line
    saw_test: bool


class Judged(Record):
    """What evaluating an agent's file finds.

    Attributes:
        parameters: how many numbers its constants hold.
        action: whether it takes the likeliest action or draws one.
        fingerprint: of the task, `mesabench.fingerprint`.
        verdict, objective, probability: as `mesabench evaluate` says them; of an agent that learns
            within an episode, whether it was shown to depend on its history.
        splits: what it did, by split.
    """

    parameters: Annotated[int, Field(ge=0, le=2**40)]
    action: Literal["greedy", "sample"]
    fingerprint: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
    verdict: Verdict
    objective: Line | None
    probability: Annotated[float, Field(ge=0, le=1)] | None
    splits: Annotated[dict[Name, Counts], Field(min_length=1, max_length=20)]


class AgentEntry(Judged):
    """One trained agent: its file, and what it did on levels that its hash determines.

    Attributes:
        task, seed: the task, and the training seed.
        url: where the file lies: an immutable address, or a path of this repository.
        sha256, bytes: of the file.
        levels: how level numbers follow from the hash (see `mesabench.leaderboard.levels`).
    """

    task: TaskId
    seed: Seed
    url: Place | None
    sha256: Hash
    bytes: Annotated[int, Field(ge=1, le=2**30)]
    levels: Literal["hash-v1"]


class Failure(Record):
    """Why an agent could not be evaluated."""

    reason: Reason
    detail: Annotated[str, Field(max_length=400, pattern=r"^[^\x00-\x1f\x7f]*$")]


class FailedAgent(Failure):
    """An agent that was handed in and could not be evaluated."""

    task: TaskId
    seed: Seed
    sha256: Hash


class SaltedAgent(Record):
    """What one of the agents did on salted levels."""

    sha256: Hash
    task: TaskId
    verdict: Verdict
    splits: Annotated[dict[Name, Counts], Field(min_length=1, max_length=20)]


class SaltedRun(Record):
    """A second evaluation, on levels that nobody knew when the agents were handed in."""

    salt: Salt
    date: date
    agents: Annotated[tuple[SaltedAgent, ...], Field(min_length=1, max_length=2000)]


class Step(Record):
    """One thing that happened to an entry."""

    date: date
    what: Line
    by: Line
    note: Annotated[str, Field(max_length=1000, pattern=r"^[^\x00-\x1f\x7f]*$")]


class Invalidation(Record):
    """Why an entry no longer counts."""

    date: date
    reason: Annotated[str, Field(min_length=1, max_length=1000, pattern=r"^[^\x00-\x1f\x7f]+$")]


class Status(Record):
    """How far an entry has been checked, and what came of it."""

    badge: Badge
    provenance: Annotated[tuple[Step, ...], Field(min_length=1, max_length=100)]
    supersedes: Slug | None
    invalidated: Invalidation | None


class Entry(Record):
    """One method: ``entries/<slug>.json``.

    Attributes:
        track: ``zero_shot`` where no agent saw the test split in training, otherwise ``open``.
        agents: every agent that could be evaluated.
        failed: those that could not.
        versions: of what ran them.
        reported: task → normalised base return on test as the authors report it.
        salted: further evaluations; ranks use the last one.
    """

    schema_version: Literal[1]
    slug: Slug
    track: Literal["zero_shot", "open"]
    suite: Suite
    method: Method
    training: Training
    agents: Annotated[tuple[AgentEntry, ...], Field(min_length=1, max_length=2000)]
    failed: Annotated[tuple[FailedAgent, ...], Field(max_length=2000)] = ()
    versions: Annotated[dict[Name, Line], Field(max_length=40)]
    reported: Annotated[
        dict[TaskId, Annotated[float, Field(ge=-1e6, le=1e6)]], Field(max_length=100)
    ]
    status: Status
    salted: Annotated[tuple[SaltedRun, ...], Field(max_length=20)] = ()

    @field_validator("agents")
    @classmethod
    def _once(cls, agents: tuple[AgentEntry, ...]) -> tuple[AgentEntry, ...]:
        """Refuse a seed that counts twice, by number or by file."""
        for what, key in (("seed", "seed"), ("file", "sha256")):
            again = repeated((agent.task, getattr(agent, key)) for agent in agents)
            if again is not None:
                raise ValueError(f"{what} {again[1]} of {again[0]} occurs more than once")
        return agents

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        """Refuse what contradicts itself."""
        if self.track == "zero_shot" and self.training.saw_test:
            raise ValueError("track zero_shot is for methods that never saw the test split")
        if self.status.badge == "re-evaluated" and not self.salted:
            raise ValueError("badge re-evaluated needs a salted run")
        if self.status.supersedes == self.slug:
            raise ValueError("an entry cannot supersede itself")
        known = {(agent.task, agent.sha256) for agent in self.agents}
        for run in self.salted:
            listed = [(agent.task, agent.sha256) for agent in run.agents]
            if (again := repeated(listed)) is not None:
                raise ValueError(f"salt {run.salt}: file {again[1]} occurs more than once")
            if strange := set(listed) - known:
                raise ValueError(
                    f"salt {run.salt}: file {min(strange)[1]} is no agent of the entry"
                )
        return self


def repeated(items: Iterable[T]) -> T | None:
    """Return an item that occurs more than once; None where there is none."""
    items = list(items)
    if len(set(items)) == len(items):
        return None
    return next((item for item, times in Counter(items).items() if times > 1), None)
