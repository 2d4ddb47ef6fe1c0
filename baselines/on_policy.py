"""What the on-policy algorithms have in common: arguments of their Stable-Baselines3 classes."""

from typing import Any

from stable_baselines3.common.utils import LinearSchedule

from mesabench.baselines.config import OnPolicy, Settings
from mesabench.baselines.encoder import GridEncoder
from mesabench.errors import MesaBenchError
from mesabench.task import Task

LAST_RATE = 0.05  # the learning rate falls to this share of its start


def on_policy(task: Task, args: OnPolicy) -> dict[str, Any]:
    """Return the arguments of PPO and RecurrentPPO that are not about the network.

    Raises:
        MesaBenchError: the samples of a rollout do not make so many minibatches.
    """
    samples = args.num_envs * args.rollout
    batch_size = -(-samples // args.minibatches)  # rounded up, or else there would be one more
    # A single sample has no standard deviation by which its advantage could be divided.
    if batch_size < 2 or samples % batch_size == 1:
        raise MesaBenchError(
            f"{args.num_envs} worlds × {args.rollout} steps do not make {args.minibatches} "
            "minibatches of two samples or more; choose a number that divides the product"
        )
    return {
        "learning_rate": falling(args),
        "n_steps": args.rollout,
        "batch_size": batch_size,
        "n_epochs": args.epochs,
        "gamma": discount(task, args),
        "gae_lambda": args.gae_lambda,
        "ent_coef": args.entropy,
        "seed": args.seed,
        "device": args.device,
    }


def encoder(args: Settings) -> dict[str, Any]:
    """Return the policy's arguments that make it see through the `GridEncoder`."""
    return {
        "features_extractor_class": GridEncoder,
        "features_extractor_kwargs": {"cell": args.cell, "hidden": args.hidden},
    }


def falling(args: Settings) -> LinearSchedule:
    """Return the schedule of the learning rate."""
    return LinearSchedule(args.learning_rate, LAST_RATE * args.learning_rate, 1.0)


def discount(task: Task, args: Settings) -> float:
    """Return the discount that is trained with: the task's, for the objective that is paid."""
    if args.discount is not None:
        return args.discount
    return float(task.discounts(task.objective(args.objective or task.base.name))[0])
