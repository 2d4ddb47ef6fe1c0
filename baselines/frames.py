"""Frame history: the last views beside the present one, for agents without a memory of their own.

The worlds' own observation stays as it is; under the key ``frames`` stand the views before it, the
oldest first, zero (MiniGrid's code for "unseen") where the episode is younger than that. `Framed`
keeps them in training; an exported agent keeps them itself, as its recurrent state.
"""

from typing import Any

import numpy as np
import torch as th
from gymnasium import spaces
from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper
from stable_baselines3.common.vec_env.base_vec_env import VecEnvObs, VecEnvStepReturn
from torch import nn

from mesabench.baselines.encoder import GridEncoder
from mesabench.engine.codes import VIEW
from mesabench.errors import MesaBenchError

FRAMES = "frames"
CODES = VIEW * VIEW * 3  # of one view, as a row


class Framed(VecEnvWrapper):
    """Worlds that show their last views as well; terminal observations too.

    Args:
        venv: worlds with MiniGrid's codes in the key ``image``, as one row of 147.
        views: how many views are seen in all, the present one among them.

    Raises:
        MesaBenchError: the worlds have no such image, or there are fewer than two views.
    """

    def __init__(self, venv: VecEnv, views: int):
        space = venv.observation_space
        if views < 2:
            raise MesaBenchError(f"a history has 2 views or more, not {views}; without one: 'ppo'")
        image = space.spaces.get("image") if isinstance(space, spaces.Dict) else None
        if not isinstance(space, spaces.Dict) or not isinstance(image, spaces.Box):
            raise MesaBenchError(f"a history of views needs the observation 'image', not {space}")
        if image.shape != (CODES,):
            raise MesaBenchError(f"'image' is one row of {CODES} codes, not of shape {image.shape}")
        row = ((views - 1) * CODES,)
        frames = spaces.Box(int(image.low.min()), int(image.high.max()), row, np.uint8)
        super().__init__(venv, spaces.Dict(space.spaces | {FRAMES: frames}))
        self.frames = np.zeros((venv.num_envs, *row), np.uint8)
        self.present = np.zeros((venv.num_envs, CODES), np.uint8)

    def reset(self) -> VecEnvObs:
        """Begin a level in each world, with nothing behind it."""
        self.frames[:] = 0
        return self.seen(self.venv.reset())

    def step_wait(self) -> VecEnvStepReturn:
        """Finish a step; what was the present view becomes the newest of the past."""
        obs, reward, done, infos = self.venv.step_wait()
        self.frames = np.concatenate([self.frames[:, CODES:], self.present], axis=1)
        for b in np.flatnonzero(done):
            infos[b]["terminal_observation"] |= {FRAMES: self.frames[b].copy()}
        self.frames[done] = 0
        return self.seen(obs), reward, done, infos

    def get_state(self) -> dict[str, Any]:
        """Return what `set_state` needs to go on from here, beside the worlds' own state."""
        return {"frames": self.frames.copy(), "present": self.present.copy()}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on from where worlds like these were when they gave their state."""
        self.frames, self.present = state["frames"], state["present"]

    def seen(self, obs: Any) -> VecEnvObs:
        """Return a batch of observations with the views before them."""
        self.present = obs["image"]
        return obs | {FRAMES: self.frames.copy()}


class FramesEncoder(GridEncoder):
    """A `GridEncoder` that embeds the cells of every view alike, and mixes the cells of all views.

    Args:
        observation_space: that of `Framed` worlds.
        cell: size of a cell's embedding.
        hidden: size of the features of all views together.

    Attributes:
        memory: shape of what is kept from step to step, by its key in the observations.
    """

    def __init__(self, observation_space: spaces.Dict, cell: int = 8, hidden: int = 64):
        frames = observation_space[FRAMES]
        others = {k: s for k, s in observation_space.spaces.items() if k != FRAMES}
        super().__init__(spaces.Dict(others), cell, hidden)
        assert frames.shape is not None
        self.memory = {FRAMES: frames.shape}
        cells = (frames.shape[0] // CODES + 1) * VIEW * VIEW
        joined = nn.Sequential(nn.Flatten(0), nn.Unflatten(0, (-1, cells * cell)))
        self.mix = nn.Sequential(joined, nn.Linear(cells * cell, hidden), nn.ReLU())

    def forward(self, observations: dict[str, th.Tensor]) -> th.Tensor:
        """Return features [B, hidden + others] of observations with batch axis first."""
        views = th.cat([observations[FRAMES].flatten(1), observations["image"].flatten(1)], dim=1)
        return super().forward(observations | {"image": views})

    def remember(self, observations: dict[str, th.Tensor]) -> dict[str, th.Tensor]:
        """Return `memory` for the next step, from the observations of this one."""
        past, present = observations[FRAMES].flatten(1), observations["image"].flatten(1)
        return {FRAMES: th.cat([past[:, CODES:], present.to(past.dtype)], dim=1)}
