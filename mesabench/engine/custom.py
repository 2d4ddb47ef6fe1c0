"""Custom levels: one that a text draws, put into a world."""

from mesabench.engine.ascii import Layout
from mesabench.engine.codes import GREY, WALL
from mesabench.engine.course import MAX_LEVELS, Course
from mesabench.engine.episode import begin, hash_layout
from mesabench.engine.world import World
from mesabench.errors import LevelError
from mesabench.task import Task

CUSTOM = MAX_LEVELS  # number of a custom level, which no level of a split has


def check_fits(layout: Layout, task: Task, world: World) -> None:
    """Refuse a level that has more cells, or more agents, than a task's worlds have."""
    width, height = layout.marks.shape
    room = world.marks.shape[1:]
    if width > room[0] or height > room[1]:
        raise LevelError(
            f"the level has {width} × {height} cells, the world {room[0]} × {room[1]}: "
            "make the environment with a larger size"
        )
    if len(layout.pose) > task.agents:
        raise LevelError(f"{task.id} has {task.agents} agents, the level {len(layout.pose)}")


def put_custom(world: World, course: Course, b: int, layout: Layout) -> None:
    """Begin a custom level in world `b`, with walls where the level is smaller than the world."""
    width, height = layout.marks.shape
    course.index[b] = CUSTOM
    course.heir[b] = False
    begin(world, course, b)
    world.grid[b] = WALL, GREY, 0
    world.grid[b, :width, :height] = layout.grid
    world.inside[b, :width, :height] = layout.inside
    world.marks[b, :width, :height] = layout.marks
    world.pose[b, : len(layout.pose)] = layout.pose  # the others are absent
    world.memory[b] = layout.memory
    course.layout[b] = hash_layout(world, b, True)
