"""Kernels that level generators are made of: walls, mazes, placement, walking distances."""

from mesabench.engine.cache import inner, kernel
from mesabench.engine.codes import EMPTY, FLOOR, GREY, WALL
from mesabench.engine.rng import randint
from mesabench.engine.world import DIR, X, Y

ANYTHING = 255  # barrier of `measure_walks`
OPEN_GROUND = (EMPTY, FLOOR)


@inner
def put(world, b, x, y, thing, colour, state):
    """Write one cell of world `b`."""
    world.grid[b, x, y, 0] = thing
    world.grid[b, x, y, 1] = colour
    world.grid[b, x, y, 2] = state


@inner
def wall_up(world, b):
    """Fill the whole of world `b` with walls."""
    for x in range(world.grid.shape[1]):
        for y in range(world.grid.shape[2]):
            put(world, b, x, y, WALL, GREY, 0)


@inner
def carve_room(world, b, width, height):
    """Leave one empty room of `width` × `height` cells, outer walls included."""
    wall_up(world, b)
    for x in range(1, width - 1):
        for y in range(1, height - 1):
            put(world, b, x, y, EMPTY, 0, 0)


@inner
def carve_maze(world, b, size):
    """Carve a perfect maze of `size` × `size` cells (odd; outer walls included).

    Depth-first search over the cells with odd coordinates. The way back is kept in the state
    channel of each cell while the search lasts, so no stack is needed.
    """
    wall_up(world, b)
    side = (size - 1) // 2
    x = 1 + 2 * randint(world, b, side)
    y = 1 + 2 * randint(world, b, side)
    put(world, b, x, y, EMPTY, 0, 4)
    left = side * side - 1
    while left > 0:
        turn = randint(world, b, 4)
        stuck = True
        for k in range(4):
            way = (turn + k) & 3
            nx, ny = x + 2 * step_x(way), y + 2 * step_y(way)
            if nx < 1 or ny < 1 or nx >= size - 1 or ny >= size - 1:
                continue
            if world.grid[b, nx, ny, 0] == WALL:
                put(world, b, x + step_x(way), y + step_y(way), EMPTY, 0, 0)
                put(world, b, nx, ny, EMPTY, 0, way)
                x, y = nx, ny
                left -= 1
                stuck = False
                break
        if stuck:
            way = world.grid[b, x, y, 2]
            x -= 2 * step_x(way)
            y -= 2 * step_y(way)
    for i in range(side):
        for j in range(side):
            world.grid[b, 1 + 2 * i, 1 + 2 * j, 2] = 0


@inner
def braid(world, b, size, percent):
    """Open each dead end of a carved maze, with a chance of `percent` in a hundred."""
    for x in range(1, size - 1, 2):
        for y in range(1, size - 1, 2):
            ways = 0
            for way in range(4):
                ways += world.grid[b, x + step_x(way), y + step_y(way), 0] != WALL
            if ways == 1 and randint(world, b, 100) < percent:
                open_wall(world, b, x, y, size)


@inner
def thin_out(world, b, size, percent):
    """Break each inner wall between two maze cells, with a chance of `percent` in a hundred."""
    for x in range(1, size - 1):
        for y in range(1, size - 1):
            between = (x & 1) + (y & 1) == 1
            if between and world.grid[b, x, y, 0] == WALL and randint(world, b, 100) < percent:
                put(world, b, x, y, EMPTY, 0, 0)


@inner
def open_wall(world, b, x, y, size):
    """Break one closed inner wall, chosen at random, beside the maze cell (x, y)."""
    turn = randint(world, b, 4)
    for k in range(4):
        way = (turn + k) & 3
        wx, wy = x + step_x(way), y + step_y(way)
        inner = 0 < wx < size - 1 and 0 < wy < size - 1
        if inner and world.grid[b, wx, wy, 0] == WALL:
            put(world, b, wx, wy, EMPTY, 0, 0)
            return


