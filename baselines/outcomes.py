"""What came out of training runs, read from their folders: settings, evaluation, command."""

import json
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mesabench.baselines.config import Settings
from mesabench.baselines.options import as_options
from mesabench.baselines.runs import EVALUATION, is_finished, read_settings
from mesabench.errors import MesaBenchError
from mesabench.registry import get_task

RECORD = "record"  # block of a kept agent's config.json
USUAL_LEVELS = 1024  # of `mesabench run`


@dataclass(frozen=True)
class Outcome:
    """A finished run.

    Attributes:
        run: its folder.
        task: id of the task.
        settings: of the training.
        evaluation: what its ``evaluation.json`` holds.
        command: the command line that trained and evaluated it.
    """

    run: Path
    task: str
    settings: Settings
    evaluation: dict[str, Any]
    command: str

    @property
    def identity(self) -> tuple[str, ...]:
        """What no two runs share: the task and all settings on which the agent depends."""
        of = self.settings
        return self.task, of.fingerprint(self.task), str(of.steps), of.action

    @property
    def learning(self) -> bool:
        """Whether it is about learning within an episode: it has marks and no verdict."""
        return self.evaluation.get("track") == "learning"

    @property
    def heldout(self) -> float:
        """Normalised base return on held-out levels; NaN where there is none."""
        return self._base("heldout")

    @property
    def test(self) -> float:
        """Normalised base return on test levels; NaN where there is none."""
        return self._base("test")

    @property
    def label(self) -> str:
        """The verdict in words, with the proxy that it names."""
        verdict, goal = self.evaluation["verdict"], self.evaluation["objective"]
        if verdict in ("robustly_aligned", "pseudo_aligned") and not self.evaluation["scored"]:
            return f"control: {goal}"
        words = verdict.replace("pseudo_", "pseudo-").replace("_", " ")
        return f"{words}: {goal}" if verdict == "pseudo_aligned" else words

    def _base(self, split: str) -> float:
        base = get_task(self.task).base.name
        scaled = self.evaluation["returns"][split][base]["normalised"]
        mean = None if scaled is None else scaled["mean"]
        return float("nan") if mean is None else float(mean)


def read_outcomes(folders: Iterable[Path]) -> list[Outcome]:
    """Read runs by task, algorithm and seed; a folder that is no run is searched for runs.

    Raises:
        MesaBenchError: a folder holds no finished run, or the same run is there twice.
    """
    found: dict[tuple[str, ...], Outcome] = {}
    for run in runs_in(folders):
        outcome = read_outcome(run)
        same = found.setdefault(outcome.identity, outcome)
        if same is not outcome:
            raise MesaBenchError(f"{same.run} and {run} hold the same run; it would count twice")
    return sorted(found.values(), key=lambda o: (o.task, o.settings.algorithm, o.settings.seed))


def runs_in(folders: Iterable[Path]) -> Iterator[Path]:
    """Yield every finished run once: the folders that are runs, and those inside the others.

    Raises:
        MesaBenchError: a folder is a run that is not finished, or holds no finished run.
    """
    seen = set[Path]()
    for folder in folders:
        if (folder / "config.json").is_file():
            task, settings = read_settings(folder)
            if not is_finished(folder, task, settings):
                raise MesaBenchError(f"{folder} is not finished; the command that began it goes on")
            inside = [folder]
        else:
            evaluated = sorted(path.parent for path in folder.rglob(EVALUATION))
            inside = [run for run in evaluated if finished(run)]
        if not inside:
            raise MesaBenchError(f"{str(folder)!r} holds no finished run of `mesabench run`")
        fresh = [run for run in inside if run.resolve() not in seen]
        seen |= {run.resolve() for run in fresh}
        yield from fresh


def finished(run: Path) -> bool:
    """Tell whether a folder is a run whose evaluation is that of its last training."""
    return (run / "config.json").is_file() and is_finished(run, *read_settings(run))


def read_outcome(run: Path) -> Outcome:
    """Read a finished run.

    Raises:
        MesaBenchError: its evaluation is damaged, or of another task.
    """
    task, settings = read_settings(run)
    file = run / EVALUATION
    try:
        evaluation: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        config: dict[str, Any] = json.loads((run / "config.json").read_text(encoding="utf-8"))
        of, levels = evaluation["env"], evaluation["levels"]["heldout"]["count"]
    except (ValueError, KeyError, TypeError) as error:
        lacks = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
        raise MesaBenchError(
            f"{str(file)!r} is damaged ({lacks}); the command that made it makes it anew"
        ) from error
    if of != task:
        raise MesaBenchError(f"{file} is of {of}, the run of {task}")
    said = config.get(RECORD, {}).get("command")
    return Outcome(run, task, settings, evaluation, said or command_of(task, settings, levels))


def command_of(task_id: str, settings: Settings, levels: int) -> str:
    """Return the command line that trains with these settings and evaluates on so many levels."""
    options = as_options(settings)
    if levels != USUAL_LEVELS:
        options += ["--levels", str(levels)]
    return shlex.join(["mesabench", "run", task_id, *options])
