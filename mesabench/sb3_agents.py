"""Stable-Baselines3 with several agents: a native batch in which each agent of each world is a row.

A network that is trained on it plays every agent, each from what that agent sees and with a
recurrent state of its own: independent learners that share their weights.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.vec_env.base_vec_env import VecEnvObs, VecEnvStepReturn

from mesabench.errors import MesaBenchError
from mesabench.observation import Observation, observe_batch, observe_last
from mesabench.sb3 import MesaVecEnv, NamedRows, sb3_observation


class EveryAgentVecEnv(MesaVecEnv):
    """B worlds of A agents as a `VecEnv` of B · A rows; row A · b + a is agent a of world b.

    All rows of a world end together. Each is paid what the objective pays for its own agent's
    events. An agent that is absent has a row, too: it sees walls, and what it does has no effect.

    Args:
        task: id of the task.
        num_envs: number of worlds B.
        options: as for `MesaVecEnv`.
    """

    def __init__(self, task: str, num_envs: int, *arguments: Any, **options: Any):
        super().__init__(task, num_envs, *arguments, **options)
        self.worlds, self.each = num_envs, self.task.agents
        self.num_envs = self.worlds * self.each
        self._seeds = [None] * self.num_envs
        self._options = [{}] * self.num_envs
        self.reset_infos = [{}] * self.num_envs
        self._events = NamedRows(self.task.events, self._row_events())

    def reset(self) -> VecEnvObs:
        """Begin a new level in each world; a seed of the batch is one of its worlds."""
        seeds = [s for s in self._seeds[:: self.each] if s is not None]
        self.engine.reset(seed=seeds if len(seeds) == self.worlds else None)
        self._name_levels(np.ones(self.worlds, np.bool_))
        self.reset_infos = self._infos(np.ones(self.num_envs, np.bool_))
        self._reset_seeds()
        return self._rows(observe_batch)

    def step_wait(self) -> VecEnvStepReturn:
        """Let all agents act at once.

        Raises:
            MesaBenchError: there is not one action for each row, or one is out of range.
        """
        actions, count = np.asarray(self._chosen), self.task.actions
        if actions.shape != (self.num_envs,) or ((actions < 0) | (actions >= count)).any():
            raise MesaBenchError(
                f"actions are {self.num_envs} numbers in 0 to {count - 1}, not {actions}"
            )
        self.engine.step(actions.reshape(self.worlds, self.each))
        reward = self._pay(self.engine.world.events).astype(np.float32)
        over = self.ledger.done
        done = np.repeat(over, self.each)
        infos = self._infos(done)
        if over.any():
            self._end(infos, np.flatnonzero(done))
            self._name_levels(over)
        return self._rows(observe_batch), reward, done, infos

    def _pay(self, events: NDArray) -> NDArray[np.float64]:
        """Return what events [B, A, E] pay each row."""
        paid = self.task.weights(self.ledger.objective)[0]
        return (events[..., : len(paid)] @ paid).reshape(-1)

    def _rows(self, observe: Any) -> Observation:
        """Return what every row sees, given a function of the engine and an agent's number."""
        seen = [sb3_observation(observe(self.engine, a)) for a in range(self.each)]
        return {
            name: np.stack([obs[name] for obs in seen], 1).reshape(self.num_envs, *part.shape[1:])
            for name, part in seen[0].items()
        }

    def _told(self, rows: Sequence[int]) -> list[dict[str, Any]]:
        """Return what is to be told of some rows."""
        return [
            {**self._levels[row // self.each], "agent": row % self.each, "events": counts}
            for row, counts in zip(rows, self._events(self._row_events(), rows), strict=True)
        ]

    def _row_events(self) -> NDArray[np.uint8]:
        """Return how often each event happened to each row in the last step, [B · A, E]."""
        events = self.engine.world.events[..., : len(self.task.events)]
        return events.reshape(self.num_envs, len(self.task.events))

    def _end(self, infos: list[dict[str, Any]], ended: NDArray[np.int64]) -> None:
        """Let the infos of the rows that `ended` speak of the episode that is over."""
        ledger, course = self.ledger, self.engine.course
        final, returns = self._rows(observe_last), self._pay(course.last_counts)
        for row in ended:
            b = row // self.each
            infos[row] |= {
                "terminal_observation": {name: value[row] for name, value in final.items()},
                "TimeLimit.truncated": bool(ledger.truncated[b] and not ledger.terminated[b]),
                "episode": {"r": float(returns[row]), "l": int(course.last_steps[b])},
            }
