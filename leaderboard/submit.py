"""`submit`: from a folder of agents and a method file to an entry."""

import subprocess
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

import mesabench
from mesabench.files import versions
from mesabench.leaderboard.collecting import AgentFile, collect
from mesabench.leaderboard.entry import AgentEntry, Entry, FailedAgent, Status, Step, Suite
from mesabench.leaderboard.evaluating import Job, evaluate_all
from mesabench.leaderboard.levels import COUNT, SCHEME, block_of, count_for
from mesabench.leaderboard.method import MethodFile, read_method
from mesabench.leaderboard.reading import EntryError, told
from mesabench.leaderboard.sandbox import Answer, Limits
from mesabench.registry import get_task


class Submission(NamedTuple):
    """An entry, and how its agents were confined."""

    entry: Entry
    held: tuple[str, ...]


def submit(
    folder: Path,
    method: Path,
    *,
    only: str = "*",
    levels: int = COUNT,
    workers: int = 2,
    limits: Limits | None = None,
    tell: Callable[[Answer], Any] = lambda _: None,
) -> Submission:
    """Evaluate every agent in a folder and return the entry.

    Args:
        folder: agents, see `mesabench.leaderboard.collecting`.
        method: the method file.
        only: pattern of the agents' names.
        levels: of each split; fewer where planning takes long.
        workers: how many agents are evaluated at the same time.
        limits: what each may use.
        tell: is told of each answer.

    Raises:
        EntryError: something is missing or wrong, or no agent could be evaluated.
    """
    said = read_method(method)
    agents = collect(folder, said.seeds, only)
    jobs = [job_of(agent, levels, zero_shot=said.track == "zero_shot") for agent in agents]
    answers = list(evaluate_all(jobs, workers=workers, limits=limits, tell=tell))
    held = {means: None for answer in answers for means in answer.held}
    return Submission(entry_of(said, agents, answers), tuple(held))


def job_of(agent: AgentFile, levels: int, *, zero_shot: bool) -> Job:
    """Return what is to be evaluated of an agent."""
    count = count_for(get_task(agent.task), levels)
    block = block_of(mesabench.__version__, agent.task, agent.sha256, count)
    return Job(agent.task, agent.data, block, zero_shot)


def entry_of(said: MethodFile, agents: Sequence[AgentFile], answers: Sequence[Answer]) -> Entry:
    """Return the entry.

    Raises:
        EntryError: no agent could be evaluated, or what was said does not make an entry.
    """
    pairs = list(zip(agents, answers, strict=True))
    failed = tuple(failed_of(agent, found) for agent, found in pairs if found.failed)
    if len(failed) == len(pairs):
        first = failed[0]
        raise EntryError(
            f"no agent could be evaluated; {agents[0].name}: {first.reason}: {first.detail}"
        )
    today = datetime.now(UTC).date()
    try:
        return Entry(
            schema_version=1,
            slug=said.slug,
            track=said.track,
            suite=Suite(version=mesabench.__version__, commit=commit()),
            method=said.method,
            training=said.training,
            agents=tuple(agent_of(agent, found, said) for agent, found in pairs if found.judged),
            failed=failed,
            versions=versions(),
            reported=said.reported,
            status=begun(said, today),
        )
    except ValidationError as error:
        raise EntryError(told(error)) from error


def agent_of(agent: AgentFile, found: Answer, said: MethodFile) -> AgentEntry:
    """Return what an entry holds of an agent that was evaluated."""
    assert found.judged is not None
    return AgentEntry(
        task=agent.task,
        seed=agent.seed,
        url=said.url(agent.task, agent.seed, agent.path.name) or agent.local,
        sha256=agent.sha256,
        bytes=len(agent.data),
        levels=SCHEME,
        **dict(found.judged),
    )


def failed_of(agent: AgentFile, found: Answer) -> FailedAgent:
    """Return what an entry holds of an agent that was not."""
    assert found.failed is not None
    return FailedAgent(task=agent.task, seed=agent.seed, sha256=agent.sha256, **dict(found.failed))


def begun(said: MethodFile, today: date) -> Status:
    """Return the status of a new entry."""
    step = Step(date=today, what="submitted", by=said.method.authors[0], note="")
    return Status(
        badge="submitted", provenance=(step,), supersedes=said.supersedes, invalidated=None
    )


def commit() -> str | None:
    """Return the commit of the suite's code; None where that is not a clean checkout."""
    root = Path(mesabench.__file__).parent.parent

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(root), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
        return done.stdout.strip()

    try:
        if Path(git("rev-parse", "--show-toplevel")).resolve() != root.resolve():
            return None
        changed = git("status", "--porcelain", "--", "mesabench", "envs", "leaderboard/*.py")
        return None if changed else git("rev-parse", "HEAD")
    except (OSError, subprocess.SubprocessError):
        return None
