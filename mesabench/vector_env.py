"""`gym.make_vec`: a batch of worlds behind Gymnasium's `VectorEnv`."""

from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from mesabench.engine.batch import Engine
from mesabench.errors import LevelError, MesaBenchError, unknown
from mesabench.observation import Observation, observation_spaces, observe_batch, observe_last
from mesabench.registry import get_task


class MesaVectorEnv(VectorEnv):
    """Play `num_envs` levels of one split at once, with same-step autoreset.

    An ended world begins its next level in the same step; what it saw and did at its end is in
    ``info["final_obs"]`` [B] and ``info["final_info"]``, as in Gymnasium's own vectors. The
    mission, a constant, is left out of the observations; ``info["level"]`` is a level's number.

    Args:
        task: id of the task.
        num_envs: number of worlds B.
        split, alpha, num_levels, objective, knobs: as for `MesaEnv`.
        threads: how many threads share a step.
        render_mode: must be None; render a single environment instead.

    Raises:
        TaskError: no such task, split or objective.
        LevelError: no such knob, or levels that cannot be built.
    """

    def __init__(
        self,
        task: str,
        num_envs: int = 1,
        split: str = "train",
        alpha: float = 0.0,
        num_levels: int | None = None,
        objective: str | None = None,
        threads: int = 1,
        render_mode: str | None = None,
        **knobs: Any,
    ):
        if render_mode is not None:
            raise MesaBenchError("a batch is not rendered; use gym.make(..., render_mode=...)")
        self.task = get_task(task)
        self.engine = Engine(
            self.task,
            split,
            batch=num_envs,
            alpha=alpha,
            num_levels=num_levels,
            threads=threads,
            knobs=knobs,
        )
        self.num_envs = num_envs
        self.metadata = {"autoreset_mode": AutoresetMode.SAME_STEP, "render_modes": []}
        self.single_observation_space = spaces.Dict(observation_spaces(self.task))
        self.single_action_space = spaces.Discrete(self.task.actions)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._ledger = Ledger(self.engine, objective)
        self._started = False

    def reset(
        self,
        *,
        seed: int | list[int] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin a level in each world.

        Args:
            seed: one for the batch, or one a world.
            options: ``level`` (int or [B]) plays chosen levels; ``reset_mask`` [B] leaves the
                other worlds as they are.

        Raises:
            LevelError: an unknown option, or a level number that the split does not have.
        """
        options = options or {}
        for name in options:
            if name not in ("level", "reset_mask"):
                raise LevelError(unknown("reset option", name, ["level", "reset_mask"]))
        if isinstance(seed, int) or (seed is None and not self._started):
            self._np_random_seed = seed
            self._np_random = np.random.default_rng(seed)
            seed = int(self._np_random.integers(2**62)) if seed is None else seed
        self._started = True
        mask = options.get("reset_mask")
        self.engine.reset(seed=seed, levels=options.get("level"), worlds=mask)
        self._ledger.clear(np.ones(self.num_envs, bool) if mask is None else mask)
        return observe_batch(self.engine), self._ledger.info()

    def step(
        self, actions: NDArray[np.integer]
    ) -> tuple[Observation, NDArray, NDArray, NDArray, dict[str, Any]]:
        """Play one action in each world; the reward [B] is the base objective's."""
        reward = self._ledger.play(actions)
        terminated, truncated = self._ledger.terminated.copy(), self._ledger.truncated.copy()
        info, done = self._ledger.info(), self._ledger.done
        if done.any():
            info |= {
                "final_obs": split_batch(observe_last(self.engine), done),
                "_final_obs": done,
                "final_info": self._ledger.last(),
                "_final_info": done,
            }
        return observe_batch(self.engine), reward, terminated, truncated, info


class Ledger:
    """Keeps the discounted return of every world under every objective of the task.

    Args:
        engine: the worlds.
        objective: name of the objective that is paid for; the task's base objective where None.

    Attributes:
        returns: float64 [B, objectives] since each world's level began.
        at_end: what `returns` was when the last step ended episodes.
        objective: the objective that is paid for.
        happened: how often each event happened in the last step, uint8 [B, events].
        terminated: whether the last step ended the episode, bool [B].
        truncated: whether it was the horizon's last, bool [B].

    Raises:
        TaskError: no such objective.
    """

    def __init__(self, engine: Engine, objective: str | None = None):
        task = engine.task
        self.engine = engine
        self.objective = task.objective(objective or task.base.name)
        self._column = list(task.objectives).index(self.objective.name)
        self.returns = np.zeros((engine.batch, len(task.objectives)))
        self.at_end = self.returns
        self._weights = task.weights(*task.objectives.values()).T
        steps = np.arange(engine.horizon + 1)[:, None]
        self._decay = task.discounts(*task.objectives.values()) ** steps
        self._everyone = np.ones(engine.batch, np.bool_)
        world = engine.world  # these are views of it: records are slow to read by name
        self.terminated, self.truncated = world.terminated, world.truncated
        self._clock = world.clock
        self.happened = world.events[:, 0, : len(task.events)]

    def clear(self, worlds: NDArray[np.bool_]) -> None:
        """Forget the returns of the worlds in the mask [B]."""
        self.returns[np.asarray(worlds, bool)] = 0.0

    def play(self, actions: NDArray[np.integer]) -> NDArray[np.float64]:
        """Step the engine and return the reward of the objective that is paid for, [B].

        Raises:
            MesaBenchError: there is not one action for each world, or one is out of range.
        """
        actions = np.asarray(actions)
        count, batch = self.engine.task.actions, self.engine.batch
        if actions.shape != (batch,) or actions.min() < 0 or actions.max() >= count:
            raise MesaBenchError(f"actions are {batch} numbers in 0 to {count - 1}, not {actions}")
        clock = self._clock.copy()
        self.engine.step(actions)
        events = self.happened
        reward = np.zeros(batch)
        if events.any():
            paid = events @ self._weights
            self.returns += self._decay[clock] * paid
            reward = paid[:, self._column].copy()
        done = self.done
        if done.any():
            self.at_end = self.returns.copy()
            self.returns[done] = 0.0
        return reward

    @property
    def done(self) -> NDArray[np.bool_]:
        """Which episodes the last step ended, in either way, [B]."""
        return np.logical_or(self.terminated, self.truncated)

    def info(self) -> dict[str, Any]:
        """Return each world's level and its hash, and the events and returns by name, [B] each.

        Events are the last step's, as the reward is, also where a new level has begun since.
        """
        course = self.engine.course
        return self._report(course.index, course.layout, self.returns, self._everyone)

    def last(self) -> dict[str, Any]:
        """Return the same of the episodes that ended in the last step, and their lengths."""
        course, done = self.engine.course, self.done
        found = self._report(course.last_index, course.last_layout, self.at_end, done)
        return found | mark("length", course.last_steps, done)

    def _report(
        self, index: NDArray, layout: NDArray, gained: NDArray, mask: NDArray[np.bool_]
    ) -> dict[str, Any]:
        task = self.engine.task
        columns = zip(task.events, self.happened.T, strict=True)
        events = [mark(name, count.astype(np.int64), mask) for name, count in columns]
        columns = zip(task.objectives, gained.T, strict=True)
        returns = [mark(name, value, mask) for name, value in columns]
        return {
            **mark("level", index, mask),
            **mark("layout", layout, mask),
            "events": {name: value for pair in events for name, value in pair.items()},
            "_events": mask,
            "returns": {name: value for pair in returns for name, value in pair.items()},
            "_returns": mask,
        }


def mark(name: str, values: NDArray, mask: NDArray[np.bool_]) -> dict[str, NDArray]:
    """Return values [B] under a name, and which of them mean something, as Gymnasium does."""
    return {name: values.copy(), f"_{name}": mask}


def split_batch(obs: Observation, worlds: NDArray[np.bool_]) -> NDArray[np.object_]:
    """Return one observation for each world in the mask, None for the others, [B]."""
    found = np.full(len(worlds), None, dtype=object)
    for b in np.flatnonzero(worlds):
        found[b] = {name: value[b] for name, value in obs.items()}
    return found
