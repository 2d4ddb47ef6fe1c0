"""Rollouts of recurrent policies in which all truncated episodes of a step are valued at once.

Stock `RecurrentPPO` asks for the value of each truncated episode's last observation in a call of
its own; with short episodes that is most of the time.
"""

from copy import deepcopy
from typing import Any, cast

import numpy as np
import torch as th
from gymnasium import spaces
from sb3_contrib import RecurrentPPO
from sb3_contrib.common.recurrent.type_aliases import RNNStates
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.utils import obs_as_tensor
from stable_baselines3.common.vec_env import VecEnv


class BatchedRollouts(RecurrentPPO):
    """`RecurrentPPO` with a faster way to play, which fills the buffer as the stock class does."""

    def play_rollout(self, env: VecEnv, callback: BaseCallback, buffer: Any, steps: int) -> bool:
        """Play so many steps in every world and fill the buffer.

        Returns:
            False if the callback ended the training.
        """
        policy = cast(Any, self.policy)
        policy.set_training_mode(False)
        buffer.reset()
        callback.on_rollout_start()
        lstm_states = deepcopy(self._last_lstm_states)
        for _ in range(steps):
            with th.no_grad():
                chosen, values, log_probs, lstm_states = policy(
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
            rewards = rewards + self.gamma * values_beyond(policy, infos, dones, lstm_states)
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
        with th.no_grad():
            values = policy.predict_values(self._seen(), lstm_states.vf, self._starts())
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


def values_beyond(
    policy: Any,
    infos: list[dict[str, Any]],
    dones: np.ndarray,
    lstm_states: RNNStates,
) -> np.ndarray:
    """Return the value of what would have come next where a time limit ended an episode.

    Args:
        policy: of which the value function is asked.
        infos: of the last step, of each of B worlds.
        dones: whether it ended an episode, bool [B].
        lstm_states: after it, tensors [layers, B, H].

    Returns:
        float32 [B], 0 where no episode was cut off.
    """
    found = np.zeros(len(dones), np.float32)
    cut = [
        b
        for b in np.flatnonzero(dones)
        if infos[b].get("TimeLimit.truncated") and infos[b].get("terminal_observation") is not None
    ]
    if not cut:
        return found
    last = [infos[b]["terminal_observation"] for b in cut]
    if isinstance(last[0], dict):
        joined: Any = {name: np.stack([obs[name] for obs in last]) for name in last[0]}
    else:
        joined = np.stack(last)
    hidden, cell = (state[:, th.as_tensor(cut)].contiguous() for state in lstm_states.vf)
    with th.no_grad():
        seen = obs_as_tensor(joined, policy.device)
        no_starts = th.zeros(len(cut), device=policy.device)
        values = policy.predict_values(seen, (hidden, cell), no_starts)
    found[cut] = values[:, 0].cpu().numpy()
    return found
