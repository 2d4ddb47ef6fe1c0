"""The folder of a training run: whose settings it has, how far it is, whether it is finished."""

import json
import os
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from mesabench.baselines.algorithms import FLAGSHIP, get_algorithm
from mesabench.baselines.checked import check_fields
from mesabench.baselines.config import RESUMABLE, Settings
from mesabench.errors import AgentError, MesaBenchError

EVALUATION = "evaluation.json"
TAIL = 1 << 14  # bytes at the end of a log that surely hold its last line
STEPS = "time/total_timesteps"  # the column of Stable-Baselines3's log


def read_settings(run: Path) -> tuple[str, Settings]:
    """Return the id of a run's task, and the run's settings.

    Raises:
        MesaBenchError: the folder holds no run, or its ``config.json`` is damaged or says what
            is no setting.
    """
    file = run / "config.json"
    if not file.is_file():
        raise MesaBenchError(f"{str(run)!r} is no training run: it has no config.json")
    try:
        found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        task, algorithm = found["env"], found.get("algorithm", FLAGSHIP)
    except (ValueError, KeyError, TypeError) as error:
        raise MesaBenchError(f"{str(file)!r} is damaged: {error!r}") from error
    kind = get_algorithm(algorithm).Args
    names = {field.name for field in fields(kind)}
    said = {name: value for name, value in found.items() if name in names}
    return task, kind(**check_fields(file, algorithm, said, kind))


def is_finished(run: Path, task_id: str, settings: Settings) -> bool:
    """Tell whether a folder holds the evaluation of an agent trained with these settings.

    An evaluation is the agent's that lies beside it: a training sets aside the one that is there.

    Args:
        run: the folder.
        task_id: id of the task.
        settings: the settings; what may differ between two sessions of a run may differ here, but
            for the steps and for how the agent chooses its actions.
    """
    if not all((run / name).is_file() for name in ("config.json", EVALUATION, "agent.onnx")):
        return False
    trained_on, found = read_settings(run)
    same = trained_on == task_id and found.fingerprint(task_id) == settings.fingerprint(task_id)
    same = same and (found.steps, found.action) == (settings.steps, settings.action)
    return same and trained_steps(run) >= settings.steps


def is_done(run: Path, task_id: str, settings: Settings) -> bool:
    """Tell whether a run is finished, and its evaluation can be read; arguments as `is_finished`.

    A sweep does a run again whose evaluation was damaged; a table must not leave it out unsaid.
    """
    if not is_finished(run, task_id, settings):
        return False
    try:
        return json.loads((run / EVALUATION).read_text(encoding="utf-8"))["env"] == task_id
    except (ValueError, KeyError, TypeError):
        return False


def set_aside(run: Path) -> None:
    """Rename the evaluation of what a run was before it goes on: it is of another agent then."""
    if (run / EVALUATION).is_file():
        os.replace(run / EVALUATION, run / f"before.{EVALUATION}")


def trained_steps(run: Path) -> float:
    """Return the steps of which a run's agent tells; infinite where it does not say.

    An evaluation may be of an agent that was to be trained for longer afterwards.
    """
    from mesabench.agents.vetting import read_metadata

    try:
        return float(read_metadata(run / "agent.onnx").get("training_steps", "inf"))
    except AgentError:
        return 0.0


def refuse_others(run: Path, task_id: str, settings: Settings) -> None:
    """Refuse a folder whose run would be lost to one with these settings.

    Raises:
        MesaBenchError: it holds a run on another task, with other settings or with more steps.
    """
    if not (run / "config.json").is_file() or not holds_work(run):
        return
    trained_on, found = read_settings(run)
    here, wanted = ({"task": t} | asdict(s) for t, s in ((trained_on, found), (task_id, settings)))
    differ = [k for k in wanted if k not in RESUMABLE and here.get(k) != wanted[k]]
    if found.steps > settings.steps:
        differ.append("steps")
    if trained_on != task_id or found.fingerprint(task_id) != settings.fingerprint(task_id):
        differ = differ or ["algorithm"]
    elif found.steps <= settings.steps:
        return
    said = ", ".join(f"{k} {here.get(k)}, not {wanted.get(k)}" for k in differ)
    raise MesaBenchError(
        f"{str(run)!r} holds a run with other settings ({said}); choose another --out, or "
        "remove that folder"
    )


def holds_work(run: Path) -> bool:
    """Tell whether a folder has more of a run than what was to be done."""
    return (run / "agent.onnx").is_file() or any(run.glob("**/checkpoints/*"))


def steps_done(run: Path) -> int:
    """Return how many steps the logs of a run, and of the members of an ensemble, tell of."""
    return sum(logged_steps(one) for one in (run, *run.glob("member-*")))


def logged_steps(run: Path) -> int:
    """Return the steps in a run's newest log; 0 where there is none yet."""
    try:
        logs = sorted(run.glob("logs/*/progress.csv"), key=lambda log: log.stat().st_mtime)
        return last_number(logs[-1], STEPS) if logs else 0
    except (OSError, ValueError, IndexError):
        return 0  # a log that is being written anew


def last_number(log: Path, column: str) -> int:
    """Return what the last whole line of a CSV file has in a column.

    Raises:
        ValueError: there is no such column, or no number in it.
        IndexError: the line is shorter than the first.
    """
    with log.open("rb") as file:
        names = file.readline().decode().strip().split(",")
        start = file.tell()
        file.seek(max(start, log.stat().st_size - TAIL))
        lines = file.read().decode(errors="replace").split("\n")[:-1]
    return int(float(lines[-1].split(",")[names.index(column)])) if lines else 0
