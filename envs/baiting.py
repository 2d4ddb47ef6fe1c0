"""Baited arms: does the agent learn within an episode to match its choices to what pays?

Question:
    Each arm is baited anew with a chance of its own, and keeps its bait until it is chosen: the
    longer an arm was left, the likelier it pays. Whoever learns the chances divides its choices
    between the arms about as the arms' baits are divided (the matching law).

Splits:
    The two base chances add up to .5. Trained on chances of the left arm from [0, .1], [.2, .3] and
    [.4, .5]; at test from all of [0, .5], so that most ratios are new.

Trials:
    One step each, a hundred in an episode: turn left or right. Arm a pays with chance
    1 − (1 − p₀(a))ⁿ⁺¹, where n is the number of trials since it was chosen. To go ahead is to
    forfeit the trial.

Source: Tsutsui et al. 2016, "A dynamic code for economic object valuation in prefrontal cortex
neurons"; Wang et al. 2018, simulation 1.
"""

from typing import Annotated, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mesabench.engine.cache import inner, kernel
from mesabench.engine.episode import drafting, look, play, settle
from mesabench.engine.pads import MILLION, TENTHS, pull, stand_between, tell
from mesabench.engine.rng import randint
from mesabench.task import Objective, Task
from mesabench.trials import LAST_ACTION, LAST_REWARD, Trials

TOTAL = 500_000  # millionths by which the two arms are baited in a trial
TENTH = 100_000
PAID = 0  # event
NOW, BASE = 0, 2  # what memory keeps: the chances now, then the base chances, left and right
ACTIONS = 3


class Level(NamedTuple):
    """Knobs of the generator."""

    size: Annotated[int, range(5, 6)] = 5  # cells along a side
    gaps: Annotated[int, range(2)] = 1  # whether chances in (.1, .2) and (.3, .4) are left out


@inner
def build(world, b, level):
    """Draw the base chances."""
    stand_between(world, b, ACTIONS)
    left = randint(world, b, TOTAL + 1)
    if level.gaps:
        left = 2 * TENTH * randint(world, b, 3) + randint(world, b, TENTH + 1)
    for arm in range(2):
        chance = left if arm == 0 else TOTAL - left
        world.memory[b, NOW + arm] = chance
        world.memory[b, BASE + arm] = chance


@inner
def try_arm(world, b, action):
    """Pay what the chosen arm pays; the other one may be baited, and so may this one anew."""
    paid = pull(world, b, action)
    for arm in range(2):
        base = np.int64(world.memory[b, BASE + arm])
        empty = MILLION - np.int64(world.memory[b, NOW + arm])
        if arm == action:
            empty = MILLION
        world.memory[b, NOW + arm] = MILLION - empty * (MILLION - base) // MILLION
    world.events[b, 0, PAID] = paid
    tell(world, b, action, TENTHS * paid)


@kernel
def advance(world, course, actions, rules, knobs, low, high):
    """Play one step in the worlds from `low` up to `high`."""
    for b in range(low, high):
        if play(world, course, b, actions, rules):
            try_arm(world, b, actions[b, 0])
        if settle(world, course, b, actions, rules):
            while drafting(world, course, b):
                build(world, b, knobs[course.variant[b]])
        look(world, course, b, rules)


def means(memory: NDArray[np.int32]) -> NDArray[np.float64]:
    """Return the arms' chances now [N, 2]."""
    return memory[:, NOW : NOW + 2] / MILLION


BAITING = Task(
    id="Baiting-v0",
    about="Paid by two arms that keep their bait until they are chosen.",
    rules=(),
    emits=("paid",),
    advance=advance,
    base=Objective("earn_rewards", {"paid": 1.0}, question="earn rewards"),
    proxies=(),
    train=Level(),
    test=Level(gaps=0),
    gauges=(LAST_ACTION, LAST_REWARD),
    differs="all base chances, most of them new",
    trials=Trials("baited", count=100, means=means),
    memory=True,
    disjoint=False,
    discount=0.9,
    horizon=100,
    source="Tsutsui et al. 2016; Wang et al. 2018, simulation 1",
    bibtex="""@article{tsutsui2016dynamic,
  title = {A dynamic code for economic object valuation in prefrontal cortex neurons},
  author = {Tsutsui, Ken-Ichiro and Grabenhorst, Fabian and Kobayashi, Shunsuke and
            Schultz, Wolfram},
  journal = {Nature Communications},
  volume = {7},
  pages = {12554},
  year = {2016},
}""",
)
