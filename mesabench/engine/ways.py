"""Kernels by which a script walks an agent to the nearest thing of a kind."""

from mesabench.engine.cache import inner
from mesabench.engine.codes import DONE, EMPTY, FORWARD, LEFT, RIGHT, WALL
from mesabench.engine.layout import step_x, step_y
from mesabench.engine.world import DIR, X, Y

FAR = 1 << 20  # moves, where there is no way
ANY_COLOUR = -1


@inner
def measure_ways(world, b, thing, colour, barrier, over):
    """Count the moves (no turns) from every cell of world `b` to the nearest thing of a kind.

    Breadth-first from the things, through all cells but walls. Afterwards
    ``world.scratch[b, 0, x * H + y]`` is the number of moves, `FAR` where there is no way.

    Args:
        world: the batch of worlds.
        b: which of them.
        thing: type of the things.
        colour: their colour, or `ANY_COLOUR`.
        barrier: type of other things that nobody enters; `WALL` where there is none.
        over: whether ways lead over the rest of what lies about. If not, their cells are numbered
            all the same, so that one can walk away from there.
    """
    height = world.grid.shape[2]
    moves, queue = world.scratch[b, 0], world.scratch[b, 1]
    head, tail = 0, 0
    for cell in range(world.grid.shape[1] * height):
        x, y = cell // height, cell % height
        moves[cell] = FAR
        alike = colour == ANY_COLOUR or world.grid[b, x, y, 1] == colour
        if world.grid[b, x, y, 0] == thing and alike:
            moves[cell], queue[tail] = 0, cell
            tail += 1
    while head < tail:
        cell = queue[head]
        head += 1
        for way in range(4):
            after = cell + step_x(way) * height + step_y(way)
            kind = world.grid[b, after // height, after % height, 0]
            if moves[after] < FAR or kind in (WALL, barrier):
                continue
            moves[after] = moves[cell] + 1
            if over or kind == EMPTY:
                queue[tail] = after
                tail += 1


@inner
def next_action(world, b, a):
    """Return what agent `a` does to come nearer by one move, as `measure_ways` has counted them.

    It turns as little as it must; `DONE` if no move brings it nearer.
    """
    pose, height, moves = world.pose[b, a], world.grid.shape[2], world.scratch[b, 0]
    here = pose[X] * height + pose[Y]
    for turn in (0, 1, 3, 2):
        way = (pose[DIR] + turn) & 3
        if moves[here + step_x(way) * height + step_y(way)] == moves[here] - 1:
            if turn == 0:
                return FORWARD
            return LEFT if turn == 3 else RIGHT
    return DONE
