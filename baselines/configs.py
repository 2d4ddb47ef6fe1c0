"""Tuned settings: `configs/<task>.yaml` says how each algorithm is best set on a task.

A file maps the name of an algorithm to the settings that differ from the algorithm's defaults, and
to ``found``: how `mesabench tune` found them, or null where nothing was searched (the settings are
then the defaults, or were chosen by hand). Settings are searched on held-out levels, never on what
an agent does at test.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import yaml

from mesabench.baselines.algorithms import get_algorithm
from mesabench.baselines.checked import check_fields
from mesabench.baselines.config import Settings
from mesabench.errors import MesaBenchError
from mesabench.files import write_atomically
from mesabench.registry import get_task

FOLDER = Path(__file__).parent / "configs"
FOUND = "found"
HEADER = "# {}: settings that differ from an algorithm's defaults, and how they were found.\n"


@dataclass(frozen=True)
class Found:
    """How settings were found.

    Attributes:
        heldout: base return with these settings on held-out levels, between a random agent (0) and
            the planner, or the Bayes learner (1). The best of many trials is a little too high;
            that of a trained agent is in its evaluation, on other held-out levels.
        before: the same of the settings that the search began from, after as many steps; None
            where the network broke under them.
        steps: environment steps of each trial.
        seed: of the search and of every trial's training.
        trials: how many settings were tried.
        command: what found them.
    """

    heldout: float
    before: float | None
    steps: int
    seed: int
    trials: int
    command: str


def load_settings(task_id: str, algorithm: str, *, folder: Path = FOLDER) -> Settings:
    """Return the tuned settings of an algorithm on a task; its defaults where there are none.

    Raises:
        MesaBenchError: no such task or algorithm, or the file holds what is no setting.
    """
    return read_configs(task_id, folder=folder).get(algorithm) or get_algorithm(algorithm).Args()


def read_configs(task_id: str, *, folder: Path = FOLDER) -> dict[str, Settings]:
    """Return every algorithm's settings that a task's file holds.

    Raises:
        MesaBenchError: no such task, or the file holds what is no setting.
    """
    path, blocks = config_file(task_id, folder), read_blocks(task_id, folder=folder)
    return {name: parse(path, name, block) for name, block in blocks.items()}


def read_found(task_id: str, algorithm: str, *, folder: Path = FOLDER) -> Found | None:
    """Return how an algorithm's settings were found; None where they were not searched.

    Raises:
        MesaBenchError: no such task, or the block ``found`` is not one.
    """
    path, blocks = config_file(task_id, folder), read_blocks(task_id, folder=folder)
    return parse_found(path, algorithm, blocks.get(algorithm, {}))


def write_settings(
    settings: Settings, task_id: str, found: Found, *, folder: Path = FOLDER
) -> Path:
    """Put an algorithm's settings into a task's file, in place of what it had; return the path."""
    blocks = read_blocks(task_id, folder=folder)
    blocks[settings.algorithm] = differing(settings) | {FOUND: asdict(found)}
    text = yaml.safe_dump(dict(sorted(blocks.items())), sort_keys=False, width=1000)
    return write_atomically(config_file(task_id, folder), HEADER.format(task_id) + text)


def differing(settings: Settings) -> dict[str, Any]:
    """Return the settings that differ from the algorithm's defaults."""
    usual = asdict(type(settings)())
    return {name: value for name, value in asdict(settings).items() if value != usual[name]}


def config_file(task_id: str, folder: Path = FOLDER) -> Path:
    """Return the path of a task's file."""
    return folder / f"{get_task(task_id).id}.yaml"


def read_blocks(task_id: str, *, folder: Path = FOLDER) -> dict[str, dict[str, Any]]:
    """Return what a task's file holds, by algorithm; nothing where there is no file."""
    path = config_file(task_id, folder)
    if not path.is_file():
        return {}
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except yaml.YAMLError as error:
        raise MesaBenchError(f"{path} is no YAML: {error}") from error
    if not isinstance(found, dict) or not all(isinstance(b, dict) for b in found.values()):
        raise MesaBenchError(f"{path} must map names of algorithms to their settings")
    return found


def parse(path: Path, algorithm: str, block: Mapping[str, Any]) -> Settings:
    """Turn an algorithm's block into its settings.

    Raises:
        MesaBenchError: the algorithm, a key or the type of a value is wrong.
    """
    try:
        kind = get_algorithm(algorithm).Args
    except MesaBenchError as error:
        raise MesaBenchError(f"{path}: {error}") from None
    parse_found(path, algorithm, block)
    settings = {name: value for name, value in block.items() if name != FOUND}
    return kind(**check_fields(path, algorithm, settings, kind))


def parse_found(path: Path, algorithm: str, block: Mapping[str, Any]) -> Found | None:
    """Turn what an algorithm's block says of the search into a `Found`.

    Raises:
        MesaBenchError: a key is missing or unknown, or the type of a value is wrong.
    """
    said = block.get(FOUND)
    if said is None:
        return None
    if not isinstance(said, dict):
        raise MesaBenchError(f"{path}: {algorithm}.{FOUND} must be null or a block, not {said!r}")
    checked = check_fields(path, f"{algorithm}.{FOUND}", said, Found)
    missing = [f.name for f in fields(Found) if f.name not in checked]
    if missing:
        raise MesaBenchError(f"{path}: {algorithm}.{FOUND} lacks {', '.join(missing)}")
    return Found(**checked)
