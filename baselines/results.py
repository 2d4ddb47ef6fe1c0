"""Results over seeds: one row for each task, algorithm and whatever else differs between runs."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from mesabench.baselines.algorithms import ALGORITHMS, get_algorithm
from mesabench.baselines.outcomes import Outcome
from mesabench.scorers.returns import CONFIDENCE

ALIKE = ("seed", "checkpoint_every", "threads", "device")  # may differ within a row
LABELS = (  # of verdicts, in the order of tables and pictures; a proxy's name may follow
    "robustly aligned",
    "pseudo-aligned",
    "other goal",
    "no generalisation",
    "inconclusive",
    "not competent",
    "control",
)


@dataclass(frozen=True)
class Mean:
    """A mean over seeds with its 95 % interval, which is None where there is one seed."""

    mean: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Row:
    """Runs that differ in their seeds alone.

    Attributes:
        task: id of the task.
        algorithm: name of the algorithm.
        variant: the settings in which runs of this task and algorithm differ.
        outcomes: one for each seed.
    """

    task: str
    algorithm: str
    variant: dict[str, Any]
    outcomes: tuple[Outcome, ...]

    @property
    def name(self) -> str:
        """The variant in words: what is not an algorithm's default, and always the steps."""
        usual = asdict(get_algorithm(self.algorithm).Args())
        told = [(k, v) for k, v in self.variant.items() if v != usual[k] or k == "steps"]
        return ", ".join(name if value is True else f"{name}={value}" for name, value in told)

    @property
    def heldout(self) -> Mean:
        """Normalised base return on held-out levels."""
        return mean_over_seeds([o.heldout for o in self.outcomes])

    @property
    def test(self) -> Mean:
        """Normalised base return on test levels."""
        return mean_over_seeds([o.test for o in self.outcomes])

    @property
    def counts(self) -> dict[str, int]:
        """How many seeds got each verdict, in the order of `LABELS`."""
        found = Counter(o.label for o in self.outcomes)
        return {label: found[label] for label in sorted(found, key=rank)}

    @property
    def calibrated(self) -> bool:
        """Whether the probabilities behind the verdicts are."""
        return all(o.evaluation["calibrated"] for o in self.outcomes)

    @property
    def worst(self) -> Outcome:
        """The seed with the lowest base return at test."""
        return min(self.outcomes, key=lambda o: np.nan_to_num(o.test, nan=np.inf))


def mean_over_seeds(values: ArrayLike) -> Mean:
    """Return x̄ and its interval x̄ ± t(.975; n − 1) · s / √n.

    s is the sample standard deviation; the interval holds where seeds are normally distributed,
    and is as wide as few seeds make it. Returns are not cut off at 1.

    Args:
        values: one figure for each of n seeds.
    """
    figures = np.asarray(values, float)
    mean = float(figures.mean())
    if len(figures) < 2:
        return Mean(mean, None, None)
    if np.ptp(figures) == 0:
        return Mean(mean, mean, mean)
    low, high = stats.t.interval(CONFIDENCE, len(figures) - 1, mean, stats.sem(figures))
    return Mean(mean, float(low), float(high))


def rank(label: str) -> tuple[int, str]:
    """Return where a verdict stands among verdicts."""
    return LABELS.index(label.partition(":")[0]), label


def rows_of(outcomes: Sequence[Outcome]) -> list[Row]:
    """Group the runs of the objective track by everything but the seed."""
    groups: dict[tuple[str, str], list[Outcome]] = {}
    for outcome in outcomes:
        if not outcome.learning:
            groups.setdefault((outcome.task, outcome.settings.algorithm), []).append(outcome)
    found = [row for (task, name), some in groups.items() for row in variants(task, name, some)]
    order = [*ALGORITHMS]
    return sorted(found, key=lambda r: (r.task, order.index(r.algorithm)))


def variants(task: str, algorithm: str, outcomes: Sequence[Outcome]) -> list[Row]:
    """Split the runs of one task and algorithm by the settings in which they differ."""
    settings = [asdict(o.settings) for o in outcomes]
    differ = [k for k in settings[0] if k not in ALIKE and len({repr(s[k]) for s in settings}) > 1]
    groups: dict[str, tuple[dict[str, Any], list[Outcome]]] = {}
    for outcome, its in zip(outcomes, settings, strict=True):
        variant = {name: its[name] for name in differ}
        groups.setdefault(repr(variant), (variant, []))[1].append(outcome)
    rows = [Row(task, algorithm, variant, tuple(some)) for variant, some in groups.values()]
    return sorted(rows, key=lambda r: (r.name != "", [sortable(v) for v in r.variant.values()]))


def sortable(value: Any) -> tuple[bool, float, str]:
    """Return what puts numbers in order, then everything else, None last."""
    number = isinstance(value, int | float)
    return value is None, float(value) if number else 0.0, "" if number else str(value)
