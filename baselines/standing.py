"""Where a training stands beside its weights: worlds, random numbers, recurrent states.

A training that goes on from there plays, draws and learns as it would have without the stop.
Stable-Baselines3 does not keep any of it: a resumed training of its own begins new episodes.
"""

from collections import deque
from typing import Any, cast

import numpy as np
import torch as th
from sb3_contrib.common.recurrent.type_aliases import RNNStates
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.vec_env import VecEnvWrapper

from mesabench.errors import MesaBenchError


def capture(model: BaseAlgorithm) -> dict[str, Any]:
    """Return where a training stands between an update and the next rollout.

    What an algorithm keeps to itself, such as a replay buffer, is not in it.

    Returns:
        Tensors, numbers and texts, in dicts and lists: what is read without unpickling.
    """
    of = cast(Any, model)
    generator = {} if model.device.type != "cuda" else {"cuda": th.cuda.get_rng_state(model.device)}
    return as_tensors(
        {
            "worlds": [layer.get_state() for layer in layers(model)],
            "torch": th.get_rng_state(),
            "numpy": np.random.get_state(legacy=False),  # noqa: NPY002 (Stable-Baselines3 draws)
            "observations": of._last_obs,
            "episode_starts": of._last_episode_starts,
            "lstm_states": list(getattr(of, "_last_lstm_states", None) or ()),
            "episodes": list(of.ep_info_buffer or ()),
        }
        | generator
    )


def put_back(model: BaseAlgorithm, standing: dict[str, Any]) -> bool:
    """Let a model of the same settings go on from where another one stood.

    Returns:
        Whether it does. Of other worlds than the model's, or what was captured by another version,
        nothing can be made: the model begins new episodes then.
    """
    of = cast(Any, model)
    try:
        _put_back(of, as_arrays(standing))
    except (LookupError, ValueError, TypeError, AttributeError, RuntimeError):
        of._last_obs = None
        return False
    return True


def _put_back(of: Any, standing: dict[str, Any]) -> None:
    for layer, state in zip(layers(of), standing["worlds"], strict=True):
        layer.set_state(state)
    th.set_rng_state(th.from_numpy(standing["torch"]))
    if "cuda" in standing and of.device.type == "cuda":
        th.cuda.set_rng_state(th.from_numpy(standing["cuda"]), of.device)
    np.random.set_state(standing["numpy"])  # noqa: NPY002
    of._last_obs, of._last_episode_starts = standing["observations"], standing["episode_starts"]
    if standing["lstm_states"]:
        pairs = ((th.from_numpy(part) for part in pair) for pair in standing["lstm_states"])
        of._last_lstm_states = RNNStates(*(tuple(p.to(of.device) for p in pair) for pair in pairs))
    window = of._stats_window_size
    of.ep_info_buffer = deque(standing["episodes"], maxlen=window)
    of.ep_success_buffer = deque(maxlen=window)


def layers(model: BaseAlgorithm) -> list[Any]:
    """Return the batch of worlds, and the wrappers around it, the outermost first.

    Raises:
        MesaBenchError: one of them does not say what its state is.
    """
    env: Any = model.get_env()
    found = [env]
    while isinstance(env, VecEnvWrapper):
        env = env.venv
        found.append(env)
    for layer in found:
        if not hasattr(type(layer), "get_state"):  # a wrapper lends those of what it wraps
            raise MesaBenchError(
                f"{type(layer).__name__} has no get_state and set_state of its own, which a"
                " training needs to go on after a stop"
            )
    return found


def as_tensors(value: Any) -> Any:
    """Return a nest of dicts and lists with tensors, of their own, in the place of arrays."""
    if isinstance(value, dict):
        return {name: as_tensors(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [as_tensors(part) for part in value]
    if isinstance(value, np.ndarray):
        value = th.from_numpy(value)
    return value.detach().cpu().clone() if isinstance(value, th.Tensor) else value


def as_arrays(value: Any) -> Any:
    """Return a nest of dicts and lists with arrays, of their own, in the place of tensors."""
    if isinstance(value, dict):
        return {name: as_arrays(part) for name, part in value.items()}
    if isinstance(value, list):
        return [as_arrays(part) for part in value]
    return value.cpu().numpy().copy() if isinstance(value, th.Tensor) else value
