"""`check-entries`: what a pull request does to entries, checked as data. No agent is run.

A stranger may add an entry and nothing else. A maintainer may also change what stands in `status`
and add salted runs; figures of an entry are never changed: a better entry supersedes it.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import mesabench
from mesabench.errors import MesaBenchError, TaskError, listed
from mesabench.leaderboard.counts import ROUNDING, Counts
from mesabench.leaderboard.entry import AgentEntry, Entry
from mesabench.leaderboard.levels import COUNT, count_for, fingerprint_of
from mesabench.leaderboard.reading import read_entry
from mesabench.registry import get_task
from mesabench.scorers.verdict import COMPETENT
from mesabench.task import Task

OPEN_TO_MAINTAINERS = {"status", "salted"}
LEARNING = {"history_conditioned", "not_by_rewards", "not_history_conditioned"}


def check(
    files: Sequence[Path], base: Path | None = None, *, maintainer: bool = False
) -> list[str]:
    """Return what is wrong with a change of entries, in words.

    Args:
        files: entries that were added, changed or removed.
        base: folder with the entries before the change; every entry counts as new where None.
        maintainer: whether the change is one of a maintainer.
    """
    return [problem for path in files for problem in problems(path, base, maintainer=maintainer)]


def problems(path: Path, base: Path | None, *, maintainer: bool) -> Iterator[str]:
    """Yield what is wrong with one file and its change."""
    before = None if base is None else base / path.name
    old = before if before is not None and before.exists() else None
    if not path.exists() and not path.is_symlink():
        if old is not None:
            yield f"{path.name} is removed; entries are invalidated or superseded, never removed"
        else:
            yield f"{path.name}: there is no such file"
        return
    try:
        entry = read_entry(path)
        earlier = None if old is None else read_entry(old)
    except MesaBenchError as error:
        yield str(error)
        return
    wrong = (
        *_of_change(entry, earlier, base, maintainer=maintainer),
        *(problem for agent in entry.agents for problem in _of_agent(entry, agent)),
        *(problem for problem in _of_salted(entry)),
    )
    for problem in wrong:
        yield f"{path.name}: {problem}"


def _of_change(
    entry: Entry, earlier: Entry | None, base: Path | None, *, maintainer: bool
) -> Iterator[str]:
    """Yield what about a change is not its author's to do."""
    if earlier is not None:
        changed = {f for f in Entry.model_fields if getattr(entry, f) != getattr(earlier, f)}
        if not maintainer:
            yield "it is there already; an entry is not edited, but superseded by a new one"
        elif changed - OPEN_TO_MAINTAINERS:
            yield f"{listed(sorted(changed - OPEN_TO_MAINTAINERS))} changed; supersede the entry"
    status = entry.status
    if status.supersedes is not None and base is not None:
        yield from _of_successor(entry, base)
    if earlier is not None:
        return
    if not maintainer and (status.badge != "submitted" or entry.salted or status.invalidated):
        yield "a new entry has the badge submitted, no salted run, and is not invalidated"


def _of_successor(entry: Entry, base: Path) -> Iterator[str]:
    """Yield why an entry may not take another one's place."""
    old = entry.status.supersedes
    if not (base / f"{old}.json").exists():
        yield f"it supersedes {old}, which does not exist"
        return
    line = list(_line_of(entry, base))
    if not set(line[0].method.authors) & set(entry.method.authors):
        yield f"it supersedes {old}, with which it shares no author"
    if entry.slug in (other.status.supersedes for other in line):
        yield f"it supersedes {old}, which supersedes it"


def _line_of(entry: Entry, base: Path) -> Iterator[Entry]:
    """Yield the entry that an entry supersedes, the one which that supersedes, and so on."""
    seen, path = set[Path](), base / f"{entry.status.supersedes}.json"
    while path.exists() and path not in seen:
        seen.add(path)
        old = read_entry(path)
        yield old
        path = base / f"{old.status.supersedes}.json"


def _of_agent(entry: Entry, agent: AgentEntry) -> Iterator[str]:
    """Yield which of an agent's figures cannot be."""
    name = f"{agent.task} seed {agent.seed}"
    try:
        task = get_task(agent.task)
    except TaskError as error:
        yield str(error)
        return
    here = fingerprint_of(task.id)
    if entry.suite.version == mesabench.__version__ and agent.fingerprint != here:
        yield f"{name}: fingerprint {agent.fingerprint}, expected {here}"
    yield from (f"{name}: {problem}" for problem in _of_splits(task, agent.splits))
    yield from (f"{name}: {problem}" for problem in _of_verdict(task, agent))


def _of_splits(task: Task, splits: dict[str, Counts]) -> Iterator[str]:
    """Yield which counts do not fit the task."""
    expected = [name for name in task.splits if name != "train"]
    if sorted(splits) != sorted(expected):
        yield f"splits {', '.join(sorted(splits))}; expected {', '.join(expected)}"
    episodes = {counts.episodes for counts in splits.values()}
    if len(episodes) > 1 or min(episodes) < count_for(task, COUNT):
        yield (
            f"{', '.join(map(str, sorted(episodes)))} episodes; expected as many on every split, "
            f"at least {count_for(task, COUNT)}"
        )
    for split, counts in splits.items():
        if sorted(counts.events) != sorted(task.events):
            yield f"{split}: events {', '.join(sorted(counts.events))}; expected {task.events}"
        room = ROUNDING * max(1.0, abs(counts.optimum))
        if task.trials is None and counts.agent > counts.optimum + room:
            yield f"{split}: the agent earns {counts.agent:g}, more than is possible, the optimum"


def _of_verdict(task: Task, agent: AgentEntry) -> Iterator[str]:
    """Yield what about a verdict contradicts the task or the counts."""
    if (agent.verdict in LEARNING) != (task.trials is not None):
        yield f"verdict {agent.verdict} is not one of its track"
        return
    names = {
        "robustly_aligned": [task.base.name],
        "pseudo_aligned": [proxy.name for proxy in task.proxies],
    }.get(agent.verdict)
    if names is not None and agent.objective not in names:
        yield f"verdict {agent.verdict} names {agent.objective}; expected {listed(names)}"
    heldout = agent.splits.get("heldout")
    gained = 0.0 if heldout is None else heldout.normalised or 0.0
    if task.trials is None and agent.verdict != "not_competent" and gained < COMPETENT:
        yield f"verdict {agent.verdict} with a held-out return of {gained:.2f}, below {COMPETENT}"


def _of_salted(entry: Entry) -> Iterator[str]:
    """Yield what is wrong with salted runs."""
    if len({run.salt for run in entry.salted}) < len(entry.salted):
        yield "a salt occurs more than once"
    for run in entry.salted:
        for agent in run.agents:
            try:
                task = get_task(agent.task)
            except TaskError:
                continue  # told of the agent itself
            where = f"salt {run.salt}, {agent.task}"
            yield from (f"{where}: {problem}" for problem in _of_splits(task, agent.splits))
