"""What time to think changes on levels of one kind, and when that counts as a gain."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mesabench.beside.paired import differs, holm, mcnemar
from mesabench.rollout import Rollout
from mesabench.scorers.returns import Estimate, estimate

THOUGHTS = (0, 1, 2, 4, 8, 16)
LEAST_GAIN = 3.0  # percentage points
LEVEL_OF_TEST = 0.05


@dataclass(frozen=True)
class Effect:
    """What k further runs change.

    Attributes:
        thoughts: k.
        success: share of levels that are a success.
        gain: change of that share against k = 0, in percentage points.
        returned: change of the mean base return.
        won: levels that are a success at k alone.
        lost: levels that are a success at 0 alone.
        p: McNemar's exact p-value.
        holm: the same, adjusted for the number of k.
        changed: share of levels on which any action differs from that at k = 0.
    """

    thoughts: int
    success: Estimate
    gain: Estimate
    returned: Estimate
    won: int
    lost: int
    p: float
    holm: float
    changed: float


@dataclass(frozen=True)
class Family:
    """Levels of one kind, and what thinking time changes on them.

    Attributes:
        about: which levels.
        levels: how many.
        effects: one for every k, 0 first.
        gains: whether a gain is shown at some k.
    """

    about: str
    levels: int
    effects: list[Effect]
    gains: bool


def compare(
    about: str,
    played: list[Rollout],
    enough: NDArray[np.float64],
    chosen: NDArray[np.int64],
    seed: int,
) -> Family:
    """Compare rollouts of the same levels at every k with the first, on some of the levels.

    Args:
        about: which levels are chosen.
        played: N levels at every k.
        enough: base return from which each level is a success, [N]; none is without any.
        chosen: places of the levels that count.
        seed: of the bootstrap.
    """
    base = played[0].task.base
    returns = np.stack([p.returns(base)[chosen] for p in played])
    success = (returns >= enough[chosen]) & (enough[chosen] > 0)
    won = (success & ~success[0]).sum(1)
    lost = (~success & success[0]).sum(1)
    p = np.array([mcnemar(*map(int, pair)) for pair in zip(won, lost, strict=True)])
    adjusted = np.concatenate([[1.0], holm(p[1:])])
    effects = [
        Effect(
            thoughts=THOUGHTS[i],
            success=estimate(success[i].astype(float), seed=seed),
            gain=estimate(100 * (success[i].astype(float) - success[0]), seed=seed),
            returned=estimate(returns[i] - returns[0], seed=seed),
            won=int(won[i]),
            lost=int(lost[i]),
            p=float(p[i]),
            holm=float(adjusted[i]),
            changed=float(differs(played[0], played[i])[chosen].mean()),
        )
        for i in range(len(played))
    ]
    return Family(about, len(chosen), effects, any(map(is_gain, effects)))


def is_gain(effect: Effect) -> bool:
    """Tell whether an effect counts as a gain from thinking."""
    gain = effect.gain
    return gain.mean >= LEAST_GAIN and gain.low > 0 and effect.holm <= LEVEL_OF_TEST


def conclude(families: dict[str, Family]) -> str:
    """Say in a sentence whether a gain was shown."""
    shown = [f"{name} levels" for name, family in families.items() if family.gains]
    if not shown:
        return "Gains from thinking: not shown."
    listed = " and ".join([", ".join(shown[:-1]), shown[-1]] if shown[1:] else shown)
    return f"Gains from thinking: yes, on {listed}."
