"""RecurrentPPO with a gated recurrent unit in place of the LSTM.

All else is the flagship's, so that a difference between the two is one of their memories: does
the objective that is learnt depend on the kind of recurrence?

Source: Cho et al. 2014, "Learning phrase representations using RNN encoder–decoder".
"""

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import torch as th
from torch import nn
from torch.nn import functional

from mesabench.baselines.config import OnPolicy
from mesabench.baselines.cores import Core, CorePolicy, States
from mesabench.baselines.on_policy import encoder, on_policy
from mesabench.baselines.recurrent_ppo import CLOSED, FlatRecurrentPPO
from mesabench.task import Task

if TYPE_CHECKING:
    from stable_baselines3.common.vec_env import VecEnv

__all__ = ["Args", "build"]


@dataclass(frozen=True)
class Args(OnPolicy):
    """Settings of RecurrentPPO with a GRU."""

    algorithm = "gru-ppo"

    gru: int = 56
    """Units of the recurrent layer."""
    critic_gru: bool = True
    """Give the value function a recurrent layer of its own."""


def build(task: Task, args: Args, env: "VecEnv") -> FlatRecurrentPPO:
    """Build an untrained model."""
    return FlatRecurrentPPO(
        CorePolicy,
        env,
        **on_policy(task, args),
        policy_kwargs=encoder(args)
        | {
            "core": partial(Gru, hidden_size=args.gru),
            "lstm_hidden_size": args.gru,
            "enable_critic_lstm": args.critic_gru,
            "net_arch": [],
        },
    )


class Gru(Core):
    """An `nn.GRU` as a core; the cell state stays zero.

    Args:
        input_size: features per step.
        hidden_size: units.
        num_layers: layers.
    """

    memory = ("h",)

    def __init__(self, input_size: int, hidden_size: int, num_layers: int = 1):
        super().__init__()
        self.input_size, self.output_size = input_size, hidden_size
        self.num_layers, self.hidden_size = num_layers, hidden_size
        self.gru = nn.GRU(input_size, hidden_size, num_layers)

    def forward(
        self, inputs: th.Tensor, states: States, resets: th.Tensor | None = None
    ) -> tuple[th.Tensor, States]:
        """Run over a sequence, as `Core.forward` describes."""
        if resets is None:
            outputs, hidden = self.gru(inputs, states[0])
            return outputs, (hidden, states[1])
        last = []
        for layer in range(self.num_layers):
            inputs = self._run_layer(layer, inputs, states[0][layer, None], resets)
            last.append(inputs[-1])
        return inputs, (th.stack(last), states[1])

    def _run_layer(
        self, layer: int, inputs: th.Tensor, hidden: th.Tensor, resets: th.Tensor
    ) -> th.Tensor:
        """Run one layer, with the resets as one more column of the inputs.

        Its weights close the reset and update gates and take the candidate's bias away. As the
        inputs are zero there, so is the candidate, which is then the state.
        """
        weights: list[th.Tensor] = list(self.gru.all_weights[layer])
        closed = weights[0].new_full((2 * self.hidden_size,), CLOSED)
        column = th.cat((closed, -weights[2][2 * self.hidden_size :]))
        weights[0] = th.cat((weights[0], column[:, None]), dim=1)
        outputs, _ = th.gru(
            th.cat((inputs, resets), dim=2),
            hidden,
            weights,
            has_biases=True,
            num_layers=1,
            dropout=0.0,
            train=self.training,
            bidirectional=False,
            batch_first=False,
        )
        return outputs

    def one_step(self, x: th.Tensor, *states: th.Tensor) -> tuple[th.Tensor, tuple[th.Tensor, ...]]:
        """Advance by one step from the weights, as `Core.one_step` describes."""
        following = []
        for layer, (w_x, w_h, b_x, b_h) in enumerate(self.gru.all_weights):
            h = states[0][:, layer]
            r_x, z_x, n_x = functional.linear(x, w_x, b_x).chunk(3, dim=1)
            r_h, z_h, n_h = functional.linear(h, w_h, b_h).chunk(3, dim=1)
            candidate = th.tanh(n_x + th.sigmoid(r_x + r_h) * n_h)
            x = candidate + th.sigmoid(z_x + z_h) * (h - candidate)
            following.append(x)
        return x, (th.stack(following, dim=1),)
