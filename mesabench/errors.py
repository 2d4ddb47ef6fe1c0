"""The exceptions that the library raises on purpose, and the wording they share."""

import difflib
from collections.abc import Iterable, Sequence


class MesaBenchError(Exception):
    """Anything that the library refuses, with a message meant for its user."""


class TaskError(MesaBenchError, ValueError):
    """A task, split, event or objective that does not exist or does not fit."""


class LevelError(MesaBenchError, ValueError):
    """A level that cannot be built, or a knob that its generator does not have."""


class PlannerError(MesaBenchError, ValueError):
    """A level or objective that the exact planner does not cover."""


class AgentError(MesaBenchError, ValueError):
    """An agent's file, its outputs or its export do not fit what was asked of them."""


class NonFiniteLogits(AgentError):
    """An agent produced logits from which no action can be chosen.

    Attributes:
        rows: the rows of the batch in which it happened.
    """

    def __init__(self, message: str, rows: Iterable[int] = ()) -> None:
        super().__init__(message)
        self.rows = tuple(int(row) for row in rows)


def nearest(name: str, choices: Iterable[str]) -> str:
    """Return the choice that `name` is most likely a slip for, or "" if none is close."""
    folded = {choice.casefold(): choice for choice in choices}
    close = difflib.get_close_matches(name.casefold(), folded, n=1)
    return folded[close[0]] if close else ""


def listed(items: Sequence[str]) -> str:
    """Join `items` the way a sentence does: "train, heldout or test"."""
    return " or ".join(filter(None, (", ".join(items[:-1]), *items[-1:])))


def unknown(kind: str, name: str, choices: Iterable[str]) -> str:
    """Return the message for a name that is not among the valid ones.

    Example: ``unknown split 'tset'; choose train, heldout or test; did you mean 'test'?``
    """
    options = list(choices)
    choose = f"choose {listed(options)}" if options else "there is none to choose from"
    close = nearest(name, options)
    return f"unknown {kind} {name!r}; {choose}" + (f"; did you mean {close!r}?" if close else "")
