"""Records of trained agents: `mesabench keep` puts a finished run on record in the repository.

What is on record is evaluated as it lies there: in half precision, on the levels and with the seed
of the run's own evaluation.
"""

import json
import os
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mesabench.baselines.card import card
from mesabench.baselines.evaluating_again import MOST_TEXT, evaluate_again, shortened
from mesabench.baselines.grid import run_name
from mesabench.baselines.organisms import digest
from mesabench.baselines.outcomes import RECORD, Outcome, read_outcome, runs_in
from mesabench.baselines.runs import EVALUATION, read_settings, trained_steps
from mesabench.errors import MesaBenchError
from mesabench.files import versions, write_atomically
from mesabench.fingerprint import fingerprint
from mesabench.registry import get_task

FOLDER = Path(__file__).parent / "agents"
AGENT, CONFIG, CARD = "agent.onnx", "config.json", "card.md"
FILES = (AGENT, CONFIG, EVALUATION, CARD)
MOST_BYTES = 300_000  # of an agent
ALL_BYTES = 25_000_000  # of everything on record


def put_on_record(run: Path, folder: Path = FOLDER) -> Path:
    """Put a finished run on record, in place of an earlier record of the same run.

    Args:
        run: the run's folder.
        folder: of the records.

    Returns:
        The record's folder, ``<task>/<algorithm>-seed<seed>`` below `folder`.

    Raises:
        MesaBenchError: the run is not finished, its agent is too large, or a run with other
            settings is on record under its name.
    """
    (run,) = runs_in([run])
    outcome = read_outcome(run)
    place = folder / outcome.task / run_name(outcome.settings)
    refuse_other(place, outcome)
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.parent, prefix=".keep-") as name:
        draft = Path(name) / place.name
        write_record(outcome, draft)
        if place.exists():  # not removed before the new one is there
            os.replace(place, Path(name) / "before")
        os.replace(draft, place)
    return place


def refuse_other(place: Path, outcome: Outcome) -> None:
    """Refuse to put a run in the place of one with other settings."""
    if not (place / CONFIG).is_file():
        return
    if read_outcome(place).identity != outcome.identity:
        raise MesaBenchError(f"{place} has a run with other settings; remove that record first")


def write_record(outcome: Outcome, draft: Path) -> None:
    """Write the four files of a record into a new folder."""
    from mesabench.baselines.raising import halve

    draft.mkdir()
    agent = halve(outcome.run / AGENT, draft / AGENT)
    size, task = agent.stat().st_size, get_task(outcome.task)
    if size > MOST_BYTES:
        raise MesaBenchError(
            f"the agent of {outcome.run} has {size:,} bytes in half precision, a record at most "
            f"{MOST_BYTES:,}; train a smaller network"
        )
    text, left_out = shortened(evaluate_again(agent, task, outcome.evaluation))
    write_atomically(draft / EVALUATION, text)
    config = about(outcome) | {
        RECORD: {
            "command": outcome.command,
            "steps": int(trained_steps(outcome.run)),
            "bytes": size,
            "sha256": digest(agent),
            "fingerprint": fingerprint(task),
            "left_out": left_out,
        }
    }
    write_atomically(draft / CONFIG, json.dumps(config, indent=2) + "\n")
    write_card(draft)


def about(outcome: Outcome) -> dict[str, Any]:
    """Return what a run's ``config.json`` says of its training, in full and in today's form."""
    trained = json.loads((outcome.run / CONFIG).read_text(encoding="utf-8"))
    return {
        "env": outcome.task,
        "algorithm": outcome.settings.algorithm,
        "knobs": outcome.settings.knobs(outcome.task),
        "versions": trained.get("versions", versions()),
        **asdict(outcome.settings),
    }


def list_records(folder: Path = FOLDER) -> list[Path]:
    """Return the folders of all records."""
    return sorted(path.parent for path in folder.glob(f"*/*/{CONFIG}"))


def faults_of(record: Path) -> list[str]:
    """Return what is wrong with a record: a file amiss, or another task than today's."""
    missing = [name for name in FILES if not (record / name).is_file()]
    if missing:
        return [f"{record} lacks {', '.join(missing)}"]
    task, settings = read_settings(record)
    said = json.loads((record / CONFIG).read_text(encoding="utf-8"))[RECORD]
    outcome = read_outcome(record)
    checks = {
        f"{AGENT} is not the file that was evaluated": said["sha256"] == digest(record / AGENT),
        f"{AGENT} is too large": (record / AGENT).stat().st_size <= MOST_BYTES,
        f"{EVALUATION} is too large": (record / EVALUATION).stat().st_size <= MOST_TEXT,
        "the task has other levels or objectives now": said["fingerprint"]
        == fingerprint(get_task(task)),
        "its folder has another name": record.parts[-2:] == (task, run_name(settings)),
        f"{AGENT} was trained for fewer steps": said["steps"] >= settings.steps,
        f"{CARD} is not what the record makes": (record / CARD).read_text(encoding="utf-8")
        == card(outcome, json.loads((record / CONFIG).read_text(encoding="utf-8"))),
    }
    return [f"{record}: {fault}" for fault, sound in checks.items() if not sound]


def write_card(record: Path) -> Path:
    """Write a record's card; return its path."""
    config = json.loads((record / CONFIG).read_text(encoding="utf-8"))
    return write_atomically(record / CARD, card(read_outcome(record), config))
