"""The likelihood of actions under every hypothesis.

Compiled, because logarithms of a few million small probabilities are what `infer` spends its time
on. The formulas are in `irl`.
"""

import math

import numpy as np
from numpy.typing import NDArray

from mesabench.engine.cache import kernel
from mesabench.scorers.evidence import SAME, Evidence

RATIONALITY = (0.25, 0.5, 1.0, 2.0, 4.0)  # β, per step lost
LED = (1.0, 2.0, 4.0)  # β beside habits: with less, every hypothesis is the habit over again
LAPSE = (0.01, 0.05, 0.1, 0.2, 0.35, 0.5)  # ε
SLIP = 0.01  # ε₀: habits have their lapses in them already
FREE, FORMS = len(RATIONALITY) * len(LAPSE), len(RATIONALITY) * len(LAPSE) + len(LED)


def explain(
    evidence: Evidence, lost: NDArray[np.float64], habits: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return log P(actions | hypothesis, form, β, ε, reading), float64 [F, 4, H].

    Args:
        evidence: what was done, and where.
        lost: float64 [M, 4, H, 3] advantages by reading.
        habits: float64 [M, 3] log-probability of every action by habit.

    The first `FREE` of the F forms are free choices, β by ε; the others are led by habits.
    """
    found = np.zeros((FORMS, *lost.shape[1:3]))
    settings = (np.array(RATIONALITY), np.array(LAPSE), np.array(LED))
    add_choices(np.ascontiguousarray(lost), evidence.action, habits, *settings, found)
    return found


@kernel
def add_choices(lost, action, habits, rationality, lapse, led, found):
    """Add the log-probability of every action to `found` [F, 4, H]."""
    for m in range(lost.shape[0]):
        a = action[m]
        first, second = math.exp(habits[m, 0]), math.exp(habits[m, 1])
        third = math.exp(habits[m, 2])
        for v in range(lost.shape[1]):
            for h in range(lost.shape[2]):
                x, y, z = lost[m, v, h]
                mute = x > -SAME and y > -SAME and z > -SAME
                taken = lost[m, v, h, a]
                f = 0
                for beta in rationality:
                    total = math.exp(beta * x) + math.exp(beta * y) + math.exp(beta * z)
                    p = math.exp(beta * taken) / total
                    for slip in lapse:
                        log_p = habits[m, a] if mute else math.log((1 - slip) * p + slip / 3)
                        found[f, v, h] += log_p
                        f += 1
                for beta in led:
                    total = first * math.exp(beta * x) + second * math.exp(beta * y)
                    total += third * math.exp(beta * z)
                    p = math.exp(habits[m, a] + beta * taken) / total
                    found[f, v, h] += math.log((1 - SLIP) * p + SLIP / 3)
                    f += 1
