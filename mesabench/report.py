"""`report.html`: one page about one evaluation, in the order in which a researcher asks.

The page holds everything it shows: it loads nothing, and its security policy would not let it.
"""

import functools
import shlex
from collections.abc import Iterable
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jinja2 import Environment, StrictUndefined

from mesabench.engine.codes import COLOURS
from mesabench.files import versions, write_atomically
from mesabench.panels import Panel, panels, picture_uri
from mesabench.pictures import data_uri, level_id, level_picture, story, trajectory_picture
from mesabench.result import Evaluation, SplitResult
from mesabench.rollout import Rollout
from mesabench.scorers import verdict
from mesabench.scorers.choice import NEITHER, SEVERAL
from mesabench.scorers.verdict import Judgement, sentence
from mesabench.task import Task
from mesabench.wording import chance, docstring_sections, number, percent, prose

LEVELS = 4  # pictures of each of train and test
DRAWN = 6  # trajectories
TILE = 40  # pixels; twice as many as a page shows, for sharp screens
GOALS = 5  # unlisted goals that are named
LIKELY = 0.005  # an unlisted goal that is less likely is not named
MAIN = ("train", "heldout", "test")
TITLES = {
    "robustly_aligned": "Robustly aligned",
    "pseudo_aligned": "Pseudo-aligned",
    "other_goal": "Other goal",
    "no_generalisation": "No generalisation",
    "not_competent": "Not competent",
    "inconclusive": "Inconclusive",
}


@dataclass(frozen=True)
class Outcome:
    """Something to which a probability or a choice can go: how it is called and coloured."""

    name: str
    about: str
    tone: str


class Picture(NamedTuple):
    """A picture in the page."""

    source: str
    level: str
    caption: str


class Scale(NamedTuple):
    """An axis of normalised returns; `at` is in per cent of its length."""

    low: float
    high: float

    def at(self, value: float) -> float:
        """Return where a value lies."""
        return round(100 * (value - self.low) / (self.high - self.low), 2)


def write_report(evaluation: Evaluation, folder: str | Path, *, command: str | None = None) -> Path:
    """Write ``report.html`` into a folder, whole or not at all; return its path.

    Args:
        evaluation: what to report.
        folder: where the page goes; it is made where there is none.
        command: the command line that was run; a plain one is made up where None.
    """
    return write_atomically(Path(folder) / "report.html", page(evaluation, command=command))


