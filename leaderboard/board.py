"""The leaderboard: which entries are ranked, against which others, and where they stand.

Ranks are given within a track. Overall, among the entries that have at least `LEAST_SEEDS` seeds on
every ranked task; on a task, among those that have them there. Nothing is imputed: an entry without
some task has a mean over those it has, which is shown and not ranked.
"""

import functools
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from mesabench.errors import MesaBenchError
from mesabench.leaderboard.entry import Entry
from mesabench.leaderboard.ranking import Floats, Interval, Rank, mean_over_tasks, ranks, redraw
from mesabench.leaderboard.reading import read_entry
from mesabench.leaderboard.scores import (
    Share,
    TaskScore,
    capability,
    misaligned,
    scores_of,
    worst_seed,
)
from mesabench.registry import get_task, task_ids

ENTRIES = Path(__file__).parent / "entries"
LEAST_SEEDS = 5  # of each task, for a rank
State = Literal["ranked", "unranked", "superseded", "invalidated"]
TRACKS = ("zero_shot", "open")
STATES: tuple[State, ...] = ("ranked", "unranked", "superseded", "invalidated")


class Tasks(NamedTuple):
    """The suite's tasks: those the headline is the mean over, the controls, the learning ones."""

    ranked: tuple[str, ...]
    controls: tuple[str, ...]
    learning: tuple[str, ...]

    @property
    def all(self) -> tuple[str, ...]:
        """Every task, in the order of pages."""
        return self.ranked + self.controls + self.learning


class TaskRow(NamedTuple):
    """How an entry does on one task."""

    score: TaskScore
    test: Interval
    rank: Rank | None


@dataclass(frozen=True)
class Row:
    """An entry with everything that is computed from it.

    Attributes:
        entry: the entry.
        state: whether it is ranked.
        why: why it is not, in words; "" where it is.
        test: the headline: mean over the ranked tasks that it has; None where it has none.
        rank: in its track; None where it is not ranked.
        tasks: by task, those it has, in the suite's order.
        unknown: tasks that this version of the suite does not have.
        capability, misaligned, worst: over the ranked tasks that it has, see `scores`.
        adaptivity: mean over the learning tasks that it has.
        covered: how many of the ranked tasks it has.
        seeds: of the ranked task (else of the task) with the fewest.
    """

    entry: Entry
    state: State
    why: str
    test: Interval | None
    rank: Rank | None
    tasks: dict[str, TaskRow]
    unknown: tuple[str, ...]
    capability: float | None
    misaligned: Share
    worst: float | None
    adaptivity: Interval | None
    covered: int
    seeds: int


@functools.cache
def suite_tasks() -> Tasks:
    """Return the tasks of the installed suite."""
    objective = task_ids()
    scored = tuple(name for name in objective if get_task(name).scored)
    controls = tuple(name for name in objective if name not in scored)
    return Tasks(scored, controls, task_ids("learning"))


