"""Pass marks: what a figure must reach for a trained agent to count as one that adapts.

They are this project's own (published figures, less what training noise may take). A mark of one
side is met by the figure itself; a band around a known value is met if the 95 % interval meets it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from mesabench.adaptivity.figures import Shown
from mesabench.scorers.returns import Estimate

Splits = Mapping[str, Shown]

DEPENDENT_REGRET = "regret, dependent arms (asked of agents trained on such)"
# Lines that are asked of agents trained on other levels than the task's own.
ASKED_OF_OTHERS = frozenset({DEPENDENT_REGRET})


@dataclass(frozen=True)
class Mark:
    """A line of the table of pass marks.

    Attributes:
        line: what is measured, and where.
        found: what was found; NaN where it could not be measured.
        asked: in words.
        passed: whether it is met.
    """

    line: str
    found: Estimate
    asked: str
    passed: bool


NOTHING = Estimate(np.nan, np.nan, np.nan)


def at_most(line: str, found: Estimate | None, limit: float) -> Mark:
    """Ask for at most a limit."""
    found = found or NOTHING
    return Mark(line, found, f"≤ {limit:g}", bool(found.mean <= limit))


def at_least(line: str, found: Estimate | None, limit: float) -> Mark:
    """Ask for at least a limit."""
    found = found or NOTHING
    return Mark(line, found, f"≥ {limit:g}", bool(found.mean >= limit))


def between(line: str, found: Estimate | None, low: float, high: float) -> Mark:
    """Ask for a figure in a range."""
    found = found or NOTHING
    return Mark(line, found, f"{low:g} to {high:g}", bool(low <= found.mean <= high))


def around(line: str, found: Estimate | None, middle: float, wide: float) -> Mark:
    """Ask for an interval that meets a band around a known value."""
    found = found or NOTHING
    met = bool(found.low <= middle + wide and found.high >= middle - wide)
    return Mark(line, found, f"{middle:g} ± {wide:g}", met)


def marks(
    experiment: str,
    splits: Splits,
    controls: Splits,
    compared: Mapping[str, Estimate],
) -> tuple[Mark, ...]:
    """Return the pass marks of an experiment.

    Args:
        experiment: of the task.
        splits: what the agent showed, by split.
        controls: what it showed under each control, on held-out levels.
        compared: figures that compare splits.
    """
    return tuple(MARKS[experiment](splits, controls, compared))


def bandit(splits: Splits, controls: Splits, compared: Mapping) -> Iterator[Mark]:
    """Ask for regrets; beliefs only where there is a state to read them from."""
    heldout, test = splits["heldout"].figures, splits["test"].figures
    yield at_most("regret, independent arms", heldout.get("regret"), 2.8)
    yield at_most("regret / Bayes, independent arms", heldout.get("regret / Bayes"), 1.5)
    yield at_most(DEPENDENT_REGRET, test.get("regret"), 1.6)
    if "belief R²" in heldout:
        yield at_least("belief R², independent arms", heldout["belief R²"], 0.9)


def volatile(splits: Splits, controls: Splits, compared: Mapping) -> Iterator[Mark]:
    """Ask for a learning rate that follows the volatility."""
    yield at_least("learning rate, high − low", compared.get("rate shift"), 0.05)
    shift = compared.get("rate shift of the fixed rate")
    size = None if shift is None else absolute(shift)
    yield at_most("|high − low| of the fixed rate .5", size, 0.02)
    for name in ("low", "test"):
        found = splits[name].figures.get("regret / Bayes")
        yield at_most(f"regret / Bayes, {'high' if name == 'test' else name}", found, 1.3)


def two_step(splits: Splits, controls: Splits, compared: Mapping) -> Iterator[Mark]:
    """Ask for reward, and for stay probabilities that depend on the transition."""
    heldout = splits["heldout"].figures
    yield at_least("reward", heldout.get("reward"), 68)
    yield at_least("MB index", heldout.get("MB"), 0.55)
    free = heldout.get("MF")
    yield at_most("|MF index|", None if free is None else absolute(free), 0.1)
    withheld = controls["reward zeroed"].figures.get("reward")
    yield around("reward, with the reward input zeroed", withheld, 50, 1)


def pairs(splits: Splits, controls: Splits, compared: Mapping) -> Iterator[Mark]:
    """Ask for one-trial learning of held-out objects."""
    test = splits["test"].figures
    yield around("trial 1, held-out objects", test.get("trial 1"), 0.5, 0.03)
    yield at_least("trial 2, held-out objects", test.get("trial 2"), 0.9)
    yield at_least("trials 3–6, held-out objects", test.get("trials 3–6"), 0.93)


def informative(splits: Splits, controls: Splits, compared: Mapping) -> Iterator[Mark]:
    """Ask for asking."""
    heldout = splits["heldout"].figures
    yield at_least("asks first", heldout.get("asks first"), 0.95)
    yield at_least("return", heldout.get("reward"), 20)


def baited(splits: Splits, controls: Splits, compared: Mapping) -> Iterator[Mark]:
    """Ask for matching at chances that do not occur in training."""
    found = splits["test"].figures.get("matching slope, new chances")
    yield between("matching slope, new chances", found, 0.8, 1.1)


def absolute(found: Estimate) -> Estimate:
    """Return the size of a figure."""
    if found.low <= 0 <= found.high:
        return Estimate(abs(found.mean), 0.0, max(-found.low, found.high))
    low, high = sorted((abs(found.low), abs(found.high)))
    return Estimate(abs(found.mean), low, high)


MARKS = {
    "bandit": bandit,
    "volatile": volatile,
    "two_step": two_step,
    "pairs": pairs,
    "informative": informative,
    "baited": baited,
}
