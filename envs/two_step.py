"""Two-step task: does what the agent learns within an episode use a model of what leads where?

Question:
    The first choice leads to one of two states, commonly (.8) to its own and rarely to the other;
    in one state a reward is likely (.9), in the other it is not (.1), and now and then (.025 per
    trial) that changes about. After a reward that followed a *rare* transition, whoever knows what
    leads where chooses the other arm, and whoever only reinforces what was chosen repeats it.

Splits:
    Trained with arms that commonly lead to their own state. At test they commonly lead to the other
    one: what the weights hold about the transitions is wrong there, and only what is learnt within
    the episode can help. In the control ``no_reversals`` the states never change about.

Trials:
    Two steps each. In the first one turn left or right; the screen ahead then shows the state, blue
    or yellow, and any action in it is paid by chance. To go ahead in the first step is to forfeit
    the trial.

Source: Wang et al. 2018, "Prefrontal cortex as a meta-reinforcement learning system", simulation 5
(after Daw et al. 2011 and Miller et al. 2017).
"""

from typing import Annotated, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mesabench.engine.cache import inner, kernel
from mesabench.engine.codes import BLUE, RIGHT, YELLOW
from mesabench.engine.episode import drafting, look, play, settle
from mesabench.engine.pads import MILLION, TENTHS, show, stand_between, tell
from mesabench.engine.rng import randint
from mesabench.task import Control, Objective, Percent, Task
from mesabench.trials import LAST_ACTION, LAST_REWARD, Trials

LIKELY = 900_000  # chance of a reward in the better state, in millionths; the other has the rest
PAID = 0  # event
GOOD, STATE, STAGE, COMMON = range(4)  # what memory keeps
NOWHERE = -1  # state of a trial without a choice
ACTIONS = 3


class Level(NamedTuple):
    """Knobs of the generator."""

    size: Annotated[int, range(5, 6)] = 5  # cells along a side
    common: Percent = 80  # chance that an arm leads to its own state
    reversals: Annotated[int, range(1001)] = 25  # chance in a thousand that the states change about


@inner
def build(world, b, level):
    """Draw which state is the better one."""
    stand_between(world, b, ACTIONS)
    show(world, b, -1)
    world.memory[b, GOOD] = randint(world, b, 2)
    world.memory[b, COMMON] = level.common


@inner
def take_step(world, b, action, level):
    """Go from the choice to a state, or from a state to a reward."""
    paid = 0
    if world.memory[b, STAGE] == 0:
        state = NOWHERE
        if action <= RIGHT:
            state = action if randint(world, b, 100) < level.common else 1 - action
            show(world, b, BLUE if state == 0 else YELLOW)
        world.memory[b, STATE] = state
        world.memory[b, STAGE] = 1
    else:
        likely = world.memory[b, STATE] == world.memory[b, GOOD]
        chance = LIKELY if likely else MILLION - LIKELY
        if world.memory[b, STATE] != NOWHERE:
            paid = int(randint(world, b, MILLION) < chance)
        if randint(world, b, 1000) < level.reversals:
            world.memory[b, GOOD] = 1 - world.memory[b, GOOD]
        world.memory[b, STAGE] = 0
        show(world, b, -1)
    world.events[b, 0, PAID] = paid
    tell(world, b, action, TENTHS * paid)


@kernel
def advance(world, course, actions, rules, knobs, low, high):
    """Play one step in the worlds from `low` up to `high`."""
    for b in range(low, high):
        if play(world, course, b, actions, rules):
            take_step(world, b, actions[b, 0], knobs[course.variant[b]])
        if settle(world, course, b, actions, rules):
            while drafting(world, course, b):
                build(world, b, knobs[course.variant[b]])
        look(world, course, b, rules)


def means(memory: NDArray[np.int32]) -> NDArray[np.float64]:
    """Return the chance of a reward after each first choice [N, 2]."""
    common = memory[:, COMMON] / 100
    chances = np.array([MILLION - LIKELY, LIKELY]) / MILLION
    left, right = chances[1 - memory[:, GOOD]], chances[memory[:, GOOD]]
    return np.stack([common * left + (1 - common) * right, common * right + (1 - common) * left], 1)


def state(memory: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return the state that the first choice led to [N], −1 where there was no choice."""
    return memory[:, STATE].astype(np.int64)


TWO_STEP = Task(
    id="TwoStep-v0",
    about="Paid in one of two states, to which two choices lead by chance.",
    rules=(),
    emits=("paid",),
    advance=advance,
    base=Objective("earn_rewards", {"paid": 1.0}, question="earn rewards"),
    proxies=(),
    train=Level(),
    test=Level(common=20),
    controls={"no_reversals": Control(Level(reversals=0), "the states never change about")},
    gauges=(LAST_ACTION, LAST_REWARD),
    differs="arms commonly lead to the other state",
    trials=Trials("two_step", count=100, steps=2, means=means, state=state),
    memory=True,
    disjoint=False,
    discount=0.9,
    horizon=200,
    source="Wang et al. 2018, simulation 5",
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
