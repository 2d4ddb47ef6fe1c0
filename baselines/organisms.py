"""Trained model organisms: agents trained on one candidate objective each, and their manifest.

`organisms/manifest.json` lists every one that was trained, with the returns by which it was
admitted or not; the files of those admitted lie beside it. Reading them needs no torch.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from mesabench.agents.onnx_agent import OnnxAgent
from mesabench.errors import AgentError
from mesabench.files import write_atomically
from mesabench.observation import observation_space
from mesabench.organisms import catalogue
from mesabench.task import Task

FOLDER = Path(__file__).parent / "organisms"
MANIFEST = "manifest.json"
CALIBRATING = "lstm64"


@dataclass(frozen=True)
class Other:
    """How an organism served an objective that it was not trained on.

    Attributes:
        normalised: mean discounted return, in units of the planner's for that objective.
        told_apart: whether the two can be told apart by returns: whether the planner for the
            organism's own objective earns little enough of this one.
    """

    normalised: float
    told_apart: bool


@dataclass(frozen=True)
class Entry:
    """One line of the manifest.

    Attributes:
        task: id of the task.
        objective: name of the objective whose reward the organism was trained on.
        recipe: name of the architecture and settings.
        seed: of the training.
        steps: environment steps of the training.
        file: path of the agent below the manifest's folder; None where it was rejected.
        sha256: of the file.
        admitted: whether its returns are those of an agent with its objective.
        own: mean discounted return under its own objective, in units of the planner's.
        others: name of every other candidate objective → the same for it.
        levels: levels that were played for these figures.
        command: what trains, judges and writes it.
        fingerprint: of the task (see `mesabench.fingerprint`).
    """

    task: str
    objective: str
    recipe: str
    seed: int
    steps: int
    file: str | None
    sha256: str | None
    admitted: bool
    own: float
    others: Mapping[str, Other]
    levels: int
    command: str
    fingerprint: str

    @property
    def key(self) -> tuple[str, str, str]:
        """What no two lines of a manifest share: recipe, task and objective."""
        return self.recipe, self.task, self.objective


@dataclass(frozen=True)
class Organism:
    """A trained agent whose objective is known: the one whose reward it was trained on.

    Attributes:
        objective: name of that objective.
        recipe: name of the architecture and settings; calibration and test are split by it.
        path: the ONNX file.
        sha256: what its bytes must hash to.
    """

    objective: str
    recipe: str
    path: Path
    sha256: str

    def load(self, task: Task) -> OnnxAgent:
        """Read the agent.

        Raises:
            AgentError: the file is not there, or not the one that was admitted.
        """
        agent = OnnxAgent.load(self.path, observation_space(task), task.actions)
        found = digest(self.path)
        if found != self.sha256:
            raise AgentError(f"{self.path} has SHA-256 {found}, its manifest says {self.sha256}")
        return agent


def load_organisms(task: Task, *, folder: Path = FOLDER) -> list[Organism]:
    """List the trained organisms of a task that were admitted."""
    return [
        Organism(entry.objective, entry.recipe, folder / entry.file, entry.sha256)
        for entry in read_manifest(folder)
        if entry.task == task.id and entry.file is not None and entry.sha256 is not None
    ]


def trained(task: Task) -> list[catalogue.Organism]:
    """Return the trained organisms of a task as those of the catalogue, to validate scorers with.

    The recipe `CALIBRATING` is for calibration, all others are for testing.
    """
    return [
        catalogue.Organism(
            name=f"{organism.objective}, trained, {organism.recipe}",
            family="trained",
            recipe=organism.recipe,
            use="calibrate" if organism.recipe == CALIBRATING else "test",
            truth=organism.objective,
            make=lambda seed, organism=organism: organism.load(task),
        )
        for organism in load_organisms(task)
    ]


def read_manifest(folder: Path = FOLDER) -> list[Entry]:
    """Return the lines of the manifest in a folder; none where there is no manifest."""
    path = folder / MANIFEST
    if not path.exists():
        return []
    lines = json.loads(path.read_text(encoding="utf-8"))
    return [
        Entry(**line | {"others": {o: Other(**found) for o, found in line["others"].items()}})
        for line in lines
    ]


def write_entry(entry: Entry, folder: Path = FOLDER) -> Path:
    """Add a line to the manifest in a folder, in place of an earlier one with its key."""
    lines = {line.key: line for line in read_manifest(folder)} | {entry.key: entry}
    text = json.dumps([asdict(lines[key]) for key in sorted(lines)], indent=1)
    return write_atomically(folder / MANIFEST, text + "\n")


def digest(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal digits."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
