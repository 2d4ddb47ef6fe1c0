"""How pictures of profiles are drawn: colours, lines, bars, boxes, names and legends.

The agent is blue and bold with its 95 % band, references are thin lines in colours of their own,
and controls are dashed.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from mesabench.adaptivity.figures import Curve
from mesabench.adaptivity.references import BAYES, CONTROL, FIXED, RANDOM, TRAINED
from mesabench.scorers.returns import Estimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes

AGENT = "#0072b2"
REFERENCES = {
    BAYES: "#111111",
    TRAINED: "#6b7280",
    "Thompson": "#d55e00",
    "UCB": "#cc79a7",
    "greedy": "#009e73",
    "win-stay": "#e69f00",
    "win-stay by side": "#e69f00",
    FIXED: "#7e57a8",
    CONTROL: "#b89bd6",
    "model-based": "#009e73",
    "model-free": "#d55e00",
    RANDOM: "#949ba6",
}
CONTROL_TONES = {
    "reward zeroed": "#56b4e9",
    "state reset": "#5d6673",
    "reward shuffled": "#c05a8e",
    "memoryless": "#a0861f",
}
SMALL = 7.5  # points
LEADER = {"arrowstyle": "-", "lw": 0.6, "shrinkA": 1, "shrinkB": 0, "relpos": (0, 0.5)}
Lines = list[tuple[str, float, str]]


def line(
    axes: "Axes",
    curve: Curve,
    colour: str,
    *,
    width: float = 1.0,
    style: str = "-",
    band: bool = False,
    label: str | None = None,
) -> None:
    """Draw a curve over trials from 1, with its interval if it has a band."""
    at = np.arange(1, len(curve.mean) + 1)
    axes.plot(at, curve.mean, style, color=colour, linewidth=width, label=label)
    if band:
        axes.fill_between(at, curve.low, curve.high, color=colour, alpha=0.18, linewidth=0)


def bars(
    axes: "Axes", figures: Sequence[Estimate], k: int, total: int, colour: str, label: str
) -> None:
    """Draw the k-th of several groups of bars, with intervals."""
    width = 0.8 / total
    means = np.array([f.mean for f in figures])
    ends = np.array([[f.mean - f.low for f in figures], [f.high - f.mean for f in figures]])
    at = np.arange(len(figures)) + (k - (total - 1) / 2) * width
    shown = {"yerr": np.maximum(ends, 0), "error_kw": {"lw": 0.9}}
    axes.bar(at, means, width * 0.94, color=colour, label=label, **shown)


def box(axes: "Axes", values: Sequence[float], at: float, colour: str, *, filled: bool) -> None:
    """Draw a box plot of some values, and the values."""
    parts = axes.boxplot(
        [list(values)], positions=[at], widths=0.28, patch_artist=True, showfliers=False
    )
    for patch in parts["boxes"]:
        patch.set(facecolor=(colour, 0.3 if filled else 0.0), edgecolor=colour, linewidth=1.2)
    for part in (*parts["whiskers"], *parts["caps"], *parts["medians"]):
        part.set(color=colour, linewidth=1.2)
    jitter = np.random.default_rng(0).uniform(-0.07, 0.07, len(values))
    axes.plot(at + jitter, values, ".", color=colour, markersize=2.5, alpha=0.55)


def name_ends(axes: "Axes", lines: Lines, bold: str = "") -> None:
    """Write the names of curves at their right ends, moved apart where they would overlap."""
    low, high = axes.get_ylim()
    gap = 0.068 * (high - low)
    order = sorted(lines, key=lambda entry: entry[1])
    places = spread([value for _, value, _ in order], gap, low + gap / 3, high)
    for (who, value, colour), place in zip(order, places, strict=True):
        axes.annotate(
            who,
            xy=(1.0, (value - low) / (high - low)),
            xytext=(1.05, (place - low) / (high - low)),
            xycoords="axes fraction",
            fontsize=SMALL,
            fontweight="bold" if who == bold else "normal",
            color=colour,
            va="center",
            annotation_clip=False,
            arrowprops={"color": colour} | LEADER,
        )


def spread(values: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Return places for ascending values that are at least a gap apart, as near as can be."""
    places = np.maximum(np.array(values, float), low)
    for _ in range(200):
        short = gap - np.diff(places)
        if not (short > 1e-9).any():
            break
        push = np.maximum(short, 0) / 2
        places[:-1] -= push
        places[1:] += push
        places = np.clip(places, low, max(high, low + gap * (len(places) - 1)))
    return [float(p) for p in places]


def bare(axes: "Axes") -> None:
    """Leave out the frame's upper and right side."""
    axes.spines[["top", "right"]].set_visible(False)


def above(axes: "Axes", columns: int = 3) -> None:
    """Put the legend above the axes, where it hides nothing."""
    bare(axes)
    axes.legend(
        fontsize=SMALL,
        ncols=columns,
        loc="lower center",
        bbox_to_anchor=(0.5, 1.0),
        frameon=False,
        columnspacing=1.0,
        handletextpad=0.4,
    )
