"""sb3-contrib's QR-DQN for many worlds at once: they explore one by one, and runs go on.

The stock class draws once for the whole batch whether to explore, so that all worlds act at random
in the same step or none does; starts a resumed run at the exploration rate of an untrained one; and
learns at once from a buffer that holds a few transitions.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sb3_contrib import QRDQN

LOG_EVERY = 10_000  # environment steps; the stock class logs every fourth episode of any world


class ParallelQRDQN(QRDQN):
    """QR-DQN whose worlds explore independently; arguments as those of the stock class.

    ``learning_starts`` is the number of transitions in the buffer, of this session, before it
    learns.
    """

    def _setup_model(self) -> None:
        super()._setup_model()
        self._logged = 0
        self._chance = np.random.default_rng(self.seed)

    def _sample_action(
        self, learning_starts: int, action_noise: Any = None, n_envs: int = 1
    ) -> tuple[NDArray, NDArray]:
        """Return the actions [B], twice: as played and as kept."""
        # After a resumption the stock class has yet to learn how far the run is.
        self._update_current_progress_remaining(self.num_timesteps, self._total_timesteps)
        self.exploration_rate = self.exploration_schedule(self._current_progress_remaining)
        assert self._last_obs is not None
        greedy, _ = self.predict(self._last_obs, deterministic=True)
        explores = self._chance.random(n_envs) < self.exploration_rate
        actions = self._chance.integers(self.policy.quantile_net.action_space.n, size=n_envs)
        chosen = np.where(explores, actions, greedy)
        return chosen, chosen

    def train(self, gradient_steps: int, batch_size: int = 100) -> None:
        """Do the gradient steps, once the buffer is warm."""
        assert self.replay_buffer is not None
        if self.replay_buffer.size() * self.n_envs >= self.learning_starts:
            super().train(gradient_steps, batch_size)

    def dump_logs(self) -> None:
        """Write a row of the log if enough has happened since the last."""
        if self.num_timesteps - self._logged >= LOG_EVERY:
            self._logged = self.num_timesteps
            super().dump_logs()