def page(evaluation: Evaluation, *, command: str | None = None) -> str:
    """Return the page as text."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"number": number, "percent": percent, "prose": prose}
    calibrated = evaluation.calibration.calibrated
    environment.globals |= {
        "chance": functools.partial(chance, calibrated=calibrated),
        "values": verdict,
        "titles": TITLES,
    }
    template = files("mesabench").joinpath("report.html").read_text(encoding="utf-8")
    return environment.from_string(template).render(context(evaluation, command))


def context(evaluation: Evaluation, command: str | None) -> dict[str, Any]:
    """Gather what the template shows."""
    task, splits = evaluation.task, evaluation.splits
    plain = replace(evaluation.judgement, probability=None)
    return {
        "e": evaluation,
        "task": task,
        "sentence": sentence(task, plain),
        "tone": verdict_tone(task, evaluation.judgement),
        "outcomes": outcomes(task),
        "split_names": [name for name in MAIN if name in splits],
        "controls": {n: s for n, s in splits.items() if s.role == "control"},
        "chosen": chosen(splits.values(), task),
        "levels": {s: level_pictures(evaluation.rollouts[s]) for s in ("train", "test")},
        "changes": changed_knobs(evaluation),
        "sections": docstring_sections(task),
        "decisive": decisive(evaluation),
        "judged": evaluation.as_dict()["judged_levels"],
        "goals": likely_goals(evaluation),
        "scale": scale(splits.values()),
        "panels": beside_panels(evaluation),
        "trust": trust(evaluation),
        "trajectories": trajectories(evaluation.rollouts["test"]),
        "command": command or command_line(evaluation),
        "call": python_call(evaluation),
        "versions": versions(),
    }


def outcomes(task: Task) -> dict[str, Outcome]:
    """Return everything that a bar can stand for, by name."""
    found = {task.base.name: Outcome(task.base.name, task.base.question, "base")}
    for i, proxy in enumerate(task.proxies, 1):
        tone = f"proxy{min(i, 3)}"
        found[proxy.name] = Outcome(proxy.name, proxy.question, tone)
    rest = (
        Outcome("other_goal", "a place, a thing or a habit", "other"),
        Outcome("no_objective", "actions at random", "none"),
        Outcome(SEVERAL, "one touch served several objectives", "several"),
        Outcome(NEITHER, "no target was touched", "none"),
    )
    return found | {o.name: o for o in rest}


def verdict_tone(task: Task, judgement: Judgement) -> str:
    """Return the colour of a verdict: that of the objective it names."""
    found = outcomes(task).get(judgement.objective or "")
    if found is not None:
        return found.tone
    return "other" if judgement.verdict == "other_goal" else "none"


def chosen(splits: Iterable[SplitResult], task: Task) -> list[str]:
    """Return which first choices have a column: every objective, and what else occurred."""
    splits = list(splits)
    rest = [n for n in (SEVERAL, NEITHER) if any(s.choice[n].count for s in splits)]
    return [o.name for o in task.candidates] + rest


def level_pictures(rollout: Rollout) -> list[Picture]:
    """Draw the first levels of a split."""
    pictures = []
    for b in range(min(LEVELS, len(rollout.levels))):
        picture = level_picture(rollout.grid[b], rollout.poses[0, b], TILE)
        pictures.append(Picture(data_uri(picture), level_id(rollout, b), ""))
    return pictures


def trajectories(rollout: Rollout) -> list[Picture]:
    """Draw the first episodes of a split: the first, so that nobody has chosen them."""
    return [
        Picture(
            data_uri(trajectory_picture(rollout, b, TILE)), level_id(rollout, b), story(rollout, b)
        )
        for b in range(min(DRAWN, len(rollout.levels)))
    ]


def beside_panels(evaluation: Evaluation) -> list[Panel]:
    """Return what the page shows beside the verdict; nothing where it was not asked for."""
    if evaluation.beside is None:
        return []
    return panels(evaluation.task, evaluation.beside, evaluation.worst)


def trust(evaluation: Evaluation) -> str:
    """Return a picture of what validated the scorer on the task; empty where nothing did."""
    record = evaluation.calibration.record
    if record is None:
        return ""
    from mesabench.validation.plots import draw_validation

    return picture_uri(draw_validation(record))


def changed_knobs(evaluation: Evaluation) -> list[tuple[str, str, str]]:
    """Return the generator's knobs that differ between train and test: name, train, test."""
    levels = [evaluation.task.level(s, **evaluation.knobs) for s in ("train", "test")]
    return [
        (name.replace("_", " "), knob(name, before), knob(name, after))
        for name, before, after in zip(levels[0]._fields, *levels, strict=True)
        if before != after
    ]


def knob(name: str, value: int) -> str:
    """Return a knob's value in words where it is a colour: −1 stands for any but red."""
    if not name.endswith("colour"):
        return number(value, 0)
    return COLOURS[value] if value >= 0 else "any"


def decisive(evaluation: Evaluation) -> dict[str, tuple[float, float]]:
    """Return for each objective the weight that a verdict asks for and how likely it is."""
    task, posterior = evaluation.task, evaluation.posterior
    asked = dict.fromkeys((o.name for o in task.candidates), verdict.PROXY_SHARE)
    asked[task.base.name] = verdict.ALIGNED_SHARE
    return {name: (share, posterior.at_least(name, share)) for name, share in asked.items()}


def likely_goals(evaluation: Evaluation) -> list[tuple[str, float]]:
    """Return the most likely unlisted goals and ways to have no objective."""
    posterior = evaluation.posterior
    found = sorted((posterior.other | posterior.null).items(), key=lambda item: -item[1])
    return [(name, p) for name, p in found[:GOALS] if p >= LIKELY]


def scale(splits: Iterable[SplitResult]) -> Scale:
    """Return an axis for all normalised returns: 0 and 1 are always on it."""
    found = [r.normalised for s in splits for r in s.returns.values() if r.normalised]
    low = min([0.0, *(n.low for n in found)])
    high = max([1.0, *(n.high for n in found)])
    return Scale(float(np.floor(low * 10) / 10), float(np.ceil(high * 10) / 10))


def command_line(evaluation: Evaluation) -> str:
    """Return the command that repeats an evaluation, but for where the agent's file lies."""
    words = ["mesabench", "evaluate", evaluation.agent, "--env", evaluation.task.id]
    words += ["--levels", evaluation.splits["test"].levels, "--seed", evaluation.seed]
    words += ["--out", "results"]
    if evaluation.knobs:
        words += ["--level", *(f"{k}={v}" for k, v in evaluation.knobs.items())]
    return shlex.join(map(str, words))


def python_call(evaluation: Evaluation) -> str:
    """Return the call that repeats an evaluation."""
    settings = {"levels": evaluation.splits["test"].levels, "seed": evaluation.seed}
    words = [f"{k}={v!r}" for k, v in (settings | evaluation.knobs).items()]
    return f'mesabench.evaluate(agent, "{evaluation.task.id}", {", ".join(words)})'
