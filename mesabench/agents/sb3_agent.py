"""`Sb3Agent`: a Stable-Baselines3 model in memory, as a batched policy with explicit state."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from gymnasium import spaces
from numpy.typing import ArrayLike, NDArray

from mesabench.errors import AgentError

if TYPE_CHECKING:
    from stable_baselines3.common.base_class import BaseAlgorithm


class Sb3Agent:
    """A trained model: ``agent(obs, state, episode_start) → actions, state``.

    Arguments:
        model: of any algorithm with discrete actions, recurrent or not.
        deterministic: take the most likely action instead of drawing one.
    """

    def __init__(self, model: "BaseAlgorithm", *, deterministic: bool = True) -> None:
        self._model = model
        self._deterministic = deterministic

    def __call__(
        self, obs: Mapping[str, ArrayLike], state: Any, episode_start: ArrayLike
    ) -> tuple[NDArray[np.int64], Any]:
        """Choose an action for each row of a batch.

        Arguments:
            obs: arrays by key, each [B, ...]. Keys that the model was not trained with are left
                out; a model of a bare Box is given `image`.
            state: what the last call returned; None before the first.
            episode_start: [B], true where an episode begins with this observation.

        Returns:
            The actions, int64 [B], and the state for the next call.

        Raises:
            AgentError: the model was trained with a key that is not in `obs`.
        """
        actions, state = self._model.predict(
            as_trained(obs, self._model.observation_space),
            state,
            np.asarray(episode_start, bool),
            deterministic=self._deterministic,
        )
        return np.asarray(actions, np.int64), state


def as_trained(
    obs: Mapping[str, ArrayLike], space: spaces.Space, key: str = "image"
) -> NDArray | dict[str, NDArray]:
    """Return the parts of a batch that `space` has, an image in one row if `space` has it so.

    Raises:
        AgentError: a part is not in `obs`.
    """
    if isinstance(space, spaces.Dict):
        return {k: np.asarray(as_trained(obs, part, k)) for k, part in space.spaces.items()}
    if key not in obs:
        raise AgentError(f"the model reads {key!r}, which it was not given")
    array = np.asarray(obs[key])
    one_row = space.shape is not None and len(space.shape) == 1
    return array.reshape(len(array), -1) if one_row else array
