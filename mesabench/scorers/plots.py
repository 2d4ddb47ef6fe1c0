"""Plots of what scorers found, each drawn into given axes of about 5 × 3 inches."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mesabench.pictures import COLOURS
from mesabench.scorers.decisions import Bin, Decisions

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
