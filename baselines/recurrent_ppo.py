"""Recurrent PPO without padding: sb3-contrib's algorithm and weights, several times faster.

Stock `RecurrentPPO` cuts each minibatch into episodes and pads them to the longest. As some episode
always starts in a minibatch, it then steps through the LSTM in a Python loop. Here a minibatch is
flat, and the LSTM sees it as *rows*: contiguous stretches of one environment, each layer one call.
An episode that starts inside a row is preceded by a *reset token*, an inserted time step that
closes the input and forget gates, so that cell and hidden state are exactly zero after it and no
gradient crosses it. Samples, losses, steps of the optimizer and parameter names are those of the
stock class; what is computed is the same but for rounding.
Other recurrent networks say themselves how they reset (see `mesabench.baselines.cores`).
Where a policy has discrete actions, the stock heads and a processor, updates are those of
`mesabench.baselines.recurrent_update`: the loss is differentiated by hand, and with two threads
each has half of a minibatch. Rollouts are those of `mesabench.baselines.recurrent_rollouts`, with
weights laid out once for all of their steps.
"""

from typing import Any, cast

import torch as th
from gymnasium import spaces
from sb3_contrib.common.recurrent.policies import RecurrentActorCriticPolicy
from stable_baselines3.common.buffers import RolloutBuffer
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.distributions import CategoricalDistribution
from stable_baselines3.common.vec_env import VecEnv
from torch import nn

from mesabench.baselines.categorical import LeanCategorical
from mesabench.baselines.cores import Core
from mesabench.baselines.in_parts import PARTS, can_be_parted
from mesabench.baselines.recurrent_minibatches import (
    FlatDictRolloutBuffer,
    FlatMinibatches,
    FlatRolloutBuffer,
)
from mesabench.baselines.recurrent_rollouts import BatchedRollouts
from mesabench.baselines.recurrent_rows import Rows
from mesabench.baselines.recurrent_update import Update, has_known_heads

# What a reset token adds to a gate's pre-activation: the float32 sigmoid of it is exactly zero.
CLOSED = -1e4


