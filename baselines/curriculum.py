"""Worlds whose next level is chosen by what was learnt from the levels before."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.buffers import RolloutBuffer
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import VecEnv
from stable_baselines3.common.vec_env.base_vec_env import VecEnvObs, VecEnvStepReturn

from mesabench.baselines.level_replay import LevelScores
from mesabench.baselines.recurrent_ppo import FlatRecurrentPPO
from mesabench.errors import MesaBenchError
from mesabench.observation import observe_batch
from mesabench.sb3 import MesaVecEnv, sb3_observation


class Curriculum:
    """Chooses levels, old or new, and scores them by the advantages of whole episodes.

    Args:
        scores: the levels that may be replayed.
        worlds: number of worlds B.
        replay: probability that a level is an old one, once there is any.
        positive: count only how much better an episode went than was expected.
        seed: of the choices.

    Attributes:
        steps: for each step since the scores were brought up to date, which episodes ended, bool
            [B], and the levels that the worlds played, int64 [B].
    """

    def __init__(
        self, scores: LevelScores, *, worlds: int, replay: float, positive: bool, seed: int
    ):
        self.scores, self.replay, self.positive = scores, replay, positive
        self.rng = np.random.default_rng(seed)
        self.steps: list[tuple[NDArray[np.bool_], NDArray[np.int64]]] = []
        self._sum, self._length = np.zeros(worlds), np.zeros(worlds)

    def choose(self, count: int, span: int) -> NDArray[np.int64]:
        """Choose the levels of episodes that are about to begin, int64 [count].

        Of a few levels, a new one may be one that was played before.

        Args:
            count: how many.
            span: new levels are drawn from those below it.
        """
        chosen = self.rng.integers(span, size=count)
        old = self.rng.random(count) < self.replay * (len(self.scores.levels) > 0)
        self.scores.episodes += count
        if old.any():
            chosen[old] = self.scores.draw(int(old.sum()), self.rng)
        self.scores.begin(chosen)
        return chosen

    def learn(self, advantages: NDArray[np.float32]) -> None:
        """Score the levels whose episodes ended in the steps noted since the last call.

        An episode that goes on keeps what it has come to so far.

        Args:
            advantages: estimates for the noted steps, float32 [T, B].
        """
        errors = np.maximum(advantages, 0.0) if self.positive else np.abs(advantages)
        levels, scores = [], []
        for error, (done, level) in zip(errors, self.steps, strict=True):
            self._sum, self._length = self._sum + error, self._length + 1
            levels.append(level[done])
            scores.append(self._sum[done] / self._length[done])
            self._sum, self._length = self._sum * ~done, self._length * ~done
        self.steps.clear()
        self.scores.record(np.concatenate(levels), np.concatenate(scores))

    def get_state(self) -> dict[str, Any]:
        """Return what `set_state` needs to go on from here: the state after `learn`."""
        of = self.scores
        return {
            "rng": self.rng.bit_generator.state,
            "sum": self._sum.copy(),
            "length": self._length.copy(),
            "levels": of.levels.copy(),
            "scores": of.scores.copy(),
            "begun": of.begun.copy(),
            "episodes": of.episodes,
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on from where a curriculum of the same settings was when it gave its state."""
        of = self.scores
        self.steps.clear()
        self.rng.bit_generator.state = state["rng"]
        self._sum, self._length = state["sum"], state["length"]
        of.levels, of.scores, of.begun = state["levels"], state["scores"], state["begun"]
        of.episodes = state["episodes"]


class ReplayedLevels(MesaVecEnv):
    """A batch of worlds in which a curriculum chooses every level but the first.

    A level that is chosen begins from nothing: what one episode leaves to the next of the same
    world (`Course.past`) is not handed on.

    Args:
        task: id of the task.
        num_envs: number of worlds.
        curriculum: what chooses.
        options: as for `MesaVecEnv`.

    Raises:
        MesaBenchError: the task is about what one episode leaves to the next.
    """

    def __init__(self, task: str, num_envs: int, *, curriculum: Curriculum, **options: Any):
        super().__init__(task, num_envs, **options)
        if self.task.hands_on:
            raise MesaBenchError(
                f"{self.task.id} is about what one episode leaves to the next, which a level that"
                " is chosen does not get: train on it with another algorithm than 'plr', such as"
                " 'recurrent-ppo'"
            )
        self.curriculum = curriculum
        self.engine.course.auto[:] = False

    def reset(self) -> VecEnvObs:
        """Begin a new level in each world."""
        self.curriculum.steps.clear()
        return super().reset()

    def get_state(self) -> dict[str, Any]:
        """Return what `set_state` needs to go on from here."""
        return super().get_state() | {"curriculum": self.curriculum.get_state()}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on from where a batch of the same settings was when it gave its state."""
        super().set_state(state)
        self.curriculum.set_state(state["curriculum"])

    def step_wait(self) -> VecEnvStepReturn:
        """Finish a step; worlds whose episode is over begin the level that is chosen for them."""
        obs, reward, done, infos = super().step_wait()
        self.curriculum.steps.append((done, self.engine.course.index.copy()))
        if done.any():
            levels = np.zeros(self.num_envs, np.int64)
            levels[done] = self.curriculum.choose(int(done.sum()), self.engine.num_levels)
            self.engine.reset(levels=levels, worlds=done)
            self._name_levels(done)
            obs = sb3_observation(observe_batch(self.engine))
        return obs, reward, done, infos


class ScoringPPO(FlatRecurrentPPO):
    """RecurrentPPO that tells the curriculum of its `ReplayedLevels` how its episodes went."""

    def collect_rollouts(
        self,
        env: VecEnv,
        callback: BaseCallback,
        rollout_buffer: RolloutBuffer,
        n_rollout_steps: int,
    ) -> bool:
        """Play a rollout and score the levels that ended in it; False where it was broken off."""
        whole = super().collect_rollouts(env, callback, rollout_buffer, n_rollout_steps)
        if whole:
            found: Curriculum = env.get_attr("curriculum")[0]
            found.learn(rollout_buffer.advantages)
        return whole
