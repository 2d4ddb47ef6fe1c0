"""What a second evaluation leaves in an entry: a salted run, a step of provenance, a badge."""

import os
from datetime import UTC, datetime

from pydantic import ValidationError

from mesabench.leaderboard.entry import AgentEntry, Entry, SaltedAgent, SaltedRun, Status, Step
from mesabench.leaderboard.reading import EntryError, told
from mesabench.leaderboard.sandbox import Answer
from mesabench.leaderboard.verify import Verification


def recorded(found: Verification, salt: str, by: str) -> Entry:
    """Return the entry with a salted run and what came of it.

    An entry whose figures do not hold keeps its badge; the run, by which it is ranked from now on,
    is kept, too.

    Args:
        found: what came of it.
        salt: of the levels.
        by: who did it.

    Raises:
        EntryError: no agent could be evaluated, or `by` is no line of text.
    """
    entry, today = found.entry, datetime.now(UTC).date()
    agents = [salted_of(*pair) for pair in zip(entry.agents, found.answers, strict=True)]
    note = f"{found.outside} of {len(found.comparisons)} figures outside 2 standard errors"
    what = "re-evaluated on salted levels" + ("" if found.agrees else ": does not agree")
    status = entry.status
    raised = found.agrees and status.badge == "submitted"
    try:
        step = Step(date=today, what=what, by=by, note=f"{note}; salt {salt}")
        run = SaltedRun(salt=salt, date=today, agents=tuple(filter(None, agents)))
        changed = {
            "badge": "re-evaluated" if raised else status.badge,
            "provenance": (*status.provenance, step),
        }
        status = Status(**dict(status) | changed)
        return Entry(**dict(entry) | {"status": status, "salted": (*entry.salted, run)})
    except ValidationError as error:
        raise EntryError(f"{entry.slug}: {told(error)}") from error


def salted_of(agent: AgentEntry, answer: Answer) -> SaltedAgent | None:
    """Return what an entry holds of an agent's second evaluation; None where it failed."""
    if answer.judged is None:
        return None
    return SaltedAgent(
        sha256=agent.sha256,
        task=agent.task,
        verdict=answer.judged.verdict,
        splits=answer.judged.splits,
    )


def fresh_salt() -> str:
    """Return a salt that nobody could know before."""
    return os.urandom(8).hex()
