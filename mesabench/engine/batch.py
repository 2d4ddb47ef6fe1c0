"""`Engine`: a batch of worlds that play one split of a task."""

import hashlib
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, cast

import numpy as np
from numba import config
from numpy.typing import ArrayLike, DTypeLike, NDArray

from mesabench.engine.allocation import allocate_worlds, check_sizes
from mesabench.engine.ascii import Layout, read_level, write_level
from mesabench.engine.codes import SCRIPTED
from mesabench.engine.course import MAX_LEVELS, Course, allocate_courses, seed_streams
from mesabench.engine.custom import CUSTOM, check_fits, put_custom
from mesabench.engine.episode import RESTART, draw_levels, look, look_at
from mesabench.engine.shards import Shards
from mesabench.engine.world import World
from mesabench.errors import LevelError, TaskError
from mesabench.task import Split, Task

Partners = Callable[["Engine", int], NDArray[np.integer]]  # see `Engine`


class Engine:
    """Play B levels of one split of a task at once.

    Arrays of `world` and `course` are updated in place by `reset` and `step`; copy what is kept.

    Args:
        task: the task.
        split: name of the split.
        batch: number of worlds B.
        seed: of the sequence in which levels are drawn; None begins no level yet.
        alpha: share of test-like levels that are mixed into the split, in [0, 1].
        num_levels: how many levels of the split may be drawn; all of them where None.
        autoreset: whether an ended world begins its next level in the same step.
        threads: how many threads share a step.
        knobs: level knobs to change.
        partners: plays all agents but the first where nobody else does; the task's script where
            None. Given an engine and a number n, it returns the actions [n, A − 1] in the first n
            worlds. Planners hold for it if those follow from the worlds' state alone.
        blind: draw no views, which take most of a step: for planners.

    Raises:
        TaskError: no such split, or others in a task of one agent.
        LevelError: no such knob, or a level that cannot be built.
    """

    def __init__(
        self,
        task: Task,
        split: str = "train",
        *,
        batch: int = 1,
        seed: int | None = 0,
        alpha: float = 0.0,
        num_levels: int | None = None,
        autoreset: bool = True,
        threads: int = 1,
        knobs: dict[str, Any] | None = None,
        partners: Partners | None = None,
        blind: bool = False,
    ):
        self.task, self.split, self.batch, self.partners = task, split, batch, partners
        if partners is not None and task.agents == 1:
            raise TaskError(f"{task.id} has one agent, and no others to be played")
        self.declared: Split = task.split(split)
        self.given_knobs = knobs = knobs or {}
        self.level = task.level(split, **knobs)
        self.knobs = (self.level, task.level("test", **knobs))
        palette = getattr(self.level, "palette", 0)
        self.rules = task.rule_table(palette=palette, exhaustible=self.declared.exhaustible)
        check_sizes(task, *(k.size for k in self.knobs), mixes=bool(alpha))
        self.world: World = allocate_worlds(task, batch, self.level.size)
        self._unbuilt = self.world.unbuilt
        self.course = allocate_courses(
            task,
            self.declared,
            self.world,
            alpha=alpha,
            num_levels=num_levels,
            autoreset=autoreset,
        )
        self.course.horizons[:] = [getattr(k, "horizon", task.horizon) for k in self.knobs]
        self.course.blind[:] = blind
        self._given = for_kernels(self.world, self.course)
        self.num_levels = num_levels or MAX_LEVELS
        self._actions = np.zeros((batch, task.agents), np.int64)
        self._shards = Shards(batch, threads)
        if seed is not None:
            self.reset(seed=seed)

    def reset(
        self,
        *,
        seed: int | Sequence[int] | None = None,
        levels: ArrayLike | None = None,
        worlds: NDArray[np.bool_] | None = None,
    ) -> None:
        """Begin a new level in each world (or in those of the mask `worlds` [B]).

        Args:
            seed: starts the sequences of levels afresh: one seed for the batch, or one a world.
            levels: [B] level numbers to play; drawn from the sequences where None.
            worlds: which worlds begin; the others are left as they are.

        Raises:
            LevelError: a level number is out of range, a level cannot be built, or there are
                neither one nor B seeds, levels or worlds.
        """
        due = self._for_each("mask of worlds", True if worlds is None else worlds, np.bool_)
        if seed is not None:
            seed_streams(self.course, seed, due)
        if levels is None:
            draw_levels(self._given[1], due)
        else:
            self._choose(self._for_each("levels", levels, np.int64), due)
        kept = np.flatnonzero(~due)
        self._actions[:] = RESTART
        if len(kept) == 0:
            self._advance()
        for b in np.flatnonzero(due) if len(kept) else ():
            self._advance((int(b), int(b) + 1))
        self._forget_step(due)
        self._check_built()

    def load(self, b: int, text: str) -> None:
        """Begin in world `b` the level that `text` draws (see `mesabench.engine.ascii`).

        A level smaller than the world has walls on its right and below. When it ends and worlds
        reset themselves, the world goes on with its own sequence of levels.

        Raises:
            LevelError: the text draws no level, or one that does not fit the world.
        """
        layout = read_level(text, self.task.flags)
        check_fits(layout, self.task, self.world)
        put_custom(self.world, self.course, b, layout)
        look(self.world, self.course, b, self.rules)
        self._forget_step(b)

    def draw(self, b: int = 0) -> str:
        """Return world `b` as it is now as the text that `load` reads."""
        world = self.world
        parts = (world[name][b] for name in Layout._fields)
        layout = Layout(*parts)
        return write_level(layout, self.task.flags)

    def step(self, actions: ArrayLike) -> None:
        """Play one action in every world.

        Args:
            actions: int [B] (or [B, n], of the first n agents) in [0, task.actions); not checked
                here. The agents that are left are played by `partners`, or the task's script.

        Raises:
            LevelError: the next level of a world cannot be built.
        """
        given = np.asarray(actions).reshape(self.batch, -1)
        self._let_others_act(self.batch, given.shape[1])
        self._actions[:, : given.shape[1]] = given
        self._advance()
        if self._unbuilt.any():
            self._check_built()

    def snapshot(self) -> NDArray[np.uint8]:
        """Return, as bytes that `restore` reads, the worlds and their sequences of levels."""
        return np.concatenate([self._kind, raw(self.world), raw(self.course)])

    def restore(self, snapshot: NDArray[np.uint8]) -> None:
        """Let the worlds go on from where they were when `snapshot` was taken.

        Raises:
            LevelError: it was taken of other worlds.
        """
        kind, world, course = self._kind, raw(self.world), raw(self.course)
        begins = np.cumsum([len(kind), len(world)])
        known, *kept = np.split(snapshot, begins)
        if not np.array_equal(known, kind) or len(kept[1]) != len(course):
            raise LevelError(
                f"that is no snapshot of {self.batch} worlds of {self.task.id}/{self.split}"
            )
        world[:], course[:] = kept

    @cached_property
    def _kind(self) -> NDArray[np.uint8]:
        """Return a digest of whose snapshot it is: what the fields of worlds are may change."""
        of = self.task.id, self.split, self.batch, self.world.dtype.descr, self.course.dtype.descr
        return np.frombuffer(hashlib.sha256(repr(of).encode()).digest(), np.uint8)

    def step_some(self, actions: Sequence[int], worlds: int) -> None:
        """Play the same actions [n], of the first n agents, in the first so many worlds only."""
        self._let_others_act(worlds, len(actions))
        self._actions[:worlds, : len(actions)] = actions
        self._advance((0, worlds))

    def look_again(self, worlds: int) -> None:
        """Draw what the agents of the first so many worlds see, where those have been changed."""
        look_at(self._given[0], self.rules, worlds)

    def _let_others_act(self, worlds: int, first: int) -> None:
        """Choose for the agents from number `first` on, in the first so many worlds."""
        if first < self.task.agents:
            chosen = (
                SCRIPTED if self.partners is None else self.partners(self, worlds)[:, first - 1 :]
            )
            self._actions[:worlds, first:] = chosen

    def _advance(self, only: tuple[int, int] | None = None) -> None:
        arguments = (*self._given, self._actions, self.rules, self.knobs)
        if only is None:
            self._shards.run(self.task.advance, arguments)
        else:
            self.task.advance(*arguments, *only)

    def _for_each(self, name: str, values: ArrayLike, dtype: DTypeLike) -> NDArray[Any]:
        """Return `values` as an array [B]."""
        found = np.asarray(values, dtype)
        if found.shape not in ((), (self.batch,)):
            raise LevelError(f"{name}: one value or {self.batch}, not shape {found.shape}")
        return np.broadcast_to(found, (self.batch,))

    def _choose(self, levels: NDArray[np.int64], due: NDArray[np.bool_]) -> None:
        wrong = due & ((levels < 0) | (levels >= self.num_levels))
        if wrong.any():
            raise LevelError(
                f"{self.task.id}/{self.split} has levels 0 to {self.num_levels - 1}, "
                f"not {int(levels[wrong][0])}"
            )
        self.course.index[due] = levels[due]
        self.course.heir[due] = False

    def _forget_step(self, worlds: int | NDArray[np.bool_]) -> None:
        self.world.events[worlds] = 0
        self.world.terminated[worlds] = False
        self.world.truncated[worlds] = False

    def _check_built(self) -> None:
        if self._unbuilt.any():
            b = int(np.flatnonzero(self._unbuilt)[0])
            raise LevelError(
                f"{self.task.id}/{self.split} level {self.course.index[b]} cannot be built: "
                f"no room for all things of {self.level}; choose a larger size or fewer things"
            )

    @property
    def horizon(self) -> int:
        """Steps after which an episode of the split is truncated, of the longest kind."""
        return int(self.course.horizons.max())

    def level_name(self, b: int, *, last: bool = False) -> str:
        """Return the id of the level in world `b` (or of the one that ended last there)."""
        index = (self.course.last_index if last else self.course.index)[b]
        name = "custom" if index == CUSTOM else index
        return f"{self.task.id}/{self.split}/{name}"


def for_kernels(world: World, course: Course) -> tuple[Any, Any]:
    """Return worlds and courses as kernels take them fastest."""
    compiler = cast(Any, config)
    # Numba takes a plain array faster; without it, kernels need fields to be attributes.
    return (world, course) if compiler.DISABLE_JIT else (np.asarray(world), np.asarray(course))


def raw(records: World | Course) -> NDArray[np.uint8]:
    """Return the bytes of an array of records, in place."""
    return np.asarray(records).view(np.uint8)