class FlatRecurrentPPO(BatchedRollouts):
    """`RecurrentPPO`, faster: same arguments, samples, losses and parameter names.

    Where the LSTM has an option that rows do not cover (dropout between layers, say), or the policy
    has its own way with sequences, this class does exactly what the stock class does. Otherwise
    weights must not change in the middle of a rollout, and the rollout buffer's arrays are used
    again by the next one.
    """

    def _setup_model(self) -> None:
        super()._setup_model()
        policy = cast(RecurrentActorCriticPolicy, self.policy)
        if not covers(policy):
            return
        lstm = policy.lstm_actor
        hidden_state_shape = (self.n_steps, lstm.num_layers, self.n_envs, lstm.hidden_size)
        is_dict = isinstance(self.observation_space, spaces.Dict)
        buffer_class = FlatDictRolloutBuffer if is_dict else FlatRolloutBuffer
        self.rollout_buffer = buffer_class(
            self.n_steps,
            self.observation_space,
            self.action_space,
            hidden_state_shape,
            self.device,
            gamma=self.gamma,
            gae_lambda=self.gae_lambda,
            n_envs=self.n_envs,
        )
        stock = RecurrentActorCriticPolicy
        one_memory = policy.lstm_critic is None and type(policy).forward is stock.forward
        self.rollout_buffer.two_memories = not one_memory
        if type(policy.action_dist) is CategoricalDistribution:
            policy.action_dist = LeanCategorical(policy.action_dist.action_dim)
        # On the instance, so that any policy class will do and a saved model names stock classes.
        vars(policy)["_process_sequence"] = process_sequence

    def collect_rollouts(
        self,
        env: VecEnv,
        callback: BaseCallback,
        rollout_buffer: RolloutBuffer,
        n_rollout_steps: int,
    ) -> bool:
        """Play `n_rollout_steps` steps in every world and fill the buffer, as the stock class does.

        Returns:
            False if the callback ended the training.
        """
        if not isinstance(rollout_buffer, FlatMinibatches) or self.use_sde:
            return super().collect_rollouts(env, callback, rollout_buffer, n_rollout_steps)
        return self.play_rollout(env, callback, rollout_buffer, n_rollout_steps)

    def train(self) -> None:
        """Update on the rollout as the stock class does, in parts where there are threads."""
        policy = cast(RecurrentActorCriticPolicy, self.policy)
        if not isinstance(self.rollout_buffer, FlatMinibatches) or not has_known_heads(policy):
            return super().train()
        threads = th.get_num_threads()
        if threads < PARTS or not can_be_parted(policy):
            return Update(self, 1).run()
        th.set_num_threads(threads // PARTS)
        try:
            return Update(self, PARTS).run()
        finally:
            th.set_num_threads(threads)


def covers(policy: RecurrentActorCriticPolicy) -> bool:
    """Say whether rows and reset tokens compute exactly what `policy` computes on sequences."""
    stock = RecurrentActorCriticPolicy._process_sequence
    lstms = [lstm for lstm in (policy.lstm_actor, policy.lstm_critic) if lstm is not None]
    return type(policy)._process_sequence is stock and all(map(runs_in_rows, lstms))


def runs_in_rows(lstm: nn.LSTM | Core) -> bool:
    """Say whether `process_sequence` can run a recurrent network with reset tokens."""
    if isinstance(lstm, Core):
        return True
    options = lstm.dropout, lstm.bidirectional, lstm.proj_size, lstm.batch_first
    return type(lstm) is nn.LSTM and not any(options)


def process_sequence(
    features: th.Tensor,
    lstm_states: Any,
    episode_starts: th.Tensor,
    lstm: Any,
) -> tuple[th.Tensor, Any]:
    """Run `lstm` over a minibatch in rows, or else do what the stock policy does.

    Args:
        features: Inputs of the LSTM, float32 [B, I].
        lstm_states: `Rows`, or the hidden and cell states of the stock method, a pair.
        episode_starts: float32 [B]; not read for `Rows`, which contain them.
        lstm: The actor's or the critic's LSTM, or the core in its place.

    Returns:
        Outputs of the last layer, float32 [B, H], and the states: of no use after `Rows`.
    """
    if not isinstance(lstm_states, Rows):
        stock = RecurrentActorCriticPolicy._process_sequence
        return stock(features, lstm_states, episode_starts, lstm)
    grid = lstm_states.grid
    outputs = grid.spread(features)
    if isinstance(lstm, Core):
        outputs, _ = lstm(outputs[..., :-1], (lstm_states.hidden, lstm_states.cell), grid.resets)
    else:
        for layer in range(lstm.num_layers):
            inputs = outputs if layer == 0 else th.cat((outputs, grid.resets), dim=2)
            outputs = run_layer(lstm, layer, inputs, lstm_states)
    return grid.gather(outputs), lstm_states


def run_layer(lstm: nn.LSTM, layer: int, inputs: th.Tensor, rows: Rows) -> th.Tensor:
    """Run one layer of `lstm` from `inputs` [L, R, I + 1] to outputs [L, R, H], with reset tokens.

    The tokens are the last input column, whose weights close the input and forget gates. The layers
    have to run one by one because each of them needs that column.
    """
    weights: list[th.Tensor] = list(lstm.all_weights[layer])
    column = weights[0].new_zeros(4 * lstm.hidden_size, 1)
    column[: 2 * lstm.hidden_size] = CLOSED  # the order of gates is input, forget, cell, output
    weights[0] = th.cat((weights[0], column), dim=1)
    if inputs.is_cuda:
        weights = in_one_piece(weights)
    outputs, _, _ = th.lstm(
        inputs,
        (rows.hidden[layer, None], rows.cell[layer, None]),
        weights,
        has_biases=lstm.bias,
        num_layers=1,
        dropout=0.0,
        train=lstm.training,
        bidirectional=False,
        batch_first=False,
    )
    return outputs


def in_one_piece(weights: list[th.Tensor]) -> list[th.Tensor]:
    """Return weights that lie behind each other in memory, as cuDNN wants them."""
    joined = th.cat([weight.flatten() for weight in weights])
    pieces = joined.split([weight.numel() for weight in weights])
    return [piece.view_as(weight) for piece, weight in zip(pieces, weights, strict=True)]
