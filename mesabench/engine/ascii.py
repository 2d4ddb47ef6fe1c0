"""Levels as ASCII art, for bug reports, tests and levels of one's own.

A cell is two characters, a row of cells a line::

    ############
    ##>0..Ky..##
    ##..##..01##
    ##Bg..Lr..##
    ############
    01 = Ab nearest

* ``##`` is a wall and ``..`` an empty cell.
* A thing is MiniGrid's letter and a colour's: K key, A ball, B box, F floor, G goal, V lava,
  W wall of another colour than grey; a door is D closed, O open or L locked. The colours are r, g,
  b, p, y and e (grey).
* ``>``, ``v``, ``<`` or ``^`` and a number is an agent on an empty cell, and where it looks.
* Two digits stand for what the legend below the map says: a thing, then, in any order, the names
  of the flags that its cell bears, what the box holds in parentheses, an agent.

* ``memory = 0 3 1`` is what the task's tick remembers, for tasks in which more happens than what
  agents do.

What agents carry, and the gauges that they observe, are not part of a level.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mesabench.engine.codes import (
    BALL,
    BOX,
    CLOSED,
    DOOR,
    EMPTY,
    FLOOR,
    GOAL,
    GREY,
    KEY,
    LAVA,
    LOCKED,
    OPEN,
    RED,
    WALL,
)
from mesabench.engine.world import MEMORY
from mesabench.errors import LevelError, unknown

ARROWS = ">v<^"
MEMORY_LINE = "memory"
COLOUR_LETTERS = "rgbpye"
LETTERS = {
    "W": (WALL, 0), "F": (FLOOR, 0), "K": (KEY, 0), "A": (BALL, 0), "B": (BOX, 0),
    "G": (GOAL, 0), "V": (LAVA, 0), "D": (DOOR, CLOSED), "O": (DOOR, OPEN), "L": (DOOR, LOCKED),
}  # fmt: skip
CELLS = {
    f"{letter}{COLOUR_LETTERS[colour]}": (thing, colour, state)
    for letter, (thing, state) in LETTERS.items()
    for colour in range(len(COLOUR_LETTERS))
} | {"##": (WALL, GREY, 0), "..": (EMPTY, RED, 0)}
CODES = {cell: code for code, cell in CELLS.items()}  # a grey wall is "##", not "We"


class Layout(NamedTuple):
    """A level as arrays, as they stand in `World` (x first)."""

    grid: NDArray[np.uint8]  # [W, H, 3] object, colour, state
    inside: NDArray[np.uint8]  # [W, H] what the box in a cell holds, object * 8 + colour
    marks: NDArray[np.uint8]  # [W, H] flags, a bit each
    pose: NDArray[np.int32]  # [A, 3] x, y, direction
    memory: NDArray[np.int32]  # what the tick remembers


class Cell(NamedTuple):
    """All that a cell holds."""

    thing: tuple[int, int, int]
    inside: int = 0
    marks: int = 0
    agents: tuple[tuple[int, int], ...] = ()  # number, direction


def write_level(layout: Layout, flags: Sequence[str] = ()) -> str:
    """Return the text that `read_level` turns into `layout`.

    Args:
        layout: the level.
        flags: names of the flags, in the order of their bits.

    Raises:
        LevelError: a cell has no text, such as a key with a state.
    """
    width, height = layout.marks.shape
    rows, legend = [], dict[str, str]()
    for y in range(height):
        cells = [describe(cell_at(layout, x, y), flags) for x in range(width)]
        for words in cells:
            if len(words) > 2 and words not in legend:
                legend[words] = f"{len(legend):02}"
        rows.append("".join(legend.get(words, words) for words in cells))
    if len(legend) > 100:
        raise LevelError(f"a legend has at most 100 lines; this level needs {len(legend)}")
    notes = [f"{code} = {words}" for words, code in legend.items()]
    if layout.memory.any():
        notes.append(f"{MEMORY_LINE} = {' '.join(map(str, layout.memory))}")
    return "\n".join([*rows, *notes])


def read_level(text: str, flags: Sequence[str] = ()) -> Layout:
    """Return the level that `text` draws; blank lines and indentation do not matter.

    Args:
        text: the map, then the legend.
        flags: names of the flags, in the order of their bits.

    Raises:
        LevelError: the text draws no level; the message says where and what was expected.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    rows = [line for line in lines if "=" not in line]
    width, height = len(rows[0]) // 2 if rows else 0, len(rows)
    legend = dict(read_legend(lines, flags))
    layout = Layout(
        np.zeros((width, height, 3), np.uint8),
        np.zeros((width, height), np.uint8),
        np.zeros((width, height), np.uint8),
        np.zeros((sum(1 for _ in find_agents(rows, legend)), 3), np.int32),
        read_memory(lines),
    )
    numbers = sorted(number for number, *_ in find_agents(rows, legend))
    if not numbers or numbers != list(range(len(numbers))):
        raise LevelError(f"a level has agents 0, 1, …, each once; this one has {numbers}")
    for y, row in enumerate(rows):
        if len(row) != 2 * width:
            raise LevelError(
                f"row {y} has {len(row)} characters, not {2 * width} as the first (two a cell)"
            )
        for x in range(width):
            cell = read_cell(row[2 * x : 2 * x + 2], legend, f"cell {x}, {y}")
            layout.grid[x, y], layout.inside[x, y], layout.marks[x, y] = cell[:3]
            for number, way in cell.agents:
                layout.pose[number] = x, y, way
    return layout


