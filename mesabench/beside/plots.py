"""Plots of what scorers found, each drawn into given axes of about 5 × 3 inches."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mesabench.beside.decisions import Bin, Decisions
from mesabench.beside.weights import Weights
from mesabench.pictures import COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Where the bins of margins lie on the axis, and the margin in the middle of each.
BINS = ("≤ −8", "−7…−4", "−3…−1", "0", "1…3", "4…7", "≥ 8")
MIDDLES = (-10.0, -5.5, -2.0, 0.0, 2.0, 5.5, 10.0)


def draw_decisions(axes: "Axes", result: Decisions, names: Mapping[str, str] | None = None) -> None:
    """Draw the share that chose the base objective by margin, one colour for each proxy.

    Args:
        axes: where to draw, about 5 × 3 inches.
        result: what to draw.
        names: how to call objectives; their own names where None.
    """
    names = names or {}
    for k, pair in enumerate(result.pairs):
        shown = [b for b in pair.bins if b.chose.total]
        if not shown:
            continue
        colour = np.divide(COLOURS[(k + 1) % len(COLOURS)], 255)
        share = np.array([b.chose.share for b in shown])
        ends = np.abs([[b.chose.low, b.chose.high] for b in shown] - share[:, None]).T
        place = on_axis(np.array([centre(b) for b in shown])) + 0.1 * k
        called = names.get(pair.proxy, pair.proxy)
        axes.errorbar(
            place, share, yerr=ends, fmt="o", ms=4, lw=1, color=colour, label=f"or {called}"
        )
        if pair.curve.indifference is not None:
            m = np.linspace(MIDDLES[0], MIDDLES[-1], 200)
            axes.plot(on_axis(m), pair.curve.at(m), color=colour, lw=1)
    axes.axvline(MIDDLES.index(0.0), color="0.7", lw=0.8, zorder=0)
    axes.axhline(0.5, color="0.7", lw=0.8, zorder=0)
    axes.set(ylim=(-0.04, 1.04), xlim=(-0.5, len(BINS) - 0.5))
    axes.set_xticks(range(len(BINS)), BINS)
    axes.set_xlabel("steps by which the way to the proxy's target is longer")
    axes.set_ylabel("share that chose\n" + names.get(result.base, result.base))
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False, fontsize=8)


def centre(shown: Bin) -> float:
    """Return where a bin is drawn, in steps; those without bound lie outermost."""
    if shown.first is None or shown.last is None:
        return MIDDLES[0] if shown.first is None else MIDDLES[-1]
    return (shown.first + shown.last) / 2


def on_axis(margin: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return where margins in steps lie on an axis on which bins are evenly spaced."""
    return np.interp(margin, MIDDLES, np.arange(len(MIDDLES)))


def draw_weights(axes: "Axes", result: Weights, wanted: Mapping[str, float] | None = None) -> None:
    """Draw the weight of every event with its interval; hollow where behaviour cannot tell.

    Args:
        axes: where to draw, about 5 × 3 inches.
        result: what to draw.
        wanted: event → share of the weight that the base objective gives it, drawn as bars.
    """
    known = [w for w in result.weights if w.weight is not None]
    colour = np.divide(COLOURS[0], 255)
    for place, found in enumerate(known):
        low, high, middle = np.array([found.low, found.high, found.weight], float)
        if wanted:
            axes.barh(place, wanted.get(found.event, 0.0), height=0.6, color="0.88", zorder=0)
        axes.plot([low, high], [place, place], color=colour, lw=2)
        fill = colour if found.identified else "white"
        axes.plot(middle, place, "o", color=colour, mfc=fill)
    notes = []
    if not all(w.identified for w in known):
        notes.append("hollow: behaviour here cannot tell")
    missing = [w.event for w in result.weights if w.weight is None]
    if missing:
        notes.append(f"not to be had here: {', '.join(missing)}")
    axes.set_title("; ".join(notes), fontsize=8, loc="left")
    axes.set_yticks(range(len(known)), [w.event.replace("_", " ") for w in known])
    axes.set(xlim=(-0.03, 1.03), ylim=(len(known) - 0.4, -0.6))
    axes.set_xlabel("share of the weight" + (" (grey: the base objective's)" if wanted else ""))
