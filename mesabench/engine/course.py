"""`Course`: which levels each world of a batch plays, and how its last episode ended."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mesabench.engine.rng import stream_key
from mesabench.engine.world import World
from mesabench.errors import LevelError
from mesabench.task import BLOCK, Split, Task

MAX_LEVELS = BLOCK - 1  # levels of a split: the generator draws below 2³²
PARTS = 8  # into which layouts are shared out
TRAIN, HELDOUT, BEYOND = (0, 6), (6, 7), (7, 8)  # test and control splits lie beyond training
EVERY = (0, PARTS)
PARTS_OF = {"train": TRAIN, "heldout": HELDOUT}
PER_MILLION = 1_000_000

Course: TypeAlias = Any  # np.recarray [B] of `course_type`


def course_type(*, agents: int, items: int, events: int, gauges: int) -> np.dtype:
    """Return the record of which levels one world plays, and how its last episode ended."""
    counts = (agents, events)
    return np.dtype(
        [
            ("key", np.uint64),  # random key of the task and split
            ("span", np.int64),  # levels are drawn from [0, span)
            ("share", np.int64),  # test-like levels among the split's, in a million
            ("auto", np.bool_),  # same-step autoreset
            ("blind", np.bool_),  # nobody looks: views are not drawn
            ("ended", np.bool_),  # waits for a restart (only without `auto`)
            ("variant", np.uint8),  # 1 where the level is a test-like one
            ("horizons", np.int32, 2),  # of a plain and of a test-like level
            ("stream", np.uint64),  # random key of the world's sequence of levels
            ("episode", np.int64),  # levels drawn so far
            ("index", np.int64),  # level being played
            ("parts", np.int64, 2),  # layouts of the split: hash modulo PARTS from .. up to ..
            ("drafts", np.int32),  # of the level, so far
            ("heir", np.bool_),  # an episode came before, and the level was drawn, not chosen
            ("past", np.int32, counts),  # events of the episode before, whole or broken off
            ("layout", np.uint64),  # hash of its walls and things
            ("counts", np.int32, counts),  # events since it began
            ("last_index", np.int64),  # the same of the episode that ended last ...
            ("last_layout", np.uint64),
            ("last_steps", np.int32),
            ("last_counts", np.int32, counts),
            ("last_pose", np.int32, (agents, 3)),
            ("last_inventory", np.int32, (agents, items)),
            ("last_gauges", np.int32, (agents, gauges)),
        ],
        align=True,
    )


def allocate_courses(
    task: Task,
    split: Split,
    world: World,
    *,
    alpha: float = 0.0,
    num_levels: int | None = None,
    autoreset: bool = True,
) -> Course:
    """Return the courses [B] of a batch of worlds that play a split; no level is drawn yet.

    Args:
        task: the task.
        split: the split as the task declares it.
        world: the worlds.
        alpha: share of test-like levels that are mixed into the split, in [0, 1].
        num_levels: how many levels of the split may be drawn; all of them where None.
        autoreset: whether an ended world begins its next level in the same step.

    Raises:
        LevelError: the share or the number is out of range.
    """
    if not 0 <= alpha <= 1:
        raise LevelError(f"alpha is a share of levels, in [0, 1], not {alpha}")
    if num_levels is not None and not 1 <= num_levels <= MAX_LEVELS:
        raise LevelError(f"num_levels is a number from 1 to {MAX_LEVELS}, not {num_levels}")
    items, events, gauges = (world[n].shape[2] for n in ("inventory", "events", "gauges"))
    record = course_type(agents=task.agents, items=items, events=events, gauges=gauges)
    course: Course = np.zeros(len(world), record).view(np.recarray)
    course.key[:] = stream_key(task.id, split.block)
    course.span[:] = num_levels or MAX_LEVELS
    course.share[:] = round(alpha * PER_MILLION)
    course.auto[:] = autoreset
    course.parts[:] = PARTS_OF.get(split.role, BEYOND) if task.disjoint else EVERY
    return course


def seed_streams(course: Course, seed: int | Sequence[int], due: NDArray[np.bool_]) -> None:
    """Start afresh the sequences of levels of the worlds in the mask `due` [B].

    Args:
        course: the courses [B].
        seed: one seed for the batch, or one a world.
        due: which worlds.

    Raises:
        LevelError: there are neither one nor B seeds.
    """
    batch = len(course)
    if isinstance(seed, int | np.integer):
        seeds = [stream_key(int(seed), b) for b in range(batch)]
    elif len(seed) == batch:
        seeds = [stream_key(int(s), 0) for s in seed]
    else:
        raise LevelError(f"seeds: one or {batch}, not {len(seed)}")
    course.stream[due] = np.array(seeds, np.uint64)[due]
    course.episode[due] = 0
