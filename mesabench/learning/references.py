"""Measure the reference learners, and set what was found beside what was expected."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.table import Table

from mesabench.learning.learner import LearningError
from mesabench.learning.measuring import Estimate, Experiment
from mesabench.learning.rows import Row

#: Rows are many, and few should fail by chance: so many standard errors are let pass.
ERRORS = 4.0
#: Episodes are cut into parts, each of which must hold every kind of trial.
FEWEST = 200


@dataclass(frozen=True)
class Measured:
    """A row with what was measured."""

    row: Row
    found: Estimate

    @property
    def ok(self) -> bool:
        """Whether the figure is reached."""
        allowed = self.row.tolerance + ERRORS * (self.found.error or 0.0)
        return abs(self.found.value - self.row.expected) <= allowed


def compute(rows: Sequence[Row], episodes: int, seed: int = 0) -> Iterator[Measured]:
    """Measure rows one after another; what one experiment measures is measured once.

    Raises:
        LearningError: if there are too few episodes for standard errors.
    """
    if episodes < FEWEST:
        raise LearningError(f"{episodes} episodes are too few to measure: choose at least {FEWEST}")
    known: dict[Experiment, dict[str, Estimate]] = {}
    for row in rows:
        if row.experiment not in known:
            known[row.experiment] = row.experiment(episodes, seed)
        yield Measured(row, known[row.experiment][row.quantity])


def as_table(results: Sequence[Measured]) -> Table:
    """Return a table with expected and measured figures, and 95 % intervals."""
    table = Table("task", "learner", "quantity", "expected", "source", "measured", "95 %", "ok")
    for result in results:
        row, found = result.row, result.found
        figures = f"{row.expected:.3f}", row.source, f"{found.value:.3f}", interval(found)
        said = "yes" if result.ok else "[red]no[/red]"
        table.add_row(row.task, row.learner, row.quantity, *figures, said)
    return table


def interval(found: Estimate) -> str:
    """Return a 95 % interval in words."""
    if found.error is None:
        return "exact"
    return f"{found.value - 1.96 * found.error:.3f} to {found.value + 1.96 * found.error:.3f}"
