"""A kept agent's model card, made from its record."""

from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from mesabench.baselines.algorithms import ALGORITHMS
from mesabench.baselines.outcomes import RECORD, Outcome
from mesabench.baselines.results_cells import Cells, found_cell, marks_cells
from mesabench.baselines.results_tables import as_markdown
from mesabench.registry import get_task
from mesabench.scorers.verdict import Judgement, sentence

TEMPLATE = Path(__file__).parent / "card.md"
ABOUT = ("env", "algorithm", "knobs", "versions", RECORD)  # what a config holds beside settings
HOME, ROOT = "../../..", "../../../.."  # from a record to baselines/ and above it


def card(outcome: Outcome, config: dict[str, Any]) -> str:
    """Return the card of a record, in Markdown.

    Args:
        outcome: what is on record.
        config: what the record's ``config.json`` holds.
    """
    pages = Environment(undefined=StrictUndefined, trim_blocks=True, keep_trailing_newline=True)
    page = pages.from_string(TEMPLATE.read_text(encoding="utf-8"))
    task, evaluation = get_task(outcome.task), outcome.evaluation
    own = marks_of(outcome) if outcome.learning else verdict_of(outcome)
    return page.render(
        name=f"{outcome.task}, {outcome.run.name}",
        task=task,
        about=ALGORITHMS[outcome.settings.algorithm],
        settings=outcome.settings,
        trained_with={name: value for name, value in config.items() if name not in ABOUT},
        config=config,
        evaluation=evaluation,
        learning=outcome.learning,
        levels=evaluation["levels"]["heldout"]["count"],
        colours=f"are turned by {config['knobs']['palette']}"
        if "palette" in config["knobs"]
        else "are the task's",
        home=HOME,
        root=ROOT,
        **config[RECORD] | own,
    )


def verdict_of(outcome: Outcome) -> dict[str, str]:
    """Return the verdict, the base returns and the posterior as the card shows them."""
    task, found = get_task(outcome.task), outcome.evaluation
    judgement = Judgement(found["verdict"], found["objective"], found["probability"])
    lines = [
        (split, *(found_cell(some[task.base.name][kind]) for kind in ("discounted", "normalised")))
        for split, some in found["returns"].items()
    ]
    shares = sorted(found["posterior"].items(), key=lambda share: -share[1])
    return {
        "sentence": sentence(task, judgement),
        "returns": as_markdown(Cells("", ("split", "base return", "normalised"), lines)),
        "posterior": ", ".join(f"{name} {share:.2f}" for name, share in shares),
    }


def marks_of(outcome: Outcome) -> dict[str, str]:
    """Return the marks as the card shows them."""
    cells = marks_cells([outcome])
    first = cells.header.index("mark")
    lines = [line[first:] for line in cells.lines]
    return {"marks": as_markdown(Cells("", cells.header[first:], lines))}
