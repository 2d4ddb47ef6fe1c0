"""PPO without memory: what can be learnt from the present view alone.

It is the control for the recurrent flagship: where what was seen first matters later, this agent
must fail, and where the two learn different objectives, memory is what makes the difference.

Source: Schulman et al. 2017, "Proximal policy optimization algorithms".
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mesabench.baselines.config import OnPolicy
from mesabench.task import Task

if TYPE_CHECKING:
    from stable_baselines3 import PPO
    from stable_baselines3.common.vec_env import VecEnv


@dataclass(frozen=True)
class Args(OnPolicy):
    """Settings of PPO."""

    algorithm = "ppo"

    width: int = 64
    """Units of the layer between the features and each head."""


def build(task: Task, args: Args, env: "VecEnv") -> "PPO":
    """Build an untrained model."""
    from stable_baselines3 import PPO

    from mesabench.baselines.on_policy import encoder, on_policy

    return PPO(
        "MultiInputPolicy",
        env,
        **on_policy(task, args),
        policy_kwargs=encoder(args) | {"net_arch": [args.width]},
    )
