"""Stable-Baselines3: a single environment that it accepts, and a native batch.

Both give the same observations: MiniGrid's dict without the mission, the image as one row of 147
codes. Stable-Baselines3 takes every three-dimensional box for a picture of at least 36 × 36
pixels; as a row, its own check passes without a warning.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecEnv
from stable_baselines3.common.vec_env.base_vec_env import VecEnvIndices, VecEnvObs, VecEnvStepReturn

from mesabench.engine.batch import Engine
from mesabench.engine.rng import stream_key
from mesabench.errors import MesaBenchError
from mesabench.observation import Observation, observation_spaces, observe_batch, observe_last
from mesabench.registry import NAMESPACE, get_task
from mesabench.task import Task
from mesabench.vector_env import Ledger


def sb3_spaces(task: Task) -> spaces.Dict:
    """Return the observation space that Stable-Baselines3 gets."""
    found = observation_spaces(task)
    codes = found["image"]
    assert isinstance(codes, spaces.Box)
    low, high = int(codes.low.min()), int(codes.high.max())
    size = int(np.prod(codes.shape))
    return spaces.Dict(found | {"image": spaces.Box(low, high, (size,), np.uint8)})


def sb3_observation(obs: Observation) -> Observation:
    """Turn a batched observation [B, 7, 7, 3] into Stable-Baselines3's [B, 147]."""
    image = obs["image"]
    kept = {name: value for name, value in obs.items() if name != "mission"}
    return kept | {"image": image.reshape(len(image), -1)}


class Sb3Observation(gym.ObservationWrapper):
    """Drops the mission and lays the image out as one row."""

    def __init__(self, env: gym.Env, task: Task):
        super().__init__(env)
        self.observation_space = sb3_spaces(task)

    def observation(self, observation: dict[str, Any]) -> dict[str, Any]:
        """Return the observation that Stable-Baselines3 gets."""
        kept = {name: value for name, value in observation.items() if name != "mission"}
        return kept | {"image": observation["image"].ravel()}


def sb3_env(task: str, **options: Any) -> gym.Env:
    """Make a single environment for Stable-Baselines3; options as for `gym.make`."""
    found = get_task(task)
    return Sb3Observation(gym.make(f"{NAMESPACE}/{found.id}", **options), found)


def sb3_vec_env(
    task: str, num_envs: int = 64, *, everyone: bool = False, **options: Any
) -> "MesaVecEnv":
    """Make a native batch of `num_envs` worlds for Stable-Baselines3; options as `gym.make_vec`.

    With `everyone`, each agent of each world is a row of the batch (see `sb3_agents`), so that
    one network plays them all; otherwise the task's script plays all but the first. With `terse`,
    infos are empty but at episodes' ends, which is faster.

    Raises:
        TaskError: no such task, split or objective.
        LevelError: no such knob, or levels that cannot be built.
    """
    if everyone:
        from mesabench.sb3_agents import EveryAgentVecEnv

        return EveryAgentVecEnv(task, num_envs, **options)
    return MesaVecEnv(task, num_envs, **options)


