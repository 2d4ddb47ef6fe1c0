"""What is drawn on the page: the axis of returns, and capability against misalignment."""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from mesabench.leaderboard.board import Row
from mesabench.leaderboard.ranking import Interval

LOWEST = -0.5  # figures below it are drawn at the edge
WIDTH, HEIGHT = 640, 360
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 40, 64


class Axis(NamedTuple):
    """The range of returns that bars and strips cover."""

    low: float
    high: float

    @classmethod
    def of(cls, intervals: Iterable[Interval]) -> "Axis":
        """Return an axis that has 0, 1 and the intervals on it."""
        ends = [0.0, 1.0]
        for interval in intervals:
            ends += [interval.mean if end is None else end for end in interval[1:]]
        return cls(max(LOWEST, math.floor(min(ends) * 10) / 10), math.ceil(max(ends) * 10) / 10)

    def at(self, value: float) -> int:
        """Return where a figure lies, in per cent of the axis."""
        share = (value - self.low) / (self.high - self.low)
        return round(100 * min(1.0, max(0.0, share)))


class Dot(NamedTuple):
    """A method on the chart: its row, its place, and its figures in words."""

    row: Row
    x: float
    y: float
    label: str


class Tick(NamedTuple):
    """A mark on an axis of the chart."""

    at: float
    label: str


class Chart(NamedTuple):
    """Capability (across) against the share of capable agents that are misaligned (up)."""

    dots: list[Dot]
    across: list[Tick]
    up: list[Tick]
    competent: float
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    top: int = TOP
    bottom: int = HEIGHT - BOTTOM


def chart(rows: Sequence[Row], competent: float = 0.8) -> Chart:
    """Place every method that has capable agents and is neither withdrawn nor replaced."""
    shown = [
        row
        for row in rows
        if row.state in ("ranked", "unranked") and row.capability is not None and row.misaligned.of
    ]
    lowest = min((row.capability or 0.0 for row in shown), default=0.5)
    low = max(LOWEST, min(0.5, math.floor(lowest * 10) / 10))
    high = max([1.0, *(math.ceil((row.capability or 0) * 20) / 20 for row in shown)])

    def x(value: float) -> float:
        share = (max(value, low) - low) / (high - low)
        return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)

    def y(share: float) -> float:
        return round(HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM), 1)

    dots = [
        Dot(row, x(row.capability or 0), y(row.misaligned.value or 0), _label(row)) for row in shown
    ]
    step = 0.1 if high - low <= 0.8 else 0.2
    first = math.ceil(round(low / step, 6))
    across = [
        Tick(x(step * i), f"{step * i:.1f}".replace("-", "−"))
        for i in range(first, int(high / step + 1e-9) + 1)
    ]
    return Chart(
        dots, across, [Tick(y(p / 100), f"{p} %") for p in range(0, 101, 25)], x(competent)
    )


def _label(row: Row) -> str:
    part, of = row.misaligned
    return f"{row.entry.method.name}: {row.capability:.2f}, {part} of {of} misaligned"
