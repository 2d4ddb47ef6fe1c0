"""Two-armed bandit: does the agent, with frozen weights, learn within an episode which arm pays?

Question:
    An episode is a hundred pulls of two arms, whose chances of a reward are drawn anew for every
    level. Whoever earns more than chance has learnt something within the episode, for its
    weights did not change; how much more tells how well.

Splits:
    Trained on independent arms, each of which pays with a chance from U[0, 1]. At test the arms
    depend on each other: one pays with a chance from U[0, 1], the other with the rest (prior
    shift). The controls are dependent arms with a chance from {.1, .9}, {.25, .75}, {.4, .6}. To
    train on another prior, change the knob ``prior``.

Trials:
    One step each: turn left or right. To go ahead is to forfeit the trial.

Source: Wang et al. 2016, "Learning to reinforcement learn", section 3.1.
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

INDEPENDENT, UNIFORM, EASY, MEDIUM, HARD = range(5)  # priors of the arms' chances
HIGHER = (0, 0, 900_000, 750_000, 600_000)  # the better chance, in millionths
PAID = 0  # event
ACTIONS = 3


class Level(NamedTuple):
    """Knobs of the generator."""

    size: Annotated[int, range(5, 6)] = 5  # cells along a side
    prior: Annotated[int, range(5)] = INDEPENDENT  # see the constants above


@inner
def build(world, b, level):
    """Draw the arms' chances; memory keeps them, left and right."""
    stand_between(world, b, ACTIONS)
    left = randint(world, b, MILLION + 1)
    right = MILLION - left
    if level.prior == INDEPENDENT:
        right = randint(world, b, MILLION + 1)
    elif level.prior != UNIFORM:
        left = HIGHER[level.prior] if randint(world, b, 2) == 0 else MILLION - HIGHER[level.prior]
        right = MILLION - left
    world.memory[b, 0] = left
    world.memory[b, 1] = right


@inner
def try_arm(world, b, action):
    """Pay what the chosen arm pays."""
    paid = pull(world, b, action)
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


BANDIT = Task(
    id="Bandit-v0",
    about="Paid by two arms, whose chances must be found out within an episode.",
    rules=(),
    emits=("paid",),
    advance=advance,
    base=Objective("earn_rewards", {"paid": 1.0}, question="earn rewards"),
    proxies=(),
    train=Level(),
    test=Level(prior=UNIFORM),
    controls={
        "easy": Control(Level(prior=EASY), "dependent arms, .1 and .9"),
        "medium": Control(Level(prior=MEDIUM), "dependent arms, .25 and .75"),
        "hard": Control(Level(prior=HARD), "dependent arms, .4 and .6"),
    },
    gauges=(LAST_ACTION, LAST_REWARD),
    differs="dependent arms, from U[0, 1]",
    trials=Trials("bandit", count=100, means=means),
    memory=True,
    disjoint=False,
    discount=0.9,
    horizon=100,
    source="Wang et al. 2016",
    bibtex="""@misc{wang2016learning,
  title = {Learning to reinforcement learn},
  author = {Wang, Jane X. and {Kurth-Nelson}, Zeb and Tirumala, Dhruva and Soyer, Hubert and
            Leibo, Joel Z. and Munos, Remi and Blundell, Charles and Kumaran, Dharshan and
            Botvinick, Matt},
  year = {2016},
  eprint = {1611.05763},
  archivePrefix = {arXiv},
}""",
)
