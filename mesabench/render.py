"""Pictures of a task: what its splits look like and how it is meant to be played."""

import io
import os
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from mesabench.agents.planned import PlannedAgent
from mesabench.engine.batch import Engine
from mesabench.errors import PlannerError
from mesabench.pictures import Picture, contact_sheet, episode_frames, level_picture, png
from mesabench.registry import get_task
from mesabench.rollout import rollout
from mesabench.task import Task

COLUMNS = 3
PLAYED = 3  # levels in a film
FRAME = 140  # milliseconds
REST = 6  # frames for which a film holds its last picture


def render_splits(
    task: str | Task,
    folder: str | Path,
    *,
    levels: int = 6,
    controls: bool = False,
    tile_size: int = 32,
    knobs: Mapping[str, Any] | None = None,
) -> list[Path]:
    """Write what train and test look like, and how a planned agent plays them for the base.

    ``train.png`` and ``test.png`` are contact sheets, ``train.gif`` and ``test.gif`` films of an
    agent that is planned for the base objective; there are no films of a task that cannot be
    planned.

    Args:
        task: a task or its id.
        folder: where the files go; it is made where there is none.
        levels: how many levels a sheet shows.
        controls: whether control splits get a sheet, too.
        tile_size: pixels along a cell's side.
        knobs: level knobs to change, on all splits.

    Returns:
        The paths of the files.

    Raises:
        TaskError, LevelError: no such task or knob.
    """
    task = get_task(task) if isinstance(task, str) else task
    shown = ["train", "test"]
    shown += [name for name, split in task.splits.items() if controls and split.role == "control"]
    folder, knobs, paths = Path(folder), knobs or {}, []
    for split in shown:
        sheet = contact_sheet(split_pictures(task, split, levels, tile_size, knobs), COLUMNS)
        paths.append(write_whole(folder / f"{split}.png", png(sheet)))
    for split in shown[:2]:
        try:
            film = planned_film(task, split, min(levels, PLAYED), tile_size, knobs)
        except PlannerError:
            return paths
        paths.append(write_whole(folder / f"{split}.gif", gif(film)))
    return paths


def split_pictures(
    task: Task, split: str, levels: int, tile_size: int, knobs: Mapping[str, Any]
) -> list[Picture]:
    """Draw the first levels of a split."""
    engine = Engine(task, split, batch=levels, seed=None, autoreset=False, knobs=dict(knobs))
    engine.reset(levels=range(levels))
    worlds = zip(engine.world.grid, engine.world.pose, strict=True)
    return [level_picture(grid, poses, tile_size) for grid, poses in worlds]


def planned_film(
    task: Task, split: str, levels: int, tile_size: int, knobs: Mapping[str, Any]
) -> list[Picture]:
    """Film an agent that is planned for the base objective on the first levels of a split."""
    agent = PlannedAgent(task, {task.base.name: 1.0})
    played = rollout(agent, task, split, levels, **knobs)
    film: list[Picture] = []
    for b in range(levels):
        film += episode_frames(played, b, tile_size)
        film += film[-1:] * REST
    return film


def gif(frames: Iterable[Picture]) -> bytes:
    """Return a film as a GIF that repeats for ever."""
    images = [Image.fromarray(frame).quantize(64) for frame in frames]
    file = io.BytesIO()
    rest = {"save_all": True, "append_images": images[1:], "duration": FRAME, "loop": 0}
    images[0].save(file, "GIF", **rest)
    return file.getvalue()


def write_whole(path: Path, content: bytes) -> Path:
    """Write a file whole or not at all; return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=path.name, delete=False) as file:
        file.write(content)
    os.chmod(file.name, 0o644)
    os.replace(file.name, path)
    return path
