"""Pages of which what stands between two marks is made from the records.

The records' own page, `baselines/README.md`, has every table, card and command; the one a folder
higher up, `README.md`, the pictures and the table of the objective track; any other one, such as
`mesabench/learning/README.md`, the marks of the learning track with their commands.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from mesabench.baselines.outcomes import Outcome, read_outcomes
from mesabench.baselines.records import write_card
from mesabench.baselines.results import Row, rows_of
from mesabench.baselines.results_cells import (
    UNCALIBRATED,
    across_splits,
    marks_by_seed,
    marks_cells,
    results_cells,
)
from mesabench.baselines.results_plots import save_pictures
from mesabench.baselines.results_searches import searched_cells
from mesabench.baselines.results_tables import as_markdown
from mesabench.errors import MesaBenchError
from mesabench.files import write_atomically

BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"
RECORDS, PICTURES = "agents", "pictures"  # folders beside the page
WING = "baselines"  # the folder of the records' page, as seen from the one higher up
SEED = re.compile(r"--seed \d+")
EMPTY = "No trained agents are on record yet."


def write_page(page: Path) -> list[Path]:
    """Write the marked part of a page anew from the records beside it, the pictures and the cards.

    Args:
        page: a Markdown file with the two marks; records are in ``agents`` beside it, or in
            ``baselines/agents`` in a folder above it.

    Returns:
        The paths written.

    Raises:
        MesaBenchError: the page is not there or has no marks.
    """
    outcomes = records_beside(page)
    written = [write_atomically(page, made_anew(page, outcomes))]
    written += [write_card(outcome.run) for outcome in outcomes]
    rows = rows_of(outcomes)
    return written + (save_pictures(rows, home_of(page) / PICTURES) if rows else [])


def home_of(page: Path) -> Path:
    """Return the folder in which a page's records and pictures lie."""
    above = (folder / WING for folder in page.absolute().parents)
    return next((home for home in above if (home / RECORDS).is_dir()), page.absolute().parent)


def made_anew(page: Path, outcomes: Sequence[Outcome]) -> str:
    """Return the text of a page with its marked part made from what is on record."""
    text = read_page(page)
    head, tail = text.partition(BEGIN)[0], text.partition(END)[2]
    home, folder = home_of(page), page.absolute().parent
    if folder == home:
        part = marked_part(outcomes, home)
    elif folder == home.parent:
        part = headline(outcomes)
    else:
        part = learning_part(outcomes)
    return head + "\n\n".join([BEGIN, part, END]) + tail


def read_page(page: Path) -> str:
    """Return the text of a page.

    Raises:
        MesaBenchError: the page is not there or has no marks.
    """
    if not page.is_file():
        raise MesaBenchError(f"there is no page {str(page)!r} to write results into")
    text = page.read_text(encoding="utf-8")
    if not 0 <= text.find(BEGIN) < text.find(END):
        raise MesaBenchError(f"{str(page)!r} must have the marks {BEGIN} and {END}, in this order")
    return text


def records_beside(page: Path) -> list[Outcome]:
    """Return the records beside a page; none where there are none yet."""
    folder = home_of(page) / RECORDS
    return read_outcomes([folder]) if any(folder.glob("*/*/config.json")) else []


def headline(outcomes: Sequence[Outcome]) -> str:
    """Return the pictures and the table of the objective track, in Markdown, for a reader above."""
    rows = rows_of(outcomes)
    return objective_part(rows, f"{WING}/{PICTURES}") if rows else EMPTY


def learning_part(outcomes: Sequence[Outcome]) -> str:
    """Return the marks of the learning track, a column for each seed, and their commands."""
    learning = [o for o in outcomes if o.learning]
    if not learning:
        return EMPTY
    cells = marks_by_seed(learning)
    parts = [f"{cells.title.capitalize()}:", as_markdown(cells)]
    for other in across_splits(learning).values():
        parts += [f"{other.title}:", as_markdown(other)]
    return "\n\n".join([*parts, "```sh\n" + "\n".join(commands(learning)) + "\n```"])


def objective_part(rows: Sequence[Row], pictures: str) -> str:
    """Return the pictures, which are in the folder `pictures`, and the table of some rows."""
    return "\n\n".join(
        [
            f"![returns]({pictures}/returns.png)\n\n![verdicts]({pictures}/verdicts.png)",
            "Base return between a random agent (0) and the planner (1): mean over n seeds [95 % "
            "t-interval over seeds]; n = 1 has none. The worst seed is the one with the lowest "
            f"return at test. {UNCALIBRATED}: the probabilities behind the verdict are not "
            "calibrated on this task.",
            as_markdown(results_cells(rows)),
        ]
    )


def marked_part(outcomes: Sequence[Outcome], home: Path) -> str:
    """Return the tables, the links to the pictures and every row's command, in Markdown.

    Args:
        outcomes: what is on record.
        home: the page's folder, to which links are relative.
    """
    if not outcomes:
        return EMPTY
    rows, learning = rows_of(outcomes), [o for o in outcomes if o.learning]
    parts = list[str]()
    if rows:
        parts.append(objective_part(rows, PICTURES))
    if learning:
        parts += [
            "Learning within an episode, seed by seed [95 % interval over episodes]:",
            as_markdown(marks_cells(learning)),
        ]
    for cells in across_splits(learning).values():
        parts += [f"{cells.title}:", as_markdown(cells)]
    if (searched := searched_cells()).lines:
        parts += [f"{searched.title}:", as_markdown(searched)]
    parts += ["Every agent has a card:", cards(outcomes, home), "Every agent comes from"]
    return "\n\n".join([*parts, "```sh\n" + "\n".join(commands(outcomes)) + "\n```"])


def cards(outcomes: Sequence[Outcome], home: Path) -> str:
    """Return the links to the cards, a line for each task."""
    links: dict[str, list[str]] = {}
    for o in outcomes:
        path = (o.run / "card.md").relative_to(home).as_posix()
        links.setdefault(o.task, []).append(f"[{o.run.name}]({path})")
    return "\n".join(f"* {task}: {', '.join(some)}" for task, some in links.items())


def commands(outcomes: Sequence[Outcome]) -> list[str]:
    """Return the command lines of runs; a loop over seeds where those differ in nothing else."""
    seeds: dict[str, list[int]] = {}
    for outcome in outcomes:
        seeds.setdefault(SEED.sub("--seed $seed", outcome.command), []).append(
            outcome.settings.seed
        )
    return [
        line.replace("$seed", str(some[0]))
        if len(some) == 1
        else f"for seed in {' '.join(map(str, sorted(some)))}; do {line}; done"
        for line, some in seeds.items()
    ]