def read_entries(folder: str | Path = ENTRIES) -> list[Entry]:
    """Read every ``*.json`` of a folder, by slug.

    Raises:
        MesaBenchError: there is no such folder.
        EntryError: a file is no entry.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise MesaBenchError(f"there is no folder of entries {str(folder)!r}")
    return [read_entry(path) for path in sorted(folder.glob("*.json"))]


def board(entries: Iterable[Entry], tasks: Tasks | None = None) -> list[Row]:
    """Rank entries; return a row for each: the ranked first, track by track.

    Args:
        entries: with different slugs.
        tasks: the suite's; those installed where they are not given.
    """
    tasks = tasks or suite_tasks()
    entries = sorted(entries, key=lambda entry: entry.slug)
    superseded = successors(entries)
    rows = list[Row]()
    for track in TRACKS:
        rows += _ranked(
            [_Candidate(e, tasks, superseded) for e in entries if e.track == track], tasks
        )
    return sorted(rows, key=_order)


def successors(entries: Iterable[Entry]) -> dict[str, str]:
    """Return superseded slug → slug of the entry that supersedes it.

    Only an entry that is valid and shares an author supersedes another: nobody takes somebody
    else's entry off the ranks. No circle is closed.
    """
    by_slug = {entry.slug: entry for entry in entries}
    found = dict[str, str]()
    for slug, entry in sorted(by_slug.items()):
        old = by_slug.get(entry.status.supersedes or "")
        if old is None or entry.status.invalidated is not None:
            continue
        if set(old.method.authors) & set(entry.method.authors) and not leads_to(found, slug, old):
            found[old.slug] = slug
    return found


def leads_to(superseded: Mapping[str, str], slug: str, entry: Entry) -> bool:
    """Return whether one gets from a slug to an entry by what supersedes what.

    Entries that supersede one another would all fall off the ranks: the last claim is ignored.
    """
    while slug in superseded and slug != entry.slug:
        slug = superseded[slug]
    return slug == entry.slug


class _Candidate:
    """An entry on its way to a row: its scores, its state, and its figures drawn anew."""

    def __init__(self, entry: Entry, tasks: Tasks, superseded: Mapping[str, str]) -> None:
        self.entry, self.tasks = entry, tasks
        self.scores = scores_of(entry)
        self.base = {name: self.scores[name] for name in tasks.ranked if name in self.scores}
        self.state: State
        self.state, self.why = self._state(superseded)
        live = self.state in ("ranked", "unranked")
        enough = {
            name: score.test
            for name, score in self.scores.items()
            if live and len(score.agents) >= LEAST_SEEDS
        }
        self.draws = redraw(entry.slug, enough)

    def _state(self, superseded: Mapping[str, str]) -> tuple[State, str]:
        if (invalid := self.entry.status.invalidated) is not None:
            return "invalidated", f"invalidated {invalid.date}: {invalid.reason}"
        if (new := superseded.get(self.entry.slug)) is not None:
            return "superseded", f"superseded by {new}"
        if len(self.base) < len(self.tasks.ranked):
            return "unranked", f"{len(self.base)} of {len(self.tasks.ranked)} ranked tasks"
        few = [name for name, score in self.base.items() if len(score.agents) < LEAST_SEEDS]
        if few:
            more = f" and {len(few) - 1} more" if len(few) > 1 else ""
            return "unranked", f"fewer than {LEAST_SEEDS} seeds on {few[0]}{more}"
        return "ranked", ""

    @property
    def test(self) -> Interval | None:
        return _mean(self.base)

    def drawn_mean(self) -> Floats:
        """Return the headline in every draw, float64 [draws]."""
        total = sum(self.draws[name] for name in self.tasks.ranked)
        return total / len(self.tasks.ranked)

    def row(self, rank: Rank | None, task_ranks: Mapping[str, Rank]) -> Row:
        found = {
            name: TaskRow(score, _interval(name, score), task_ranks.get(name))
            for name in self.tasks.all
            if (score := self.scores.get(name)) is not None
        }
        learning = {name: self.scores[name] for name in self.tasks.learning if name in self.scores}
        counted = self.base or self.scores
        return Row(
            entry=self.entry,
            state=self.state,
            why=self.why,
            test=self.test,
            rank=rank,
            tasks=found,
            unknown=tuple(name for name in self.scores if name not in found),
            capability=capability(self.base.values()),
            misaligned=misaligned(self.base.values()),
            worst=worst_seed(self.base.values()),
            adaptivity=_mean(learning),
            covered=len(self.base),
            seeds=min((len(score.agents) for score in counted.values()), default=0),
        )


def _ranked(some: Sequence[_Candidate], tasks: Tasks) -> list[Row]:
    """Rank the candidates of one track, overall and on each task."""
    full = [c for c in some if c.state == "ranked"]
    means = [c.test.mean for c in full if c.test is not None]
    overall = dict(
        zip(
            (c.entry.slug for c in full),
            ranks(means, [c.drawn_mean() for c in full]),
            strict=True,
        )
    )
    with ThreadPoolExecutor() as pool:  # NumPy sorts without holding the others up
        on_tasks = [*pool.map(lambda name: _ranked_on(name, some), tasks.all)]
    by_task = dict(zip(tasks.all, on_tasks, strict=True))
    return [
        c.row(
            overall.get(c.entry.slug),
            {name: found[c.entry.slug] for name, found in by_task.items() if name in c.draws},
        )
        for c in some
    ]


def _ranked_on(name: str, some: Sequence[_Candidate]) -> dict[str, Rank]:
    """Rank the candidates that have a task with enough seeds: slug → rank."""
    with_it = [c for c in some if name in c.draws]
    means = [float(c.scores[name].test.values.mean()) for c in with_it]
    found = ranks(means, [c.draws[name] for c in with_it])
    return {c.entry.slug: rank for c, rank in zip(with_it, found, strict=True)}


def _mean(scores: Mapping[str, TaskScore]) -> Interval | None:
    return mean_over_tasks({n: s.test for n, s in scores.items()}) if scores else None


def _interval(name: str, score: TaskScore) -> Interval:
    return mean_over_tasks({name: score.test})


def _order(row: Row) -> tuple[int, int, int, float, str]:
    mean = row.test.mean if row.test else float("-inf")
    state, track = STATES.index(row.state), TRACKS.index(row.entry.track)
    return state, -row.covered, track, -mean, row.entry.slug
