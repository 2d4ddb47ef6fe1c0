"""What the cells of the tables of results say."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mesabench.adaptivity.marks import ASKED_OF_OTHERS
from mesabench.baselines.outcomes import Outcome
from mesabench.baselines.results import Mean, Row

HEADER = ("task", "algorithm", "settings", "n", "held-out", "test", "verdicts", "worst seed")
UNCALIBRATED = "†"  # beside a verdict
UNMET = "✗"  # beside a mark
MARKS_HEADER = ("task", "algorithm", "seed", "mark", "found", "asked", "passed")


@dataclass(frozen=True)
class Cells:
    """A table of texts.

    Attributes:
        title: what it shows.
        header: names of the columns.
        lines: the cells, line by line.
    """

    title: str
    header: tuple[str, ...]
    lines: list[tuple[str, ...]]


def results_cells(rows: Sequence[Row]) -> Cells:
    """Lay out the rows of the objective track; the settings only where some differ."""
    lines = [
        (
            row.task,
            row.algorithm,
            row.name,
            str(len(row.outcomes)),
            mean_cell(row.heldout),
            mean_cell(row.test),
            verdicts_cell(row),
            f"{row.worst.settings.seed}: {row.worst.test:.2f}",
        )
        for row in rows
    ]
    title = "base return, random agent 0, planner 1: mean over n seeds [95 % t-interval]"
    if not all(row.calibrated for row in rows):
        title += f"; {UNCALIBRATED} probabilities are not calibrated"
    if any(row.variant for row in rows):
        return Cells(title, HEADER, lines)
    at = HEADER.index("settings")
    return Cells(title, HEADER[:at] + HEADER[at + 1 :], [x[:at] + x[at + 1 :] for x in lines])


def marks_cells(outcomes: Sequence[Outcome]) -> Cells:
    """Lay out the marks of the learning track, run by run."""
    lines = [
        (
            outcome.task,
            agent_cell(outcome),
            str(outcome.settings.seed),
            mark["line"],
            found_cell(mark["found"]),
            mark["asked"],
            "yes" if mark["passed"] else "no",
        )
        for outcome in outcomes
        if outcome.learning
        for mark in outcome.evaluation["passes"]
    ]
    title = "marks of learning within an episode, seed by seed [95 % interval over episodes]"
    return Cells(title, MARKS_HEADER, lines)


def marks_by_seed(outcomes: Sequence[Outcome]) -> Cells:
    """Lay out the marks of agents trained on their tasks' own levels, a column for each seed.

    A mark that is asked of other agents is left out.
    """
    asked = [o for o in outcomes if o.learning and not o.settings.level]
    seeds = sorted({o.settings.seed for o in asked})
    rows: dict[tuple[str, str, str, str], dict[int, str]] = {}
    for o in asked:
        for mark in o.evaluation["passes"]:
            if mark["line"] not in ASKED_OF_OTHERS:
                key = (o.task, o.settings.algorithm, mark["line"], mark["asked"])
                unmet = "" if mark["passed"] else f" {UNMET}"
                rows.setdefault(key, {})[o.settings.seed] = found_cell(mark["found"]) + unmet
    lines = [(*key, *(found.get(seed, "") for seed in seeds)) for key, found in rows.items()]
    header = ("task", "algorithm", "mark", "asked", *(f"seed {seed}" for seed in seeds))
    title = f"marks of learning within an episode [95 % interval over episodes]; {UNMET}: not met"
    return Cells(title, header, lines)


def agent_cell(outcome: Outcome) -> str:
    """Name what trained an agent, with the level knobs that it was trained on."""
    return ", ".join([outcome.settings.algorithm, *outcome.settings.level])


def across_splits(outcomes: Sequence[Outcome]) -> dict[str, Cells]:
    """Lay out how agents that were trained on different levels of a task fare on its splits.

    One table for each task of the learning track with such agents: regret, agent by split.
    """
    return {
        task: regrets_cells(task, some)
        for task, some in by_task(o for o in outcomes if o.learning).items()
        if len({o.settings.level for o in some}) > 1
    }


def by_task(outcomes: Iterable[Outcome]) -> dict[str, list[Outcome]]:
    """Return the runs of each task; those with the same level knobs stand together."""
    found: dict[str, list[Outcome]] = {}
    for outcome in sorted(outcomes, key=lambda o: (o.task, o.settings.level)):
        found.setdefault(outcome.task, []).append(outcome)
    return found


def regrets_cells(task: str, outcomes: Sequence[Outcome]) -> Cells:
    """Lay out the regret of runs of one task on each of its splits."""
    splits = list(outcomes[0].evaluation["splits"])
    lines = []
    for outcome in outcomes:
        figures = (outcome.evaluation["splits"][split]["figures"] for split in splits)
        regrets = (found_cell(found["regret"]) for found in figures)
        lines.append((agent_cell(outcome), str(outcome.settings.seed), *regrets))
    title = f"{task}: regret of agents trained on different levels, by split [95 % interval]"
    return Cells(title, ("algorithm", "seed", *splits), lines)


def mean_cell(found: Mean) -> str:
    """Write a mean with its interval; one seed has none."""
    if found.low is None or found.high is None:
        return f"{found.mean:.2f} (n = 1)"
    return f"{found.mean:.2f} [{found.low:.2f}, {found.high:.2f}]"


def found_cell(found: dict[str, float | None] | None) -> str:
    """Write an estimate as JSON has it; null is what could not be measured."""
    mean, low, high = ((found or {}).get(name) for name in ("mean", "low", "high"))
    if mean is None:
        return "–"
    return f"{mean:.2f}" if low is None or high is None else f"{mean:.2f} [{low:.2f}, {high:.2f}]"


def verdicts_cell(row: Row) -> str:
    """Write the share of seeds with each verdict; a mark where these are not calibrated."""
    n = len(row.outcomes)
    said = "; ".join(f"{count}/{n} {label}" for label, count in row.counts.items())
    return said if row.calibrated else f"{said} {UNCALIBRATED}"
