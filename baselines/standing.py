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


def capture(model: BaseAlgorithm) -> dict[str, Any]:
    """Return where a training stands between an update and the next rollout.

    What an algorithm keeps to itself, such as a replay buffer, is not in it.

    Returns:
        Tensors, numbers and texts, in dicts and lists: what is read without unpickling.
    """
    of = cast(Any, model)
    generator = {} if model.device.type != "cuda" else {"cuda": th.cuda.get_rng_state(model.device)}
    lstm_states = getattr(of, "_last_lstm_states", None) or ()
    return as_tensors(
        {
            "worlds": [layer.get_state() for layer in layers(model)],
            "torch": th.get_rng_state(),
            "numpy": np.random.get_state(legacy=False),  # noqa: NPY002 (Stable-Baselines3 draws)
            "observations": of._last_obs,
            "episode_starts": of._last_episode_starts,
            "lstm_states": [[part.cpu() for part in states] for states in lstm_states],
            "episodes": list(of.ep_info_buffer or ()),
        }
        | generator
    )


def put_back(model: BaseAlgorithm, standing: dict[str, Any]) -> None:
    """Let a model of the same settings go on from where another one stood.

    Raises:
        MesaBenchError: the worlds were others.
    """
    of, arrays = cast(Any, model), as_arrays(standing)
    for layer, state in zip(layers(model), arrays["worlds"], strict=True):
        layer.set_state(state)
    th.set_rng_state(standing["torch"])
    if "cuda" in standing:
        th.cuda.set_rng_state(standing["cuda"], model.device)
    np.random.set_state(arrays["numpy"])  # noqa: NPY002
    of._last_obs, of._last_episode_starts = arrays["observations"], arrays["episode_starts"]
    if standing["lstm_states"]:
        states = (tuple(p.to(model.device) for p in pair) for pair in standing["lstm_states"])
        of._last_lstm_states = RNNStates(*states)
    window = of._stats_window_size
    of.ep_info_buffer = deque(standing["episodes"], maxlen=window)
    of.ep_success_buffer = deque(maxlen=window)


def layers(model: BaseAlgorithm) -> list[Any]:
    """Return the batch of worlds, and the wrappers around it, the outermost first."""
    env: Any = model.get_env()
    found = [env]
    while isinstance(env, VecEnvWrapper):
        env = env.venv
        found.append(env)
    return found


def as_tensors(value: Any) -> Any:
    """Return a nest of dicts and lists with tensors, of their own, in the place of arrays."""
    if isinstance(value, dict):
        return {name: as_tensors(part) for name, part in value.items()}
    if isinstance(value, list):
        return [as_tensors(part) for part in value]
    return th.from_numpy(value.copy()) if isinstance(value, np.ndarray) else value


def as_arrays(value: Any) -> Any:
    """Return a nest of dicts and lists with arrays, of their own, in the place of tensors."""
    if isinstance(value, dict):
        return {name: as_arrays(part) for name, part in value.items()}
    if isinstance(value, list):
        return [as_arrays(part) for part in value]
    return value.cpu().numpy().copy() if isinstance(value, th.Tensor) else value
