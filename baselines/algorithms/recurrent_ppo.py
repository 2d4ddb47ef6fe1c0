"""RecurrentPPO: the flagship baseline, an LSTM between the encoder and the heads.

The class is sb3-contrib's with a faster update (see `mesabench.baselines.recurrent_ppo`).

Source: Schulman et al. 2017, "Proximal policy optimization algorithms".
"""

from typing import TYPE_CHECKING

from mesabench.baselines.config import TrainConfig as Args
from mesabench.task import Task

if TYPE_CHECKING:
    from stable_baselines3.common.vec_env import VecEnv

    from mesabench.baselines.recurrent_ppo import FlatRecurrentPPO

__all__ = ["Args", "build"]

# Stable-Baselines3's own, which has this ε unless it is told anything, in one call for all weights
# on a GPU; a processor's steps are those of `mesabench.baselines.clipped_steps`.
FUSED_ADAM = {"eps": 1e-5, "fused": True}


def build(
    task: Task, args: Args, env: "VecEnv", kind: "type[FlatRecurrentPPO] | None" = None
) -> "FlatRecurrentPPO":
    """Build an untrained model, of a subclass of `FlatRecurrentPPO` if one is given."""
    from mesabench.baselines.on_policy import encoder, on_policy
    from mesabench.baselines.recurrent_ppo import FlatRecurrentPPO

    return (kind or FlatRecurrentPPO)(
        "MultiInputLstmPolicy",
        env,
        **on_policy(task, args),
        policy_kwargs=encoder(args)
        | {"lstm_hidden_size": args.lstm, "enable_critic_lstm": args.critic_lstm, "net_arch": []}
        | {"optimizer_kwargs": FUSED_ADAM},
    )
