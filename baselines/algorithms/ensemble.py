"""An ensemble of RecurrentPPO agents that act on the mean of their probabilities: a mitigation.

Members differ in their seed alone. Where the training distribution leaves the objective open, they
may learn different ones, and what one of them misgeneralises the others may outvote. They are
trained one after another in folders of their own, of which a finished one is left as it is, and
merged into one file.

Source: Lakshminarayanan et al. 2017, "Simple and scalable predictive uncertainty estimation using
deep ensembles".
"""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from mesabench.baselines.config import TrainConfig
from mesabench.engine.codes import NUM_COLOURS
from mesabench.files import write_whole
from mesabench.task import Task

if TYPE_CHECKING:
    from stable_baselines3.common.vec_env import VecEnv

    from mesabench.baselines.recurrent_ppo import FlatRecurrentPPO

APART = 1000  # between the seeds of two members, so that ensembles of near seeds share none


@dataclass(frozen=True)
class Args(TrainConfig):
    """Settings of an ensemble of RecurrentPPO agents."""

    algorithm = "ensemble"

    steps: int = 2_000_000
    """Environment steps of each member."""
    members: int = 3
    """How many agents are trained."""


def build(task: Task, args: Args, env: "VecEnv") -> "FlatRecurrentPPO":
    """Build one untrained member, the first."""
    from mesabench.baselines.algorithms.recurrent_ppo import build

    return build(task, member(args, 0), env)


def member(args: Args, number: int) -> TrainConfig:
    """Return the settings of a member: those of the ensemble with a seed of its own.

    The colours are those of the ensemble's own seed, for all members play the same levels.
    """
    shared = {field.name: getattr(args, field.name) for field in fields(TrainConfig)}
    palette = args.seed % NUM_COLOURS if args.palette is None else args.palette
    return TrainConfig(**shared | {"seed": args.seed + APART * number, "palette": palette})


def train(task: Task, args: Args, folder: Path, console: Console) -> Path:
    """Train the members that are not finished and merge all of them; return the agent's path.

    Raises:
        KeyboardInterrupt: after the state of the member in training has been kept.
    """
    import onnx

    from mesabench.baselines.merging import merge
    from mesabench.baselines.train import describe
    from mesabench.baselines.train import train as train_one

    agents = []
    for number in range(args.members):
        settings, run = member(args, number), folder / f"member-{number}"
        console.print(f"member {number + 1} of {args.members}")
        if not is_trained(task, settings, run):
            train_one(task, settings, run, console)
        agents.append(onnx.load(run / "agent.onnx"))
    about = describe(task, args) | {
        "algorithm": "ensemble",
        "members": str(args.members),
        "training_seed": str(args.seed),
        "training_steps": str(args.steps),
        "action": args.action,
    }
    return write_whole(folder / "agent.onnx", merge(agents, about).SerializeToString())


def is_trained(task: Task, settings: TrainConfig, run: Path) -> bool:
    """Tell whether a folder holds the agent of a whole training with these settings.

    The agent is written after the last checkpoint: an older one is of another training.
    """
    from mesabench.baselines.checkpoints import read_checkpoint

    agent, checkpoints = run / "agent.onnx", sorted((run / "checkpoints").glob("*.pt"))
    if not agent.is_file() or not checkpoints:
        return False
    try:
        last = read_checkpoint(checkpoints[-1])
    except ValueError:
        return False
    is_whole = last["steps"] >= settings.steps
    is_newer = agent.stat().st_mtime >= checkpoints[-1].stat().st_mtime
    return is_whole and is_newer and last["fingerprint"] == settings.fingerprint(task.id)
