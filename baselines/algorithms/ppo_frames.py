"""PPO that sees its last views: memory as long as the window, and nothing to learn about it.

Between PPO without memory and the recurrent flagship: it can tell where it has just been, and
cannot carry a cue beyond its window.

Source: the frame stacking of Mnih et al. 2015, "Human-level control through deep reinforcement
learning", with PPO (Schulman et al. 2017) in place of Q-learning.
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
    """Settings of PPO with frame history."""

    algorithm = "ppo-frames"

    hidden: int = 36
    """Size of the encoder's features, of all views together; a file then has 300 kB or less."""
    width: int = 64
    """Units of the layer between the features and each head."""
    views: int = 4
    """Views that are seen at once, the present one among them."""


def make_env(task: Task, args: Args) -> "VecEnv":
    """Make the batch of worlds, with their last views in every observation."""
    from mesabench.baselines.frames import Framed
    from mesabench.baselines.train import make_env

    return Framed(make_env(task, args), args.views)


def build(task: Task, args: Args, env: "VecEnv") -> "PPO":
    """Build an untrained model."""
    from stable_baselines3 import PPO

    from mesabench.baselines.frames import FramesEncoder
    from mesabench.baselines.on_policy import encoder, on_policy

    sees = encoder(args) | {"features_extractor_class": FramesEncoder}
    return PPO(
        "MultiInputPolicy",
        env,
        **on_policy(task, args),
        policy_kwargs=sees | {"net_arch": [args.width]},
    )
