"""`report.html` of the learning track: one page about one adaptivity profile."""

import re
import shlex
from importlib.resources import files
from typing import Any, NamedTuple

from jinja2 import Environment, StrictUndefined

from mesabench.adaptivity.controls import MEANINGS
from mesabench.adaptivity.figures import Shown
from mesabench.adaptivity.panels import panels
from mesabench.adaptivity.profile import Profile
from mesabench.adaptivity.references import trials_of
from mesabench.adaptivity.statements import BY_REGRET
from mesabench.files import versions
from mesabench.scorers.returns import Estimate
from mesabench.wording import docstring_sections, number, prose

Column = tuple[str, str]  # name of a figure, head of its column
ENDS: tuple[Column, ...] = (
    ("regret per trial, first ten", "Regret a trial, first ten"),
    ("regret per trial, last ten", "last ten"),
)
SHARES: Column = ("slope over base chances", "over base chances")
RATIO: Column = ("regret / Bayes", "Regret / Bayes")
COLUMNS: dict[str, tuple[Column, ...]] = {
    "bandit": (RATIO, *ENDS),
    "volatile": (RATIO, *ENDS, ("learning rate", "Learning rate")),
    "two_step": (("MB", "MB index"), ("MF", "MF index")),
    "pairs": tuple((f"trial{t}", f"Trial{t}") for t in (" 1", " 2", "s 3–6")),
    "informative": (("asks first", "Asks first"), ("target second", "Target second")),
    "baited": (("gain / Bayes", "Gain / Bayes"), ("matching slope", "Matching slope"), SHARES),
}
INSIDE = ("agreement with Bayes", "KL from Bayes", "belief R²")  # how figures begin


class Table(NamedTuple):
    """The agent and the references on a split."""

    split: str
    about: str
    rows: list[tuple[str, Shown]]


def page(found: Profile, *, command: str | None = None) -> str:
    """Return the page as text.

    Args:
        found: the profile.
        command: the command line that was run; a plain one is made up where None.
    """
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"number": number, "sentence": sentence, "prose": prose}
    template = files("mesabench.adaptivity").joinpath("page.html").read_text(encoding="utf-8")
    return environment.from_string(template).render(context(found, command))


def context(found: Profile, command: str | None) -> dict[str, Any]:
    """Gather what the template shows."""
    trials = trials_of(found.task)
    names = dict.fromkeys(n for shown in found.splits.values() for n in shown.figures)
    notes = (f"{s}: {note}" for s, shown in found.splits.items() for note in shown.notes)
    first = (("regret", "Regret"),) if trials.experiment != "baited" else ()
    return {
        "p": found,
        "task": found.task,
        "trials": trials,
        "style": style(),
        "sections": {"Question": "", "Splits": ""} | docstring_sections(found.task),
        "facts": facts(found),
        "panels": panels(found),
        "columns": (*first, ("reward", "Reward"), *COLUMNS[trials.experiment]),
        "tables": tables(found),
        "meanings": MEANINGS,
        "inside": [n for n in names if n.startswith(INSIDE)],
        "notes": list(dict.fromkeys(notes)),
        "command": command or command_line(found),
        "versions": versions(),
    }


def style() -> str:
    """Return the style sheet of the other track's page."""
    text = files("mesabench").joinpath("report.html").read_text(encoding="utf-8")
    found = re.search(r"<style>\n(.*?)</style>", text, re.DOTALL)
    assert found is not None
    return found[1]


def facts(found: Profile) -> list[tuple[str, Estimate, str]]:
    """Return the figures at the top: how well it does on held-out and on test levels."""
    heldout, test = found.splits["heldout"].figures, found.splits["test"].figures
    if trials_of(found.task).experiment in BY_REGRET:
        what = f"on held-out levels; {heldout['regret at chance'].mean:.1f} at chance"
        times = "times the regret of Bayes on {} levels"
        return [
            ("Regret", heldout["regret"], what),
            ("Beside Bayes", heldout["regret / Bayes"], times.format("held-out")),
            ("Beside Bayes at test", test["regret / Bayes"], times.format("test")),
        ]
    what = f"on held-out levels; {heldout['reward at chance'].mean:.1f} at chance"
    share = "of the gain over chance that Bayes has on {} levels"
    return [
        ("Reward", heldout["reward"], what),
        ("Beside Bayes", heldout["gain / Bayes"], share.format("held-out")),
        ("Beside Bayes at test", test["gain / Bayes"], share.format("test")),
    ]


def tables(found: Profile) -> list[Table]:
    """Return a table for every split, the agent first."""
    return [
        Table(
            split,
            found.task.split(split).about,
            [(found.agent, shown), *found.references[split].items()],
        )
        for split, shown in found.splits.items()
    ]


def command_line(found: Profile) -> str:
    """Return the command that repeats an evaluation, but for where the agent's file lies."""
    words = ["mesabench", "evaluate", found.agent, "--env", found.task.id]
    words += ["--levels", found.levels, "--seed", found.seed, "--out", "results"]
    return shlex.join(map(str, words))


def sentence(line: str) -> str:
    """Return a statement with a capital letter and a full stop, and with true minus signs."""
    text = re.sub(r"(?<![\w.])-(?=\d)", "\N{MINUS SIGN}", line)
    return text[:1].upper() + text[1:] + "."
