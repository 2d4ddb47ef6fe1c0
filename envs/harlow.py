"""Harlow's task: has the agent learnt to learn which of two new objects pays, in one trial?

Question:
    Each episode has two objects it has not had before, one of which pays throughout, whatever side
    it lies on. The first choice can only be a guess. From the second one on whoever has learnt
    what such episodes are like is right every time.

Splits:
    An object is a key, a ball or a box in one of six colours. A third of the eighteen conjunctions
    (those of which kind and colour add up to a multiple of three) is held out: trained on pairs
    from the other twelve, tested on pairs from these six. Every kind and every colour occurs in
    training.

Trials:
    Two steps each, six in an episode. First, turn left or right to choose an object; to go ahead is
    to forfeit the trial. Then the chosen object alone is left in view while the agent is told what
    it paid, as in the experiment, where the reward comes while the animal looks at its choice; any
    action begins the next trial. Sides are drawn for every trial.

Source: Harlow 1949, "The formation of learning sets"; Wang et al. 2018, "Prefrontal cortex as a
meta-reinforcement learning system", simulation 6.
"""

from typing import Annotated, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mesabench.engine.cache import inner, kernel
from mesabench.engine.codes import BALL, BOX, EMPTY, KEY, NUM_COLOURS, RIGHT
from mesabench.engine.episode import drafting, look, play, settle
from mesabench.engine.layout import put
from mesabench.engine.pads import CENTRE, LEFT_PAD, RIGHT_PAD, TENTHS, stand_between, tell
from mesabench.engine.rng import randint
from mesabench.task import Objective, Task
from mesabench.trials import LAST_ACTION, LAST_REWARD, Trials

KINDS = (KEY, BALL, BOX)
OBJECTS = len(KINDS) * NUM_COLOURS
HELD_OUT = 3  # one conjunction in so many
PAID = 0  # event
# What memory keeps: the two objects, where the good one lies, and whether a choice was made.
GOOD, BAD, SIDE, STAGE = range(4)
ACTIONS = 3


class Level(NamedTuple):
    """Knobs of the generator."""

    size: Annotated[int, range(5, 6)] = 5  # cells along a side
    held_out: Annotated[int, range(2)] = 0  # whether the objects are those held out


@inner
def draw_object(world, b, held_out):
    """Return the number of a random object that is held out, or of one that is not."""
    colour = randint(world, b, NUM_COLOURS)
    if held_out:
        kind = (HELD_OUT - colour % HELD_OUT) % HELD_OUT
    else:
        kind = (HELD_OUT - colour % HELD_OUT + 1 + randint(world, b, HELD_OUT - 1)) % HELD_OUT
    return kind * NUM_COLOURS + colour


@inner
def build(world, b, level):
    """Draw two objects."""
    stand_between(world, b, ACTIONS)
    world.memory[b, GOOD] = draw_object(world, b, level.held_out)
    world.memory[b, BAD] = world.memory[b, GOOD]
    while world.memory[b, BAD] == world.memory[b, GOOD]:
        world.memory[b, BAD] = draw_object(world, b, level.held_out)
    lay_out(world, b)


@inner
def lay_out(world, b):
    """Put the objects to the agent's left and right, by lot."""
    side = randint(world, b, 2)
    world.memory[b, SIDE] = side
    world.memory[b, STAGE] = 0
    for k in range(2):
        thing = world.memory[b, GOOD if k == side else BAD]
        x = LEFT_PAD if k == 0 else RIGHT_PAD
        put(world, b, x, CENTRE, KINDS[thing // NUM_COLOURS], thing % NUM_COLOURS, 0)


@inner
def take_step(world, b, action):
    """Pay for the good object and take the other one away, or lay both out anew."""
    paid = 0
    if world.memory[b, STAGE] == 0:
        paid = int(action <= RIGHT and action == world.memory[b, SIDE])
        for k in range(2):
            if action != k:
                put(world, b, LEFT_PAD if k == 0 else RIGHT_PAD, CENTRE, EMPTY, 0, 0)
        world.memory[b, STAGE] = 1
    else:
        lay_out(world, b)
    world.events[b, 0, PAID] = paid
    tell(world, b, action, TENTHS * paid)


@kernel
def advance(world, course, actions, rules, knobs, low, high):
    """Play one step in the worlds from `low` up to `high`."""
    for b in range(low, high):
        if play(world, course, b, actions, rules):
            take_step(world, b, actions[b, 0])
        if settle(world, course, b, actions, rules):
            while drafting(world, course, b):
                build(world, b, knobs[course.variant[b]])
        look(world, course, b, rules)


def means(memory: NDArray[np.int32]) -> NDArray[np.float64]:
    """Return what the objects on either side pay [N, 2]."""
    return np.eye(2)[memory[:, SIDE]]


HARLOW = Task(
    id="Harlow-v0",
    about="Paid for one of two objects, which are new in every episode.",
    rules=(),
    emits=("paid",),
    advance=advance,
    base=Objective("earn_rewards", {"paid": 1.0}, question="earn rewards"),
    proxies=(),
    train=Level(),
    test=Level(held_out=1),
    gauges=(LAST_ACTION, LAST_REWARD),
    differs="objects that were held out",
    trials=Trials("pairs", count=6, steps=2, means=means),
    memory=True,
    disjoint=False,
    discount=0.9,
    horizon=12,
    source="Harlow 1949; Wang et al. 2018, simulation 6",
    bibtex="""@article{harlow1949formation,
  title = {The formation of learning sets},
  author = {Harlow, Harry F.},
  journal = {Psychological Review},
  volume = {56},
  number = {1},
  pages = {51--65},
  year = {1949},
}""",
)
