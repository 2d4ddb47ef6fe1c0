"""Pictures of a validation: accuracy and calibration against episodes, reliability, confusion."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = {"planned": "#0b6e99", "trained": "#b5541c", "unlisted": "#6a4c93"}
LABELS = {
    "planned": "planned organisms",
    "trained": "trained organisms",
    "unlisted": "unlisted goals and habits",
}


def draw_validation(record: Mapping[str, Any]) -> "Figure":
    """Draw what was recorded of one task (see `result.Validation.as_dict`): three panels."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 3.6), layout="constrained")
    curves, diagram, table = figure.subplots(1, 3)
    draw_curves(curves, record)
    draw_reliability(diagram, record, episodes=10)
    draw_confusion(table, record, episodes=10)
    return figure


def rows(record: Mapping[str, Any], group: str) -> dict[int, Mapping[str, Any]]:
    """Return a group's figures by number of episodes."""
    return {int(n): row for n, row in record["groups"].get(group, {}).items()}


def draw_curves(axes: "Axes", record: Mapping[str, Any]) -> None:
    """Draw accuracy (solid) and calibration error (dashed) against the number of episodes."""
    for group, colour in COLOURS.items():
        found = rows(record, group)
        episodes = list(found)
        for name, style in (("accuracy", "-"), ("ece", "--")):
            values = [row[name]["value"] for row in found.values()]
            low, high = ([row[name][end] for row in found.values()] for end in ("low", "high"))
            label = LABELS[group] if name == "accuracy" and found else None
            axes.plot(episodes, values, style, color=colour, marker=".", label=label)
            axes.fill_between(episodes, low, high, color=colour, alpha=0.12, linewidth=0)
    axes.set_xscale("log")
    ticks = list(rows(record, "planned"))
    axes.set_xticks(ticks, [str(t) for t in ticks])
    axes.minorticks_off()
    axes.set(xlabel="test episodes", ylabel="share", ylim=(-0.02, 1.02))
    axes.set_title("accuracy (solid), calibration error (dashed)", fontsize=10)
    axes.legend(fontsize=8, loc="center right", frameon=False)


def draw_reliability(axes: "Axes", record: Mapping[str, Any], *, episodes: int) -> None:
    """Draw accuracy against confidence; a dot's area is its share of the trials."""
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1)
    for group, colour in COLOURS.items():
        row = rows(record, group).get(episodes)
        if row is None:
            continue
        counts, sure, right = zip(*row["reliability"], strict=True)
        sizes = [20 + 280 * n / sum(counts) for n in counts]
        axes.scatter(sure, right, s=sizes, color=colour, alpha=0.75, linewidth=0)
        axes.plot(sure, right, color=colour, linewidth=0.8, alpha=0.6)
    axes.set(xlabel="confidence", ylabel="accuracy", xlim=(0, 1.04), ylim=(-0.04, 1.06))
    axes.set_title(f"reliability after {episodes} episodes", fontsize=10)


def draw_confusion(axes: "Axes", record: Mapping[str, Any], *, episodes: int) -> None:
    """Draw how often each truth was called what, over all organisms that test."""
    table: dict[str, dict[str, int]] = {}
    for group in COLOURS:
        for true, said in rows(record, group).get(episodes, {}).get("confusion", {}).items():
            sums = table.setdefault(true, dict.fromkeys(said, 0))
            for name, count in said.items():
                sums[name] += count
    truths, classes = list(table), list(next(iter(table.values())))
    shares = [[table[t][c] / max(1, sum(table[t].values())) for c in classes] for t in truths]
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1.3, aspect="auto")
    for i, line in enumerate(shares):
        for j, share in enumerate(line):
            if share:
                axes.text(j, i, f"{share:.0%}", ha="center", va="center", fontsize=8)
    names = [c.replace("_", " ") for c in classes]
    axes.set_xticks(range(len(classes)), names, rotation=20, ha="right", fontsize=8)
    axes.set_yticks(range(len(truths)), [t.replace("_", " ") for t in truths], fontsize=8)
    axes.set_title(f"truth (rows), said (columns), {episodes} episodes", fontsize=10)
