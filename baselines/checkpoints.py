"""Checkpoints: all that a training needs to go on as if it had never been stopped.

They are written whole or not at all, and read without unpickling.
"""

import hashlib
import io
from collections.abc import Callable
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch as th
from stable_baselines3.common.base_class import BaseAlgorithm

from mesabench.baselines.standing import capture, put_back
from mesabench.files import write_whole

KEPT = 3  # the newest ones; the last might be damaged
DIGEST = 32  # bytes of SHA-256 before the payload


def save_checkpoint(
    model: BaseAlgorithm,
    folder: Path,
    fingerprint: str,
    standing: dict[str, Any] | None = None,
) -> Path:
    """Write the model's state as the newest checkpoint of a run; return its path.

    Args:
        model: the model.
        folder: the run's folder of checkpoints.
        fingerprint: of the settings; a run with others does not resume from this file.
        standing: where the training stood at its last update (`capture`); where it is now if None.
    """
    state = {
        "policy": model.policy.state_dict(),
        "optimizer": model.policy.optimizer.state_dict(),
        "steps": model.num_timesteps,
        "updates": model._n_updates,
        "fingerprint": fingerprint,
        "standing": capture(model) if standing is None else standing,
    }
    path = write_state(folder / f"{model.num_timesteps:012d}.pt", state)
    for old in sorted(folder.glob("*.pt"))[:-KEPT]:
        old.unlink()
    return path


def write_state(path: Path, state: dict[str, Any]) -> Path:
    """Write weights and numbers with a checksum, whole or not at all; return the path."""
    payload = io.BytesIO()
    th.save(state, payload)
    data = payload.getvalue()
    return write_whole(path, hashlib.sha256(data).digest() + data)


def load_checkpoint(
    model: BaseAlgorithm, folder: Path, fingerprint: str, say: Callable[[str], None]
) -> int:
    """Put the newest sound checkpoint of a run into the model; return its steps, 0 if none.

    Checkpoints that are of no use get other names, so that new ones do not have to make room.

    Args:
        model: the model, built from the run's own settings.
        folder: the run's folder of checkpoints.
        fingerprint: of the settings.
        say: told of every checkpoint that is damaged or belongs to other settings.
    """
    for path in sorted(folder.glob("*.pt"), reverse=True):
        try:
            state = read_checkpoint(path)
            if state["fingerprint"] != fingerprint:
                other = path.replace(path.with_suffix(".other")).name
                say(f"{path.name} was trained with other settings; it is called {other} now")
                continue
            model.policy.load_state_dict(state["policy"])
            model.policy.optimizer.load_state_dict(state["optimizer"])
        except OSError as error:  # the disk's trouble, which may pass
            say(f"checkpoint {path.name} cannot be read ({error}); trying the one before")
            continue
        except (ValueError, KeyError, RuntimeError, UnpicklingError) as error:
            reason = str(error).partition("\n")[0]
            damaged = path.replace(path.with_suffix(".damaged")).name
            say(
                f"checkpoint {path.name} is damaged ({reason}) and called {damaged} now; "
                "trying the one before"
            )
            continue
        model.num_timesteps = int(state["steps"])
        model._n_updates = int(state["updates"])
        if not put_back(model, state.get("standing", {})):
            say(f"checkpoint {path.name} is of another version: its worlds begin anew")
        return model.num_timesteps
    return 0


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read one checkpoint; nothing in it is executed.

    Raises:
        ValueError: the file is not what was written.
    """
    data = path.read_bytes()
    if hashlib.sha256(data[DIGEST:]).digest() != data[:DIGEST]:
        raise ValueError("its checksum is wrong")
    # A model takes the tensors to its own device; the one that they were on may not be there.
    return th.load(io.BytesIO(data[DIGEST:]), map_location="cpu", weights_only=True)
