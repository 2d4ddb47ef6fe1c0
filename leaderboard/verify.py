"""`verify`: evaluate an entry's agents again and say whether its figures hold.

On the same levels figures are nearly equal: argmax ties and float differences between processors
may turn a few episodes. On salted levels, which nobody knew when the agents were handed in, they
agree within two standard errors of both evaluations, as far as chance allows. An owner who trained
again and again until the hash was a lucky one is found out there.
"""

import hashlib
import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from scipy.stats import binom

import mesabench
from mesabench.agents.vetting import MAX_BYTES
from mesabench.leaderboard.counts import Counts
from mesabench.leaderboard.entry import AgentEntry, Entry
from mesabench.leaderboard.evaluating import Job, evaluate_all
from mesabench.leaderboard.levels import block_of, fingerprint_of
from mesabench.leaderboard.reading import EntryError
from mesabench.leaderboard.sandbox import Answer, Limits

ERRORS = 2.0  # standard errors within which two figures agree
CHANCE = math.erfc(ERRORS / math.sqrt(2))  # of a true figure not to
RARE = 0.01  # probability of as many disagreements, below which they are no chance
FAR = 5.0  # standard errors that no chance explains


class Comparison(NamedTuple):
    """One agent on one split, as the entry has it and as it was found.

    Attributes:
        stated, found: normalised returns; None where the split has no scale or nothing was found.
        error: standard error of their difference.
        reason: why nothing was found.
    """

    agent: AgentEntry
    split: str
    stated: float | None
    found: float | None
    error: float
    reason: str = ""

    @property
    def distance(self) -> float:
        """The difference in standard errors; found less stated."""
        if self.stated is None and self.found is None:
            return 0.0
        if self.stated is None or self.found is None:
            return math.inf
        return (self.found - self.stated) / self.error

    @property
    def agrees(self) -> bool:
        """Whether the figures agree within two standard errors."""
        return not self.reason and abs(self.distance) <= ERRORS


class Verification(NamedTuple):
    """What a second evaluation says of an entry.

    Attributes:
        comparisons: by agent and split.
        answers: what came of each agent.
        salted: whether levels were other ones.
    """

    entry: Entry
    comparisons: list[Comparison]
    answers: list[Answer]
    salted: bool

    @property
    def outside(self) -> int:
        """How many figures do not agree."""
        return sum(not one.agrees for one in self.comparisons)

    @property
    def allowed(self) -> int:
        """How many figures may not agree by chance: none on the same levels."""
        if not self.salted:
            return 0
        return int(binom.isf(RARE, len(self.comparisons), CHANCE))

    def drift(self, split: str) -> float:
        """The mean difference on a split, over agents, in its standard errors."""
        some = [c for c in self.comparisons if c.split == split and math.isfinite(c.distance)]
        scaled = [c for c in some if c.stated is not None]
        total = math.sqrt(sum(c.error**2 for c in scaled))
        moved = sum((c.found or 0.0) - (c.stated or 0.0) for c in scaled)
        return moved / total if total else 0.0

    @property
    def agrees(self) -> bool:
        """Whether the entry's figures hold.

        No agent failed, no more figures are outside than chance allows, none far outside, and on no
        split are they all lower than stated (as they would be if lucky ones had been chosen).
        """
        return (
            self.outside <= self.allowed
            and all(not c.reason and abs(c.distance) <= FAR for c in self.comparisons)
            and all(self.drift(split) >= -ERRORS for split in ("heldout", "test"))
        )