class MesaVecEnv(VecEnv):
    """A batch of worlds as a `VecEnv`.

    At an episode's end the info carries ``terminal_observation``, ``TimeLimit.truncated`` and
    ``episode`` (return ``r``, length ``l``), as Stable-Baselines3's own monitors give them.
    With `terse`, infos are empty until then: to name what happened takes longer than to play it.
    """

    def __init__(
        self,
        task: str,
        num_envs: int,
        split: str = "train",
        *,
        alpha: float = 0.0,
        num_levels: int | None = None,
        objective: str | None = None,
        seed: int = 0,
        threads: int = 1,
        terse: bool = False,
        **knobs: Any,
    ):
        found = get_task(task)
        self.terse = terse
        self.engine = Engine(
            found,
            split,
            batch=num_envs,
            seed=seed,
            alpha=alpha,
            num_levels=num_levels,
            threads=threads,
            knobs=knobs,
        )
        self.ledger = Ledger(self.engine, objective)
        self._levels: list[dict[str, str]] = [{}] * num_envs
        self._events = NamedRows(found.events, self.ledger.happened)
        self._returns = NamedRows(found.objectives, self.ledger.returns)
        self.task = found
        self.render_mode = None
        super().__init__(num_envs, sb3_spaces(found), spaces.Discrete(found.actions))

    def reset(self) -> VecEnvObs:
        """Begin a new level in each world."""
        seeds = [s for s in self._seeds if s is not None]
        self.engine.reset(seed=seeds if len(seeds) == self.num_envs else None)
        everyone = np.ones(self.num_envs, np.bool_)
        self.ledger.clear(everyone)
        self._name_levels(everyone)
        self.reset_infos = self._infos(everyone)
        self._reset_seeds()
        return sb3_observation(observe_batch(self.engine))

    def step_async(self, actions: np.ndarray) -> None:
        """Keep the actions for `step_wait`."""
        self._chosen = actions

    def step_wait(self) -> VecEnvStepReturn:
        """Play one action in each world."""
        reward = self.ledger.play(self._chosen).astype(np.float32)
        done = self.ledger.done
        infos = self._infos(done)
        if done.any():
            self._finish(infos, np.flatnonzero(done))
            self._name_levels(done)
        return sb3_observation(observe_batch(self.engine)), reward, done, infos

    def _name_levels(self, worlds: np.ndarray) -> None:
        for b in np.flatnonzero(worlds):
            layout = f"{int(self.engine.course.layout[b]):016x}"
            self._levels[b] = {"level": self.engine.level_name(int(b)), "layout": layout}

    def _infos(self, done: NDArray[np.bool_]) -> list[dict[str, Any]]:
        """Return an info for each row; if they are terse, of those that are `done` alone."""
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        told = np.flatnonzero(done).tolist() if self.terse else range(self.num_envs)
        for row, info in zip(told, self._told(told), strict=True):
            infos[row] = info
        return infos

    def _told(self, rows: Sequence[int]) -> list[dict[str, Any]]:
        """Return what is to be told of some rows."""
        events = self._events(self.ledger.happened, rows)
        returns = self._returns(self.ledger.returns, rows)
        return [
            {**self._levels[b], "events": happened, "returns": so_far}
            for b, happened, so_far in zip(rows, events, returns, strict=True)
        ]

    def _finish(self, infos: list[dict[str, Any]], ended: np.ndarray) -> None:
        """Let the infos of the worlds that `ended` speak of the episode that is over."""
        ledger, course = self.ledger, self.engine.course
        final = sb3_observation(observe_last(self.engine))
        counts = course.last_counts[:, 0, : len(self.task.events)]
        paid = self.task.weights(self.ledger.objective)[0]
        for b in ended:
            infos[b] |= {
                "returns": dict(zip(self.task.objectives, ledger.at_end[b].tolist(), strict=True)),
                "terminal_observation": {name: value[b] for name, value in final.items()},
                "TimeLimit.truncated": bool(ledger.truncated[b] and not ledger.terminated[b]),
                "episode": {"r": float(counts[b] @ paid), "l": int(course.last_steps[b])},
            }

    def get_state(self) -> dict[str, Any]:
        """Return what `set_state` needs to go on from here: arrays by name."""
        return {"worlds": self.engine.snapshot(), "returns": self.ledger.returns.copy()}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on from where a batch of the same settings was when it gave its state.

        Raises:
            LevelError: it was another batch.
        """
        self.engine.restore(state["worlds"])
        self.ledger.returns[:] = state["returns"]
        self._name_levels(np.ones(len(self._levels), np.bool_))

    def close(self) -> None:
        """Release nothing: the batch holds no files or processes."""

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        """Return an attribute of the batch, once for every world asked for."""
        return [getattr(self, attr_name)] * len(list(self._get_indices(indices)))

    def set_attr(self, attr_name: str, value: Any, indices: VecEnvIndices = None) -> None:
        """Refuse: worlds of a batch have no attributes of their own."""
        raise MesaBenchError(f"cannot set {attr_name!r}: worlds of a batch share their attributes")

    def env_method(
        self, method_name: str, *args: Any, indices: VecEnvIndices = None, **kwargs: Any
    ) -> list[Any]:
        """Refuse: worlds of a batch have no methods of their own."""
        raise MesaBenchError(f"cannot call {method_name!r}: worlds of a batch are no objects")

    def env_is_wrapped(
        self, wrapper_class: type[gym.Wrapper], indices: VecEnvIndices = None
    ) -> list[bool]:
        """Return False for every world asked for."""
        return [False] * len(list(self._get_indices(indices)))

    def seed(self, seed: int | None = None) -> Sequence[int | None]:
        """Set the seeds of the next reset, one for each row of the batch.

        Stable-Baselines3's own count up from `seed`: batches of neighbouring seeds would play the
        same levels but for one row's. These are hashes of the seed and the row.
        """
        first, *_ = super().seed(seed)  # one that is drawn where none is given
        self._seeds = [stream_key(int(first or 0), row) for row in range(self.num_envs)]
        return self._seeds


class NamedRows:
    """Rows of numbers as a dict by name each, of which only those that changed are made anew.

    Args:
        names: of the columns.
        values: at the start, [rows, names].
    """

    def __init__(self, names: Iterable[str], values: np.ndarray):
        self._names, self._known = tuple(names), values.copy()
        self._dicts = [dict(zip(self._names, row, strict=True)) for row in values.tolist()]

    def __call__(self, values: np.ndarray, rows: Sequence[int]) -> list[dict[str, Any]]:
        """Return some rows of `values`, [rows, names], as dicts that nobody else holds."""
        if not rows:
            return []
        for row in np.flatnonzero((values != self._known).any(1)):
            self._dicts[row] = dict(zip(self._names, values[row].tolist(), strict=True))
            self._known[row] = values[row]
        return [self._dicts[row].copy() for row in rows]
