"""Pictures of levels and of what an agent did there, in MiniGrid's own drawing.

Pictures are uint8 arrays [height, width, 3]; `png` and `data_uri` turn them into files and pages.
"""

import base64
import io
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from minigrid.core.constants import DIR_TO_VEC
from minigrid.core.grid import Grid
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw, ImageFont

from mesabench.engine.batch import Engine
from mesabench.engine.world import DIR, X, Y
from mesabench.others import put_others
from mesabench.rollout import Rollout
from mesabench.task import Task

Picture = NDArray[np.uint8]
Colour = tuple[int, int, int]
Point = tuple[float, float]

TILE = 32  # pixels along a cell's side
# Okabe and Ito's colours, told apart by the colour-blind: base objective, then the proxies.
COLOURS: tuple[Colour, ...] = ((0, 114, 178), (213, 94, 0), (0, 158, 115), (204, 121, 167))
SHARED: Colour = (90, 98, 110)  # of what serves several objectives
START: Colour = (255, 255, 255)
END: Colour = (255, 72, 160)
CASING: Colour = (12, 12, 16)  # around the path, so that it shows on any thing
SMOOTH = 4  # overlays are drawn this many times larger, then shrunk
LANE = 0.13  # of a cell, to the right of the way: there and back are two lines


@dataclass(frozen=True)
class Milestone:
    """A step in which something happened that a candidate objective pays for."""

    step: int
    cell: tuple[int, int]
    events: tuple[str, ...]


def level_picture(
    grid: NDArray[np.uint8], pose: ArrayLike | None = None, tile_size: int = TILE
) -> Picture:
    """Draw a level.

    Args:
        grid: uint8 [W, H, 3] in MiniGrid's encoding.
        pose: x, y, direction of the agent, or of every agent [A, 3]; none is drawn where None.
        tile_size: pixels along a cell's side.
    """
    poses = np.array([(-1, -1, 0)]) if pose is None else np.atleast_2d(np.asarray(pose))
    x, y, way = (int(i) for i in poses[0])
    return put_others(Grid.decode(grid)[0], poses).render(tile_size, (x, y), way)


def trajectory_picture(rollout: Rollout, b: int, tile_size: int = TILE) -> Picture:
    """Draw episode `b` on its level: a line from white to pink, and what happened, numbered."""
    picture = Image.fromarray(level_picture(rollout.grid[b], rollout.poses[0, b], tile_size))
    scale = tile_size * SMOOTH
    overlay = Image.new("RGBA", (picture.width * SMOOTH, picture.height * SMOOTH))
    pen = ImageDraw.Draw(overlay)
    cells = rollout.poses[: rollout.lengths[b] + 1, b, [X, Y]]
    draw_path(pen, [(x * scale, y * scale) for x, y in keep_right(cells)], scale)
    font = ImageFont.load_default(size=round(0.3 * scale))
    for number, milestone in enumerate(milestones(rollout, b), 1):
        draw_badge(pen, milestone, number, rollout.task, scale, font)
    overlay = overlay.resize(picture.size, Image.Resampling.LANCZOS)
    return np.asarray(Image.alpha_composite(picture.convert("RGBA"), overlay).convert("RGB"))


def milestones(rollout: Rollout, b: int) -> list[Milestone]:
    """Return when, where and what happened in episode `b` that a candidate objective pays for."""
    task = rollout.task
    paid = {event for o in task.candidates for event in o.weights}
    found = []
    for t in range(rollout.lengths[b]):
        names = [e for e, n in zip(task.events, rollout.events[t, b], strict=True) if n]
        names = [e for e in names if e in paid]
        if names:
            found.append(Milestone(t, touched_cell(rollout, b, t), tuple(names)))
    return found


def level_id(rollout: Rollout, b: int) -> str:
    """Return the id under which the level of episode `b` can be played again."""
    return f"{rollout.task.id}/{rollout.split}/{rollout.levels[b]}"


def story(rollout: Rollout, b: int) -> str:
    """Tell which events happened in which order: "key ×2 → chest; ended after 31 steps"."""
    words: list[list[Any]] = []
    for milestone in milestones(rollout, b):
        name = " + ".join(milestone.events)
        if words and words[-1][0] == name:
            words[-1][1] += 1
        else:
            words.append([name, 1])
    told = " → ".join(f"{n} ×{count}" if count > 1 else n for n, count in words)
    end = "ended" if rollout.terminated[b] else "cut off"
    return f"{told or 'no target reached'}; {end} after {rollout.lengths[b]} steps"


def touched_cell(rollout: Rollout, b: int, t: int) -> tuple[int, int]:
    """Return the cell that step `t` entered or, where the agent did not move, ran into."""
    before, after = rollout.poses[t, b], rollout.poses[t + 1, b]
    cell = after[[X, Y]]
    if (before[[X, Y]] == cell).all():
        cell = cell + DIR_TO_VEC[before[DIR]]
    return int(cell[0]), int(cell[1])