def verify(
    entry: Entry,
    files: Sequence[Path],
    *,
    salt: str | None = None,
    workers: int = 2,
    limits: Limits | None = None,
    tell: Callable[[Answer], Any] = lambda _: None,
) -> Verification:
    """Evaluate an entry's agents again.

    Args:
        entry: the entry.
        files: files or folders with its agents, in any order.
        salt: chosen after the entry was submitted; the entry's own levels where None.
        workers: how many agents are evaluated at the same time.
        limits: what each may use.
        tell: is told of each answer.

    Raises:
        EntryError: the suite is another one, a file is missing, or the salt is none or was used.
    """
    check_suite(entry)
    if salt is not None and not re.fullmatch(r"[!-~]{1,100}", salt):
        raise EntryError(f"a salt is 1 to 100 letters, digits and signs, no spaces, not {salt!r}")
    if salt in [run.salt for run in entry.salted]:
        raise EntryError(f"{entry.slug} was already evaluated with salt {salt!r}; choose another")
    found = find_agents(entry, files)
    jobs = [job_of(entry, agent, found[agent.sha256], salt) for agent in entry.agents]
    answers = list(evaluate_all(jobs, workers=workers, limits=limits, tell=tell))
    comparisons = [
        one
        for agent, answer in zip(entry.agents, answers, strict=True)
        for one in compare(agent, answer)
    ]
    return Verification(entry, comparisons, answers, salt is not None)


def check_suite(entry: Entry) -> None:
    """Refuse to compare figures of other levels.

    Raises:
        EntryError: the entry was evaluated with another version of the suite or of a task.
    """
    if entry.suite.version != mesabench.__version__:
        raise EntryError(
            f"{entry.slug} was evaluated with mesabench {entry.suite.version}, here is "
            f"{mesabench.__version__}: pip install mesabench=={entry.suite.version}"
        )
    for agent in entry.agents:
        if (here := fingerprint_of(agent.task)) != agent.fingerprint:
            raise EntryError(
                f"{entry.slug} was evaluated on other levels of {agent.task} (fingerprint "
                f"{agent.fingerprint}, here {here})"
            )


def find_agents(entry: Entry, places: Sequence[Path]) -> dict[str, bytes]:
    """Return the bytes of an entry's agents by hash; names of files do not matter.

    Raises:
        EntryError: one is nowhere; the message says where its owner says it is.
    """
    wanted = {agent.sha256: agent for agent in entry.agents}
    root = Path(mesabench.__file__).parent.parent
    local = [root / a.url for a in entry.agents if a.url and not a.url.startswith("http")]
    found: dict[str, bytes] = {}
    for place in (*places, *local):
        for path in sorted(place.rglob("*.onnx")) if place.is_dir() else [place]:
            if path.is_file() and path.stat().st_size <= MAX_BYTES:
                data = path.read_bytes()
                found[hashlib.sha256(data).hexdigest()] = data
    if missing := sorted(wanted.keys() - found.keys()):
        lost = wanted[missing[0]]
        where = f"; it is said to lie at {lost.url}" if lost.url else ""
        raise EntryError(
            f"{len(missing)} of {len(wanted)} agents are missing, first {lost.task} seed "
            f"{lost.seed}, SHA-256 {lost.sha256}{where}; hand its folder over with --agents"
        )
    return {sha256: found[sha256] for sha256 in wanted}


def job_of(entry: Entry, agent: AgentEntry, data: bytes, salt: str | None) -> Job:
    """Return what is to be evaluated: as many levels as the entry has."""
    count = max(counts.episodes for counts in agent.splits.values())
    block = block_of(entry.suite.version, agent.task, agent.sha256, count, salt)
    return Job(agent.task, data, block, entry.track == "zero_shot")


def compare(agent: AgentEntry, answer: Answer) -> list[Comparison]:
    """Set what an entry says of an agent beside what was found."""
    if answer.judged is None:
        assert answer.failed is not None
        reason = f"{answer.failed.reason}: {answer.failed.detail}"
        return [
            Comparison(agent, split, counts.normalised, None, math.nan, reason)
            for split, counts in agent.splits.items()
        ]
    found = answer.judged.splits
    return [
        Comparison(
            agent,
            split,
            counts.normalised,
            found[split].normalised if split in found else None,
            joint_error(counts, found.get(split, counts)),
        )
        for split, counts in agent.splits.items()
    ]


def joint_error(one: Counts, other: Counts) -> float:
    """Return the standard error of the difference of two normalised returns.

    An agent that is perfect in every episode has an error of 0; one episode more or less is never
    a disagreement, so each error is at least what one episode's whole return would make.
    """
    return math.hypot(*(max(c.standard_error or 0.0, 1 / c.episodes) for c in (one, other)))
