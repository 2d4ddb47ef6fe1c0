"""Two pictures of results: every seed's returns as dots, and the shares of verdicts as bars."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mesabench.baselines.results import Row, rank
from mesabench.baselines.results_cells import UNCALIBRATED
from mesabench.pictures import COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, PINK = (tuple(c / 255 for c in colour) for colour in COLOURS)
INKS = {
    "robustly aligned": BLUE,
    "pseudo-aligned": ORANGE,
    "other goal": PINK,
    "no generalisation": GREEN,
    "inconclusive": "0.6",
    "not competent": "0.85",
    "control": (86 / 255, 180 / 255, 233 / 255),
}
INCHES = 0.24  # height of a row
PALER = 0.25  # every further proxy in a bar
SPREAD = 0.5  # of a row, over which the dots of its seeds lie
SPLITS = ("heldout", "test")
MARGIN = 0.1  # beside the outermost dot, or 0, or 1


def by_gap(rows: Sequence[Row]) -> list[Row]:
    """Order tasks by how far returns fall from held-out to test levels, the farthest first."""
    gaps: dict[str, list[float]] = {}
    for row in rows:
        gaps.setdefault(row.task, []).append(row.heldout.mean - row.test.mean)
    mean = {task: float(np.nanmean(some)) for task, some in gaps.items()}
    return sorted(rows, key=lambda row: (-mean[row.task], row.task))


def title_of(row: Row, rows: Sequence[Row]) -> str:
    """Return a row's name on the axis: no more than tells it from the others."""
    parts = [row.task]
    if len({other.algorithm for other in rows}) > 1:
        parts.append(row.algorithm)
    if row.name:
        parts.append(row.name)
    return ", ".join(parts) + f" (n = {len(row.outcomes)})"


def draw_returns(axes: "Axes", rows: Sequence[Row], split: str) -> None:
    """Draw a dot for every seed's base return on a split, and the mean with its interval."""
    for y, row in enumerate(rows):
        n = len(row.outcomes)
        heights = y + (np.arange(n) - (n - 1) / 2) * SPREAD / max(n, 5)
        axes.scatter([getattr(o, split) for o in row.outcomes], heights, s=12, color="0.45", lw=0)
        found = getattr(row, split)
        if found.low is not None:
            axes.plot([found.low, found.high], [y, y], color=BLUE, lw=1.2, zorder=3)
            axes.plot(found.mean, y, "|", color=BLUE, markersize=9, mew=1.8, zorder=3)
    for line in (0, 1):
        axes.axvline(line, color="0.8", linewidth=0.6, zorder=0)
    axes.set_xlabel(f"base return, {'held-out' if split == 'heldout' else split}")
    axes.grid(axis="y", color="0.93", linewidth=0.6)
    axes.set_axisbelow(True)


def returns_picture(rows: Sequence[Row]) -> "Figure":
    """Return the picture of returns: held-out and test levels side by side, a line for each row."""
    from matplotlib.figure import Figure

    rows = by_gap(rows)
    figure = Figure(figsize=(7.5, 1.1 + INCHES * len(rows)), dpi=150, layout="constrained")
    left, right = figure.subplots(1, 2, sharex=True, sharey=True)
    draw_returns(left, rows, "heldout")
    draw_returns(right, rows, "test")
    left.set_yticks(range(len(rows)), [title_of(row, rows) for row in rows], fontsize="x-small")
    left.set_ylim(len(rows) - 0.5, -0.5)
    # Intervals of two seeds can be so wide that nothing else could be told apart: they are cut off.
    dots = [getattr(o, split) for row in rows for o in row.outcomes for split in SPLITS]
    left.set_xlim(np.nanmin([0, *dots]) - MARGIN, np.nanmax([1, *dots]) + MARGIN)
    figure.suptitle(
        "Every seed a dot; bar: mean and 95 % t-interval over seeds. Random agent 0, planner 1.",
        fontsize="small",
    )
    return figure


def draw_verdicts(axes: "Axes", rows: Sequence[Row]) -> None:
    """Draw a bar for each row: the share of its seeds with each verdict, proxies by name."""
    named = set[str]()
    for y, row in enumerate(rows):
        left, proxies = 0.0, 0
        for label, count in row.counts.items():
            kind, _, goal = label.partition(": ")
            share, ink = count / len(row.outcomes), 1 - PALER * proxies * bool(goal)
            shown = f"_{kind}" if kind in named else kind
            bar = {"color": INKS[kind], "label": shown, "alpha": ink, "edgecolor": "white"}
            axes.barh(y, share, 0.8, left, hatch=None if row.calibrated else "///", lw=0, **bar)
            axes.text(left + share / 2, y, goal, ha="center", va="center", fontsize=5)
            named.add(kind)
            left, proxies = left + share, proxies + bool(goal)
    marks = ["" if row.calibrated else f" {UNCALIBRATED}" for row in rows]
    titles = [title_of(row, rows) + mark for row, mark in zip(rows, marks, strict=True)]
    axes.set_yticks(range(len(rows)), titles, fontsize="x-small")
    axes.set(xlim=(0, 1), ylim=(len(rows) - 0.5, -0.5), xlabel="share of seeds")
    if any(marks):
        said = f"{UNCALIBRATED} the probabilities behind the verdicts are not calibrated"
        axes.set_xlabel(f"share of seeds\n{said}", fontsize="small")


def verdicts_picture(rows: Sequence[Row]) -> "Figure":
    """Return the picture of verdicts, its rows in the order of the picture of returns."""
    from matplotlib.figure import Figure

    rows = by_gap(rows)
    figure = Figure(figsize=(7.5, 1.5 + INCHES * len(rows)), dpi=150, layout="constrained")
    axes = figure.subplots()
    draw_verdicts(axes, rows)
    found = sorted(zip(*axes.get_legend_handles_labels(), strict=True), key=lambda f: rank(f[1]))
    figure.legend(
        [handle for handle, _ in found],
        [label for _, label in found],
        loc="outside upper center",
        ncols=4,
        fontsize="x-small",
        frameon=False,
    )
    return figure


def save_pictures(rows: Sequence[Row], folder: Path) -> list[Path]:
    """Write ``returns.png`` and ``verdicts.png`` into a folder; return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / "returns.png", folder / "verdicts.png"]
    for path, draw in zip(paths, (returns_picture, verdicts_picture), strict=True):
        draw(rows).savefig(path)
    return paths
