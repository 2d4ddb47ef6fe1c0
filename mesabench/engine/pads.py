"""Kernels of learning tasks: an agent between two pads, and what it is told of its last trial.

The agent stands in the middle of a small room and faces up. To turn to a pad is to choose it;
after every step the agent is turned back. The cell ahead is a wall or, where a task has something
to show, a screen.
"""

from mesabench.engine.cache import inner
from mesabench.engine.codes import BOX, FLOOR, GREY, RIGHT, WALL
from mesabench.engine.layout import put, wall_up
from mesabench.engine.rng import randint
from mesabench.engine.world import DIR, X, Y

MILLION = 1_000_000  # chances are whole numbers of millionths
CENTRE, LEFT_PAD, RIGHT_PAD, SCREEN = 2, 1, 3, 1  # columns of a 5 × 5 world, and the screen's row
UP = 3
ACTION, REWARD = 0, 1  # entries of `world.gauges`: the last action, the last reward in tenths
TENTHS = 10


@inner
def stand_between(world, b, actions):
    """Build the room of world `b`, with a grey box on either side; there was no action yet."""
    wall_up(world, b)
    put(world, b, LEFT_PAD, CENTRE, BOX, GREY, 0)
    put(world, b, RIGHT_PAD, CENTRE, BOX, GREY, 0)
    put(world, b, CENTRE, CENTRE, 1, 0, 0)
    face(world, b)
    world.gauges[b, 0, ACTION] = actions
    world.gauges[b, 0, REWARD] = 0


@inner
def face(world, b):
    """Put the agent back into the middle, facing up, with nothing in its hands."""
    world.pose[b, 0, X] = CENTRE
    world.pose[b, 0, Y] = CENTRE
    world.pose[b, 0, DIR] = UP
    world.carrying[b] = 0


@inner
def show(world, b, colour):
    """Light the screen in a colour; a negative one puts it out."""
    if colour < 0:
        put(world, b, CENTRE, SCREEN, WALL, GREY, 0)
    else:
        put(world, b, CENTRE, SCREEN, FLOOR, colour, 0)


@inner
def pull(world, b, action):
    """Return 1 where the chosen arm pays, else 0; memory begins with the arms' chances."""
    if action > RIGHT:
        return 0
    return int(randint(world, b, MILLION) < world.memory[b, action])


@inner
def tell(world, b, action, paid):
    """End a step: let the agent know what it did and what that paid (in tenths), and turn back."""
    world.gauges[b, 0, ACTION] = action
    world.gauges[b, 0, REWARD] = paid
    face(world, b)
