"""Evidence: the states of a rollout that tell objectives apart, with every action's worth there.

An agent is judged by what it could know. A state is evidence only if a target of every candidate
objective has been seen, or none is left (an agent that still looks for the keys it wants says
little about what it wants), and if no action is best for all of them (in a corridor everybody
walks on). And a state is evidence once: an agent that turns on the spot does in the same place,
knowing the same, what it did there before, and that is no second choice. Which states are
evidence depends on the past only, never on the action, so leaving out the others does not bias the
likelihood.

Every hypothesis comes in two views. In the first, actions are worth what they are on the map that
the 7 × 7 view has shown so far. In the second the agent knows the whole level, and so also when
the episode will end: planned agents do, and trained ones may guess it from what levels are like.

It also comes with two units of what a worse action costs, steps and value, because agents differ
in whether they take less care where there is less to win. View and unit together are a *reading*;
readings are marginalised like rationality.
"""

import itertools
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

CAP = 12.0  # steps; an action that loses more, or everything, counts as losing this much
SAME = 1e-3  # steps; actions that lose less are as good as the best
READINGS = tuple(itertools.product(("seen so far", "whole level"), ("steps", "value")))

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Evidence:
    """M states on L levels. Advantages are 0 for the best action and negative for the others.

    Attributes:
        level: int64 [M] which of the rollout's episodes, ascending.
        step: int64 [M] which step of it.
        action: int64 [M] what the agent did.
        candidates: float64 [M, 4, H, 3] advantages under every mixture, by reading.
        goals: float64 [M, 4, G, 3] advantages under every other goal, by reading.
        goal_names: names of the G goals.
        contexts: int64 [M] what a habit could depend on (see `habits`).
        habits: int64 [L, C, 3] how often the agent took each action in each context, at all steps
            of each level: habits are the same where nothing is at stake, and show there.
        levels: L.
    """

    level: NDArray[np.int64]
    step: NDArray[np.int64]
    action: NDArray[np.int64]
    candidates: Values
    goals: Values
    goal_names: tuple[str, ...]
    contexts: NDArray[np.int64]
    habits: NDArray[np.int64]
    levels: int

    def of(self, first: int, count: int) -> "Evidence":
        """Return the evidence of `count` levels from `first` on."""
        kept = (self.level >= first) & (self.level < first + count)
        columns = ("level", "step", "action", "candidates", "goals", "contexts")
        parts = {name: getattr(self, name)[kept] for name in columns}
        parts["level"] = parts["level"] - first
        habits = self.habits[first : first + count]
        return replace(self, **parts, habits=habits, levels=count)


def steps_lost(q: Values, discount: float | Values) -> Values:
    """Turn Q values [..., 3] into advantages in steps: log_γ(V / Q), at least −CAP.

    With one reward at the end Q = γⁿ, so the unit is exactly one step; the scale of the rewards
    drops out. Where nothing can be won, all actions are alike and the advantages are 0. Each of n
    hypotheses may have a discount of its own, [n, 1].
    """
    best = q.max(-1, keepdims=True)
    share = np.clip(q / np.maximum(best, 1e-12), np.power(discount, CAP), 1.0)
    return np.where(best > 1e-9, np.log(share) / -np.log(discount), 0.0)


def value_lost(q: Values, discount: float | Values) -> Values:
    """Turn Q values [M, ..., 3] into advantages in value: (Q − V) / ((1 − γ) · mean V).

    The unit is what one step of delay costs at the mean value of the M states.
    """
    best = q.max(-1, keepdims=True)
    mean = best.sum(0) / np.maximum((best > 1e-9).sum(0), 1)
    return (q - best) / np.maximum((1 - discount) * mean, 1e-12)


def read(q: Values, discount: float | Values) -> Values:
    """Return the advantages [M, 4, n, 3] of every reading, given Q values [M, 2, n, 3] by view."""
    units = np.stack([steps_lost(q, discount), value_lost(q, discount)], 2)
    return units.reshape(len(q), len(READINGS), *q.shape[2:])
