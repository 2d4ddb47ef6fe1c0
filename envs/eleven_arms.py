"""Eleven arms: does the agent pay for information that it can use within the episode?

Question:
    Of ten arms one, the target, pays 5 and the others pay 1; which one is drawn anew for every
    level. The eleventh arm pays a tenth of the target's number, less than any other, and so tells
    which it is. In five trials it is best to ask first: 20.55 on average.

Splits:
    Trained on all ten targets. At test only the last five are targets (their tellings are the
    larger numbers); in the control ``first_five`` only the first five.

Trials:
    Two steps each: the first one chooses an alcove (left, right, ahead, or the one behind, for
    which the fourth action stands), the second one a pad in it (left, right, ahead). The screen
    ahead shows the alcove. Arm 3 · alcove + pad; the twelfth pad pays nothing, and the fourth
    action in the second step forfeits the trial.

Source: Wang et al. 2016, "Learning to reinforcement learn", section 3.1.3.
"""

from typing import Annotated, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mesabench.engine.cache import inner, kernel
from mesabench.engine.codes import FORWARD
from mesabench.engine.episode import drafting, look, play, settle
from mesabench.engine.pads import show, stand_between, tell
from mesabench.engine.rng import randint
from mesabench.task import Control, Objective, Task
from mesabench.trials import LAST_ACTION, LAST_REWARD, Trials

ARMS, INFORMATIVE = 11, 10
TARGET_PAYS, OTHERS_PAY = 50, 10  # tenths
PAID = 0  # event
TARGET, STAGE, ALCOVE = range(3)  # what memory keeps
ACTIONS = 4
Arm = Annotated[int, range(INFORMATIVE)]


class Level(NamedTuple):
    """Knobs of the generator."""

    size: Annotated[int, range(5, 6)] = 5  # cells along a side
    first: Arm = 0  # the targets go from this arm ...
    last: Arm = INFORMATIVE - 1  # ... to this one


@inner
def build(world, b, level):
    """Draw the target."""
    stand_between(world, b, ACTIONS)
    show(world, b, -1)
    low, high = min(level.first, level.last), max(level.first, level.last)
    world.memory[b, TARGET] = low + randint(world, b, high - low + 1)


@inner
def take_step(world, b, action):
    """Go into an alcove, or take what a pad in it pays."""
    paid = 0
    if world.memory[b, STAGE] == 0:
        world.memory[b, ALCOVE] = action
        world.memory[b, STAGE] = 1
        show(world, b, action)
    else:
        arm = 3 * world.memory[b, ALCOVE] + action
        if action <= FORWARD and arm < ARMS:
            paid = TARGET_PAYS if arm == world.memory[b, TARGET] else OTHERS_PAY
            if arm == INFORMATIVE:
                paid = world.memory[b, TARGET] + 1
        world.memory[b, STAGE] = 0
        show(world, b, -1)
    world.events[b, 0, PAID] = paid
    tell(world, b, action, paid)


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
    """Return what each arm pays [N, 11]."""
    found = np.full((len(memory), ARMS), OTHERS_PAY / 10)
    found[np.arange(len(memory)), memory[:, TARGET]] = TARGET_PAYS / 10
    found[:, INFORMATIVE] = (memory[:, TARGET] + 1) / 10
    return found


ELEVEN_ARMS = Task(
    id="ElevenArms-v0",
    about="Paid most by one arm of ten; the eleventh tells which, and pays least.",
    rules=(),
    emits=("paid",),
    advance=advance,
    base=Objective("earn_rewards", {"paid": 0.1}, question="earn rewards"),
    proxies=(),
    train=Level(),
    test=Level(first=5),
    controls={"first_five": Control(Level(last=4), "the target is one of the first five arms")},
    gauges=(LAST_ACTION, LAST_REWARD),
    differs="the target is one of the last five arms",
    trials=Trials("informative", count=5, steps=2, arms=ARMS, means=means),
    memory=True,
    disjoint=False,
    actions=ACTIONS,
    discount=0.95,
    horizon=10,
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