def cell_at(layout: Layout, x: int, y: int) -> Cell:
    """Return what cell (x, y) of a layout holds."""
    agents = [(a, int(pose[2])) for a, pose in enumerate(layout.pose) if tuple(pose[:2]) == (x, y)]
    thing, colour, state = map(int, layout.grid[x, y])
    inside, marks = int(layout.inside[x, y]), int(layout.marks[x, y])
    return Cell((thing, colour, state), inside, marks, tuple(agents))


def describe(cell: Cell, flags: Sequence[str]) -> str:
    """Return two characters where they say all, else a line of the legend."""
    agents = [f"{ARROWS[way]}{number}" for number, way in cell.agents]
    words = [code_of(cell.thing)]
    if cell.inside:
        words.append(f"({code_of((cell.inside >> 3, cell.inside & 7, 0))})")
    for bit, flag in enumerate(flags):
        words += [flag] * (cell.marks >> bit & 1)
    if cell.marks >> len(flags):
        raise LevelError(f"a cell bears a flag without a name; named are {list(flags)}")
    if words == [".."] and len(agents) == 1:
        return agents[0]
    return " ".join(words + agents)


def code_of(thing: tuple[int, int, int]) -> str:
    """Return the two characters of an object, colour and state."""
    if thing not in CODES:
        raise LevelError(f"no text stands for object, colour and state {thing}")
    return CODES[thing]


def read_legend(lines: Sequence[str], flags: Sequence[str]) -> Iterator[tuple[str, Cell]]:
    """Yield the code of each line of the legend, and what it stands for."""
    for line in lines:
        if "=" not in line:
            continue
        code, words = (part.strip() for part in line.split("=", 1))
        if code == MEMORY_LINE:
            continue
        if len(code) != 2 or not code.isdigit() or not words:
            raise LevelError(f"a legend reads '01 = Kr nearest', two digits first; found {line!r}")
        yield code, read_words(words.split(), flags, f"legend {code}")


def read_memory(lines: Sequence[str]) -> NDArray[np.int32]:
    """Return what the line about the tick's memory says, zeros where there is none."""
    memory, seen = np.zeros(MEMORY, np.int32), False
    for line in lines:
        code, _, words = (part.strip() for part in line.partition("="))
        if code != MEMORY_LINE:
            continue
        numbers = words.split()
        whole = all(word.removeprefix("-").isdecimal() for word in numbers)
        fits = whole and all(abs(int(word)) < 2**31 for word in numbers)
        if seen or not fits or len(numbers) > MEMORY:
            raise LevelError(
                f"memory is one line of at most {MEMORY} whole numbers below 2³¹; found {words!r}"
            )
        seen = True
        memory[: len(numbers)] = [int(word) for word in numbers]
    return memory


def read_words(words: Sequence[str], flags: Sequence[str], where: str) -> Cell:
    """Return the cell that a line of the legend describes."""
    cell = Cell(read_thing(words[0], where))
    for word in words[1:]:
        if word.startswith("(") and word.endswith(")"):
            thing, colour, _ = read_thing(word[1:-1], where)
            cell = cell._replace(inside=thing * 8 + colour)
        elif agent := read_agent(word):
            cell = cell._replace(agents=(*cell.agents, agent))
        elif word in flags:
            cell = cell._replace(marks=cell.marks | 1 << list(flags).index(word))
        else:
            raise LevelError(f"{where}: " + unknown("flag", word, flags))
    return cell


def read_cell(code: str, legend: dict[str, Cell], where: str) -> Cell:
    """Return what two characters of the map stand for."""
    if code in legend:
        return legend[code]
    if agent := read_agent(code):
        return Cell(CELLS[".."], agents=(agent,))
    if code.isdigit():
        raise LevelError(f"{where}: the legend has no line '{code} = …'")
    return Cell(read_thing(code, where))


def read_thing(code: str, where: str) -> tuple[int, int, int]:
    """Return the object, colour and state of two characters."""
    if code not in CELLS:
        raise LevelError(
            f"{where}: unknown thing {code!r}; write '##', '..', or one of {''.join(LETTERS)} "
            f"and a colour, one of {COLOUR_LETTERS}"
        )
    return CELLS[code]


def read_agent(code: str) -> tuple[int, int] | None:
    """Return an agent's number and direction, or None where `code` is no agent."""
    if len(code) == 2 and code[0] in ARROWS and code[1].isdigit():
        return int(code[1]), ARROWS.index(code[0])
    return None


def find_agents(rows: Sequence[str], legend: dict[str, Cell]) -> Iterator[tuple[int, int]]:
    """Yield number and direction of each agent on the map."""
    for row in rows:
        for at in range(0, len(row), 2):
            code = row[at : at + 2]
            if agent := read_agent(code):
                yield agent
            elif code in legend:
                yield from legend[code].agents