@inner
def pick_empty(world, b):
    """Choose an empty, unflagged, unoccupied cell at random; return x * H + y, or −1 if none."""
    width, height = world.grid.shape[1], world.grid.shape[2]
    free = 0
    for x in range(width):
        for y in range(height):
            free += is_free(world, b, x, y)
    if free == 0:
        world.unbuilt[b] = True
        return -1
    skip = randint(world, b, free)
    for x in range(width):
        for y in range(height):
            if is_free(world, b, x, y):
                if skip == 0:
                    return x * height + y
                skip -= 1
    return -1


@inner
def is_free(world, b, x, y):
    """Tell whether cell (x, y) is empty, bears no flag and no agent stands there."""
    if world.grid[b, x, y, 0] != EMPTY or world.marks[b, x, y] != 0:
        return False
    for a in range(world.pose.shape[1]):
        if world.pose[b, a, X] == x and world.pose[b, a, Y] == y:
            return False
    return True


@inner
def place(world, b, thing, colour, state):
    """Put a thing on a random free cell; return x * H + y, or −1 if there was no room."""
    cell = pick_empty(world, b)
    if cell >= 0:
        height = world.grid.shape[2]
        put(world, b, cell // height, cell % height, thing, colour, state)
    return cell


@inner
def place_flag(world, b, bit):
    """Set flag `bit` on a random free cell."""
    cell = pick_empty(world, b)
    if cell >= 0:
        height = world.grid.shape[2]
        world.marks[b, cell // height, cell % height] |= 1 << bit


@inner
def place_agent(world, b, a):
    """Put agent `a` on a random free cell, facing a random way."""
    cell = pick_empty(world, b)
    if cell >= 0:
        height = world.grid.shape[2]
        world.pose[b, a, X] = cell // height
        world.pose[b, a, Y] = cell % height
        world.pose[b, a, DIR] = randint(world, b, 4)


@inner
def measure_walks(world, b, a, barrier):
    """Count the steps (turns and moves) from agent `a` to every cell of world `b`.

    Breadth-first over poses, through all cells but walls; a thing of type `barrier` (of any type
    where that is `ANYTHING`) is reached and not passed. Afterwards
    ``world.scratch[b, 0, x * H + y]`` is the number of steps that lead onto or into the cell, −1
    where none does.
    """
    height = world.grid.shape[2]
    cells = world.grid.shape[1] * height
    steps, queue, depth = world.scratch[b, 0], world.scratch[b, 1], world.scratch[b, 2]
    for i in range(4 * cells):
        depth[i] = -1
    for i in range(cells):
        steps[i] = -1
    start = world.pose[b, a, X] * height + world.pose[b, a, Y]
    steps[start] = 0
    queue[0] = 4 * start + world.pose[b, a, DIR]
    depth[queue[0]] = 0
    head, tail = 0, 1
    while head < tail:
        pose = queue[head]
        head += 1
        cell, way = pose >> 2, pose & 3
        ahead = cell + step_x(way) * height + step_y(way)
        thing = world.grid[b, ahead // height, ahead % height, 0]
        if thing != WALL and steps[ahead] < 0:
            steps[ahead] = depth[pose] + 1
        for move in range(3):
            after = 4 * cell + ((way + 1) & 3)
            if move == 1:
                after = 4 * cell + ((way + 3) & 3)
            elif move == 2:
                after = 4 * ahead + way
                if thing in (WALL, barrier) or (barrier == ANYTHING and thing not in OPEN_GROUND):
                    continue
            if depth[after] < 0:
                depth[after] = depth[pose] + 1
                queue[tail] = after
                tail += 1


@inner
def turned(size, spin, x, y):
    """Return where cell (x, y) of a square map lies after ``spin & 3`` quarter turns to the right.

    With ``spin & 4`` the map is mirrored first, so that columns count from the other side.
    """
    if spin & 4:
        x = size - 1 - x
    for _ in range(spin & 3):
        x, y = size - 1 - y, x
    return x, y


@kernel
def step_x(way):
    """Return the x component of direction `way` (0 right, 1 down, 2 left, 3 up)."""
    return int(way == 0) - int(way == 2)


@kernel
def step_y(way):
    """Return the y component of direction `way` (0 right, 1 down, 2 left, 3 up)."""
    return int(way == 1) - int(way == 3)
