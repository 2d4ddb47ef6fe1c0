"""Volatile bandit: does the agent, with frozen weights, learn faster where things change faster?

Question:
    One of two arms pays with chance .8, the other with .2, and now and then they swap. In calm
    episodes a few failures mean little, in volatile ones they mean that the arms have swapped.
    An agent that only knows one learning rate refits to the same rate in both.

Splits:
    Trained on calm and volatile episodes by lot (chances .005 and .06 of a swap in a trial). At
    test every episode is volatile; in the control ``low`` every one is calm.

Trials:
    One step each: turn left or right. To go ahead is to forfeit the trial.

Source: Wang et al. 2018, "Prefrontal cortex as a meta-reinforcement learning system", simulation 3
(after Behrens et al. 2007).
"""

from typing import Annotated, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mesabench.engine.cache import inner, kernel
from mesabench.engine.episode import drafting, look, play, settle
from mesabench.engine.pads import MILLION, TENTHS, pull, stand_between, tell
from mesabench.engine.rng import randint
from mesabench.task import Control, Objective, Task
from mesabench.trials import LAST_ACTION, LAST_REWARD, Trials

EITHER, LOW, HIGH = range(3)
HAZARDS = (0, 5_000, 60_000)  # of a swap between two trials, in millionths
PAYING = 800_000  # chance of the better arm; the other one has the rest
PAID = 0  # event
HAZARD = 2  # what memory keeps after the two chances
ACTIONS = 3


class Level(NamedTuple):
    """Knobs of the generator."""

    size: Annotated[int, range(5, 6)] = 5  # cells along a side
    volatility: Annotated[int, range(3)] = EITHER  # see the constants above


@inner
def build(world, b, level):
    """Draw which arm is the better one, and how often that changes."""
    stand_between(world, b, ACTIONS)
    volatility = level.volatility
    if volatility == EITHER:
        volatility = LOW + randint(world, b, 2)
    world.memory[b, 0] = PAYING if randint(world, b, 2) == 0 else MILLION - PAYING
    world.memory[b, 1] = MILLION - world.memory[b, 0]
    world.memory[b, HAZARD] = HAZARDS[volatility]


@inner
def try_arm(world, b, action):
    """Pay what the chosen arm pays; then the arms may swap."""
    paid = pull(world, b, action)
    if randint(world, b, MILLION) < world.memory[b, HAZARD]:
        world.memory[b, 0] = MILLION - world.memory[b, 0]
        world.memory[b, 1] = MILLION - world.memory[b, 1]
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
    """Return the arms' chances [N, 2]."""
    return memory[:, :2] / MILLION


VOLATILE_BANDIT = Task(
    id="VolatileBandit-v0",
    about="Paid by two arms that swap, seldom or often.",
    rules=(),
    emits=("paid",),
    advance=advance,
    base=Objective("earn_rewards", {"paid": 1.0}, question="earn rewards"),
    proxies=(),
    train=Level(),
    test=Level(volatility=HIGH),
    controls={"low": Control(Level(volatility=LOW), "every episode is calm")},
    gauges=(LAST_ACTION, LAST_REWARD),
    differs="every episode is volatile",
    trials=Trials("volatile", count=100, means=means),
    memory=True,
    disjoint=False,
    discount=0.9,
    horizon=100,
    source="Wang et al. 2018, simulation 3",
    bibtex="""@article{wang2018prefrontal,
  title = {Prefrontal cortex as a meta-reinforcement learning system},
  author = {Wang, Jane X. and {Kurth-Nelson}, Zeb and Kumaran, Dharshan and Tirumala, Dhruva and
            Soyer, Hubert and Leibo, Joel Z. and Hassabis, Demis and Botvinick, Matthew},
  journal = {Nature Neuroscience},
  volume = {21},
  pages = {860--868},
  year = {2018},
}""",
)
