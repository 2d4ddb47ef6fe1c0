"""QR-DQN: value-based, off-policy and without memory, a different way to the same return.

In this benchmark it tells whether what was learnt is the task's doing or the policy gradient's: the
agent learns a distribution of returns for each action and takes the best, from a buffer in which
old behaviour lives on.

A resumed run has its networks, its target network, its optimiser and its exploration rate as they
were; the buffer begins empty, so the agent plays `warmup` transitions before it learns on.

Source: Dabney et al. 2018, "Distributional reinforcement learning with quantile regression".
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mesabench.baselines.config import Settings
from mesabench.errors import MesaBenchError
from mesabench.task import Task

if TYPE_CHECKING:
    from stable_baselines3.common.vec_env import VecEnv

    from mesabench.baselines.quantiles import ParallelQRDQN


@dataclass(frozen=True)
class Args(Settings):
    """Settings of QR-DQN."""

    algorithm = "qrdqn"

    width: int = 64
    """Units of the layer between the features and the quantiles."""
    quantiles: int = 32
    """Quantiles of the return of each action."""
    buffer_size: int = 200_000
    """Transitions that are kept."""
    warmup: int = 10_000
    """Transitions in the buffer before anything is learnt from it."""
    batch_size: int = 256
    """Transitions of a gradient step."""
    train_freq: int = 4
    """Steps in each world between two updates."""
    gradient_steps: int = 4
    """Gradient steps of an update."""
    target_update_interval: int = 10_000
    """Environment steps between two copies to the target network."""
    exploration_fraction: float = 0.3
    """Share of the training in which the exploration rate falls."""
    final_epsilon: float = 0.02
    """Exploration rate from there on."""


def build(task: Task, args: Args, env: "VecEnv") -> "ParallelQRDQN":
    """Build an untrained model.

    Raises:
        MesaBenchError: the buffer cannot hold a warm-up, or actions are to be drawn.
    """
    from mesabench.baselines.on_policy import discount, encoder, falling
    from mesabench.baselines.quantiles import ParallelQRDQN

    if args.action == "sample":
        raise MesaBenchError("QR-DQN has no probabilities to draw actions from: action is greedy")
    room = args.buffer_size // args.num_envs * args.num_envs  # each world has an equal share
    if room < args.warmup:
        raise MesaBenchError(
            f"the buffer has room for {room} transitions and nothing is learnt below warmup"
            f" ({args.warmup}): choose a larger buffer-size or a smaller warmup"
        )
    return ParallelQRDQN(
        "MultiInputPolicy",
        env,
        learning_rate=falling(args),
        buffer_size=args.buffer_size,
        learning_starts=args.warmup,
        batch_size=args.batch_size,
        gamma=discount(task, args),
        train_freq=args.train_freq,
        gradient_steps=args.gradient_steps,
        target_update_interval=args.target_update_interval,
        exploration_fraction=args.exploration_fraction,
        exploration_final_eps=args.final_epsilon,
        max_grad_norm=10.0,
        seed=args.seed,
        device=args.device,
        policy_kwargs=encoder(args) | {"net_arch": [args.width], "n_quantiles": args.quantiles},
    )
