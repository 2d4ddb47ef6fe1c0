"""MiniGrid's own encoding: object, colour and state codes, actions and directions.

The numbers are those of ``minigrid.core.constants`` (a test compares them); they stand here
as plain integers so that kernels can use them as compile-time constants.
"""

UNSEEN, EMPTY, WALL, FLOOR, DOOR, KEY, BALL, BOX, GOAL, LAVA, AGENT = range(11)
RED, GREEN, BLUE, PURPLE, YELLOW, GREY = range(6)
OPEN, CLOSED, LOCKED = range(3)
LEFT, RIGHT, FORWARD, PICKUP, DROP, TOGGLE, DONE = range(7)
SCRIPTED = -2  # instead of an action: the task's own script plays the agent

OBJECTS = (
    "unseen", "empty", "wall", "floor", "door", "key", "ball", "box", "goal", "lava", "agent",
)  # fmt: skip
COLOURS = ("red", "green", "blue", "purple", "yellow", "grey")
ACTIONS = ("left", "right", "forward", "pickup", "drop", "toggle", "done")

NUM_OBJECTS = len(OBJECTS)
NUM_COLOURS = len(COLOURS)
VIEW = 7  # side of MiniGrid's egocentric view, in cells

# What a rule can be triggered by.
ON_TOUCH, ON_PICKUP, ON_OPEN = range(3)
NUM_TRIGGERS = 3
NUM_FLAGS = 8  # bits of `world.marks`
