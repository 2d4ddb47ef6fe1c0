"""`evaluate_learning`: from an agent to ``evaluation.json`` and a page, on the learning track."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console

from mesabench.adaptivity.figures import Curve, Shown
from mesabench.adaptivity.page import page
from mesabench.adaptivity.profile import LEVELS, Profile, profile
from mesabench.adaptivity.references import trials_of
from mesabench.agents.kinds import Agent
from mesabench.files import as_json, versions, write_atomically
from mesabench.task import Task

DIGITS = 5  # of curves and samples, which are many


def evaluate_learning(
    agent: Agent,
    task: Task | str,
    folder: str | Path,
    *,
    levels: int = LEVELS,
    seed: int = 0,
    console: Console | None = None,
    name: str = "agent",
    command: str | None = None,
) -> Profile:
    """Profile an agent and write ``evaluation.json`` and ``report.html``, each whole or not at all.

    Args:
        agent: any ``agent(obs, state, episode_start) -> (actions, state)`` with frozen weights.
        task: a task with trials, or its id.
        folder: where both go; it is made where there is none.
        levels: how many levels of each split are played.
        seed: of controls, references and bootstraps.
        console: says what is played, and the headline; nothing is said where None.
        name: what the agent is called.
        command: the command line that was run, for the page.

    Raises:
        TaskError: the task is not about learning within an episode.
        AgentError: the agent's actions do not fit.
    """
    console = console or Console(quiet=True)
    with console.status("playing") as status:
        found = profile(
            agent, task, levels=levels, seed=seed, name=name, tell=lambda what: status.update(what)
        )
        status.update("writing the page")
        text = json.dumps(as_json(as_dict(found)), indent=1, allow_nan=False)
        write_atomically(Path(folder) / "evaluation.json", text)
        write_atomically(Path(folder) / "report.html", page(found, command=command))
    console.print(found.statements[0], markup=False, highlight=False)
    return found


def as_dict(found: Profile) -> dict[str, Any]:
    """Return what ``evaluation.json`` holds; see ``profile.schema.json``."""
    splits = {name: found.task.split(name) for name in found.splits}
    return {
        "env": found.task.id,
        "track": "learning",
        "experiment": trials_of(found.task).experiment,
        "agent": found.agent,
        "statements": list(found.statements),
        "passes": [asdict(mark) for mark in found.passes],
        "splits": as_dicts(found.splits),
        "controls": as_dicts(found.controls),
        "references": {split: as_dicts(some) for split, some in found.references.items()},
        "compared": {name: asdict(x) for name, x in found.compared.items()},
        "levels": {
            name: {"first": 0, "count": found.levels, "role": split.role}
            for name, split in splits.items()
        },
        "seed": found.seed,
        "versions": versions(),
    }


def as_dicts(some: Mapping[str, Shown]) -> dict[str, Any]:
    """Return what several showed, in plain types."""
    return {name: shown_as_dict(shown) for name, shown in some.items()}


def shown_as_dict(shown: Shown) -> dict[str, Any]:
    """Return what somebody showed, in plain types."""
    return {
        "figures": {name: asdict(x) for name, x in shown.figures.items()},
        "curves": {name: curve_as_dict(curve) for name, curve in shown.curves.items()},
        "samples": {name: rounded(values) for name, values in shown.samples.items()},
        "notes": list(shown.notes),
    }


def curve_as_dict(curve: Curve) -> dict[str, list[float]]:
    """Return a curve in plain types."""
    return {end: rounded(values) for end, values in asdict(curve).items()}


def rounded(values: tuple[float, ...]) -> list[float]:
    """Return numbers with few digits."""
    return [round(value, DIGITS) for value in values]