def keep_right(cells: NDArray[np.int16]) -> list[Point]:
    """Turn the cells [T, 2] of a walk into a line that keeps right of the cells' centres."""
    centres = cells + 0.5
    moved = np.flatnonzero((np.diff(cells, axis=0) != 0).any(1))
    if len(moved) == 0:
        return [tuple(centres[0])]
    ways = np.diff(cells, axis=0)[moved].astype(float)
    right = LANE * np.stack([-ways[:, 1], ways[:, 0]], 1)
    line = [centres[0] + right[0]]
    for i in range(1, len(moved)):
        here, turning = centres[moved[i]], ways[i - 1] @ ways[i]
        if turning == 0:
            line.append(here + right[i - 1] + right[i])
        elif turning > 0:
            line.append(here + right[i])
        else:
            line += [here + right[i - 1], here + right[i]]
    return [(float(x), float(y)) for x, y in (*line, centres[moved[-1] + 1] + right[-1])]


def draw_path(pen: ImageDraw.ImageDraw, line: list[Point], scale: int) -> None:
    """Draw a line that fades from START to END and ends in a dot."""
    legs = list(itertools.pairwise(line))
    shares = np.linspace(0, 1, max(len(legs), 1))
    inks = [tuple(np.add(START, s * np.subtract(END, START)).astype(int)) for s in shares]
    for width, colours in ((0.13, [CASING] * len(legs)), (0.075, inks)):
        for (start, end), ink in zip(legs, colours, strict=False):
            pen.line([start, end], fill=ink, width=round(width * scale))
            for point in (start, end):
                draw_dot(pen, point, width * scale / 2, ink)
    draw_dot(pen, line[-1], 0.12 * scale, CASING)
    draw_dot(pen, line[-1], 0.09 * scale, END)


def draw_dot(pen: ImageDraw.ImageDraw, centre: Point, radius: float, ink: Colour) -> None:
    """Draw a disc."""
    x, y = centre
    pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=ink)


def draw_badge(
    pen: ImageDraw.ImageDraw,
    milestone: Milestone,
    number: int,
    task: Task,
    scale: int,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
) -> None:
    """Write a milestone's number into its cell's corner, in the colour of what it served."""
    served = [
        COLOURS[min(k, len(COLOURS) - 1)]
        for k, o in enumerate(task.candidates)
        if any(o.weights.get(e, 0.0) > 0 for e in milestone.events)
    ]
    centre = ((milestone.cell[0] + 0.77) * scale, (milestone.cell[1] + 0.23) * scale)
    draw_dot(pen, centre, 0.25 * scale, (255, 255, 255))
    draw_dot(pen, centre, 0.21 * scale, served[0] if len(served) == 1 else SHARED)
    pen.text(centre, str(number), fill=(255, 255, 255), font=font, anchor="mm")


def episode_frames(rollout: Rollout, b: int, tile_size: int = TILE) -> Iterator[Picture]:
    """Play episode `b` again and yield a picture of the start and of the world after each step."""
    engine = Engine(rollout.task, rollout.split, seed=None, autoreset=False, knobs=rollout.knobs)
    engine.reset(levels=rollout.levels[b])
    yield level_picture(engine.world.grid[0], engine.world.pose[0], tile_size)
    for action in rollout.actions[: rollout.lengths[b], b]:
        engine.step(int(action))
        yield level_picture(engine.world.grid[0], engine.world.pose[0], tile_size)


def contact_sheet(images: Sequence[Picture], columns: int, gap: int = 8) -> Picture:
    """Lay out pictures of one size in rows, on a transparent ground, [height, width, 4]."""
    high, wide = images[0].shape[:2]
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    sheet = np.zeros((rows * (high + gap) - gap, columns * (wide + gap) - gap, 4), np.uint8)
    for i, image in enumerate(images):
        y, x = i // columns * (high + gap), i % columns * (wide + gap)
        sheet[y : y + high, x : x + wide, :3] = image[..., :3]
        sheet[y : y + high, x : x + wide, 3] = 255
    return sheet


def png(picture: Picture) -> bytes:
    """Return a picture as a PNG file of 256 colours, which is more than a level has."""
    image, file = Image.fromarray(picture), io.BytesIO()
    image.quantize(256, Image.Quantize.FASTOCTREE).save(file, "PNG", optimize=True)
    return file.getvalue()


def data_uri(picture: Picture) -> str:
    """Return a picture as an address that holds the whole PNG."""
    return "data:image/png;base64," + base64.b64encode(png(picture)).decode("ascii")
