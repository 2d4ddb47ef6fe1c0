"""Snapshots: the policies of a run along its training, kept for `mesabench trace`.

Checkpoints are for going on after a stop, so only the newest are kept. A snapshot holds the
policy's weights alone, and all of them stay.
"""

from pathlib import Path
from pickle import UnpicklingError

from stable_baselines3.common.base_class import BaseAlgorithm

from mesabench.baselines.checkpoints import read_checkpoint, write_state
from mesabench.errors import MesaBenchError, listed

FOLDER = "snapshots"


def save_snapshot(model: BaseAlgorithm, run: Path, fingerprint: str) -> Path:
    """Keep the policy of a model as it is now; return the file's path.

    Args:
        model: the model.
        run: the run's folder.
        fingerprint: of the settings; a folder may hold runs with others.
    """
    state = {
        "policy": model.policy.state_dict(),
        "steps": model.num_timesteps,
        "fingerprint": fingerprint,
    }
    return write_state(run / FOLDER / f"{model.num_timesteps:012d}.pt", state)


def load_snapshot(model: BaseAlgorithm, path: Path) -> int:
    """Put a snapshot's weights into a model; return its steps. Nothing in the file is executed.

    Raises:
        ValueError: the file is not what was written.
    """
    state = read_checkpoint(path)
    model.policy.load_state_dict(state["policy"])
    model.num_timesteps = int(state["steps"])
    return model.num_timesteps


def list_snapshots(run: Path, fingerprint: str) -> list[Path]:
    """Return the snapshots of a run with these settings, the earliest first.

    Raises:
        MesaBenchError: there are none, or one is damaged.
    """
    files = sorted((run / FOLDER).glob("*.pt"))
    found = [path for path in files if fingerprint_of(path) == fingerprint]
    if not found:
        members = sorted(str(member) for member in run.glob("member-*"))
        why = f"its members have: {listed(members)}" if members else "training leaves them there"
        of = " of its settings" if files else ""
        raise MesaBenchError(f"{str(run)!r} has no snapshots{of}; {why}")
    return found


def fingerprint_of(path: Path) -> str:
    """Return what tells of the settings with which a snapshot was trained.

    Raises:
        MesaBenchError: it is damaged.
    """
    try:
        return read_checkpoint(path)["fingerprint"]
    except (ValueError, KeyError, RuntimeError, UnpicklingError) as error:
        raise MesaBenchError(
            f"snapshot {str(path)!r} is damaged ({error}); without that file the others are read"
        ) from error
