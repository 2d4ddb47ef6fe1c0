"""Rollouts of recurrent policies in which all truncated episodes are valued at once, at the end.

Stock `RecurrentPPO` asks for the value of each truncated episode's last observation in a call of
its own; with short episodes that is most of the time. No action depends on those values: they are
added to the rewards in the buffer when the rollout is complete.
"""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any, NamedTuple, cast

import numpy as np
import torch as th
from gymnasium import spaces
from sb3_contrib import RecurrentPPO
from sb3_contrib.common.recurrent.policies import RecurrentActorCriticPolicy
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.utils import obs_as_tensor
from stable_baselines3.common.vec_env import VecEnv

from mesabench.baselines.recurrent_steps import Steps, can_be_stepped


class CutOff(NamedTuple):
    """An episode that a time limit ended."""

    step: int  # of the rollout, its last one
    world: int
    seen: Any  # what it saw at its end
    states: tuple[th.Tensor, th.Tensor]  # of the critic's LSTM then, [layers, H] each


class BatchedRollouts(RecurrentPPO):
    """`RecurrentPPO` with a faster way to play, which fills the buffer as the stock class does."""

    def play_rollout(self, env: VecEnv, callback: BaseCallback, buffer: Any, steps: int) -> bool:
        """Play so many steps in every world and fill the buffer.

        Returns:
            False if the callback ended the training.
        """
        policy = cast(RecurrentActorCriticPolicy, self.policy)
        policy.set_training_mode(False)
        buffer.reset()
        callback.on_rollout_start()  # which may still change the weights
        play: Any = Steps(policy) if can_be_stepped(policy) else policy
        lstm_states = deepcopy(self._last_lstm_states)
        cut_off: list[CutOff] = []
        for step in range(steps):
            with th.no_grad():
                chosen, values, log_probs, lstm_states = play(
                    self._seen(), lstm_states, self._starts()
                )
            actions = chosen.cpu().numpy()
            new_obs: Any
            new_obs, rewards, dones, infos = env.step(self._within(actions))
            self.num_timesteps += env.num_envs
            callback.update_locals(locals())
            if not callback.on_step():
                return False
            self._update_info_buffer(infos, dones)
            cut_off += find_cut_off(step, infos, dones, lstm_states.vf)
            buffer.add(
                self._last_obs,
                actions.reshape(env.num_envs, -1),
                rewards,
                self._last_episode_starts,
                values,
                log_probs,
                lstm_states=self._last_lstm_states,
            )
            self._last_obs, self._last_episode_starts = new_obs, dones
            self._last_lstm_states = lstm_states
        if cut_off:
            last, worlds = np.array([(cut.step, cut.world) for cut in cut_off]).T
            buffer.rewards[last, worlds] += self.gamma * values_beyond(play, cut_off, self.device)
        with th.no_grad():
            values = play.predict_values(self._seen(), lstm_states.vf, self._starts())
        buffer.compute_returns_and_advantage(last_values=values, dones=self._last_episode_starts)
        callback.on_rollout_end()
        return True

    def _seen(self) -> Any:
        return obs_as_tensor(cast(Any, self._last_obs), self.device)

    def _starts(self) -> th.Tensor:
        return th.as_tensor(self._last_episode_starts, dtype=th.float32).to(self.device)

    def _within(self, actions: np.ndarray) -> np.ndarray:
        space = self.action_space
        return np.clip(actions, space.low, space.high) if isinstance(space, spaces.Box) else actions


def find_cut_off(
    step: int,
    infos: list[dict[str, Any]],
    dones: np.ndarray,
    states: tuple[th.Tensor, th.Tensor],
) -> list[CutOff]:
    """Return the episodes that a time limit ended.

    Args:
        step: of the rollout.
        infos: of that step, of each of B worlds.
        dones: whether it ended an episode, bool [B].
        states: of the critic after it, [layers, B, H] each.
    """
    found = []
    for b in np.flatnonzero(dones):
        seen = infos[b].get("terminal_observation")
        if infos[b].get("TimeLimit.truncated") and seen is not None:
            found.append(CutOff(step, int(b), seen, (states[0][:, b], states[1][:, b])))
    return found


def values_beyond(policy: Any, cut_off: Sequence[CutOff], device: th.device) -> np.ndarray:
    """Return the value, to the policy, of what would have come next, float32 [episodes]."""
    last = [cut.seen for cut in cut_off]
    if isinstance(last[0], dict):
        joined: Any = {name: np.stack([obs[name] for obs in last]) for name in last[0]}
    else:
        joined = np.stack(last)
    hidden, cell = (
        th.stack(states, dim=1) for states in zip(*(cut.states for cut in cut_off), strict=True)
    )
    with th.no_grad():
        seen = obs_as_tensor(joined, device)
        no_starts = th.zeros(len(cut_off), device=device)
        values = policy.predict_values(seen, (hidden, cell), no_starts)
    return values[:, 0].cpu().numpy()
