"""Colour randomisation: a mitigation under which no colour can mean anything by itself.

In every episode all colours that are seen are exchanged by one random permutation, so that equal
colours stay equal (a cue still matches what it shows) while which colour a thing has is chance.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper
from stable_baselines3.common.vec_env.base_vec_env import VecEnvObs, VecEnvStepReturn

from mesabench.engine.codes import EMPTY, NUM_COLOURS, UNSEEN

CODES = 3  # object, colour, state of a cell
COLOURLESS = (UNSEEN, EMPTY)  # their colour code says nothing


class Recoloured(VecEnvWrapper):
    """Worlds whose colours are permuted in what the agent sees, anew for every episode.

    Args:
        venv: worlds with MiniGrid's codes in the key ``image``, as one row.
        seed: of the permutations.
    """

    def __init__(self, venv: VecEnv, seed: int):
        super().__init__(venv)
        self.rng = np.random.default_rng(seed)
        self.colours = np.tile(np.arange(NUM_COLOURS, dtype=np.uint8), (self.num_envs, 1))

    def reset(self) -> VecEnvObs:
        """Begin a level in each world, with new colours."""
        self.colours = self.rng.permuted(self.colours, axis=1)
        return self.seen(self.venv.reset())

    def step_wait(self) -> VecEnvStepReturn:
        """Finish a step; a level that begins has new colours."""
        obs, reward, done, infos = self.venv.step_wait()
        for b in np.flatnonzero(done):
            last = infos[b]["terminal_observation"]
            last["image"] = recolour(last["image"][None], self.colours[b, None])[0]
            self.colours[b] = self.rng.permutation(self.colours[b])
        return self.seen(obs), reward, done, infos

    def get_state(self) -> dict[str, Any]:
        """Return what `set_state` needs to go on from here, beside the worlds' own state."""
        return {"rng": self.rng.bit_generator.state, "colours": self.colours.copy()}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on from where worlds like these were when they gave their state."""
        self.rng.bit_generator.state, self.colours = state["rng"], state["colours"]

    def seen(self, obs: Any) -> VecEnvObs:
        """Return a batch of observations in the colours of their worlds."""
        return obs | {"image": recolour(obs["image"], self.colours)}


def recolour(image: NDArray[np.uint8], colours: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Exchange colours.

    Args:
        image: codes [B, cells · 3].
        colours: what each colour becomes [B, NUM_COLOURS].
    """
    cells = image.reshape(len(image), -1, CODES).copy()
    coloured = ~np.isin(cells[..., 0], COLOURLESS)
    new = np.take_along_axis(colours, cells[..., 1].astype(np.intp), axis=1)
    cells[..., 1] = np.where(coloured, new, cells[..., 1])
    return cells.reshape(image.shape)
