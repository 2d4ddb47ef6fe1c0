"""Recurrent PPO without padding: sb3-contrib's algorithm and weights, several times faster.

Stock `RecurrentPPO` cuts each minibatch into episodes and pads them to the longest. As some episode
always starts in a minibatch, it then steps through the LSTM in a Python loop. Here a minibatch is
flat, and the LSTM sees it as *rows*: contiguous stretches of one environment, each layer one call.
An episode that starts inside a row is preceded by a *reset token*, an inserted time step that
closes the input and forget gates, so that cell and hidden state are exactly zero after it and no
gradient crosses it. All else (rollouts, samples, losses, parameter names) is the stock class.
Other recurrent networks say themselves how they reset (see `mesabench.baselines.cores`).
Rollouts are those of `mesabench.baselines.recurrent_rollouts`.
"""

from collections.abc import Callable, Generator
from types import MethodType
from typing import Any, NamedTuple, cast

import numpy as np
import torch as th
from gymnasium import spaces
from sb3_contrib.common.recurrent.buffers import RecurrentDictRolloutBuffer, RecurrentRolloutBuffer
from sb3_contrib.common.recurrent.policies import RecurrentActorCriticPolicy
from sb3_contrib.common.recurrent.type_aliases import RecurrentRolloutBufferSamples, RNNStates
from stable_baselines3.common.buffers import RolloutBuffer
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import VecEnv
from torch import nn

from mesabench.baselines.cores import Core
from mesabench.baselines.in_parts import PARTS, Parts, can_be_parted, cut_rows, evaluate_actions
from mesabench.baselines.recurrent_rollouts import BatchedRollouts

# What a reset token adds to a gate's pre-activation: the float32 sigmoid of it is exactly zero.
CLOSED = -1e4


class FlatRecurrentPPO(BatchedRollouts):
    """`RecurrentPPO` with a faster update: same arguments, samples, losses and parameter names.

    Where the LSTM has an option that rows do not cover (dropout between layers, say), or the policy
    has its own way with sequences, this class does exactly what the stock class does.
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
        # On the instance, so that any policy class will do and a saved model names stock classes.
        vars(policy)["_process_sequence"] = process_sequence
        vars(policy)["evaluate_actions"] = MethodType(evaluate_actions, policy)

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
        """Update on the rollout, as the stock class does; with two threads or more in two parts."""
        threads, policy = th.get_num_threads(), cast(RecurrentActorCriticPolicy, self.policy)
        buffer = self.rollout_buffer
        if not isinstance(buffer, FlatMinibatches) or threads < PARTS or not can_be_parted(policy):
            return super().train()
        buffer.in_parts = True
        th.set_num_threads(threads // PARTS)
        try:
            return super().train()
        finally:
            th.set_num_threads(threads)
            buffer.in_parts = False


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


class Layout(NamedTuple):
    """Where the samples of a minibatch lie in a grid of `L` time steps by `R` rows.

    Places in the grid are numbered with time first: step `t` of row `r` is place `t * R + r`.
    """

    first: np.ndarray  # int64 [R]: the sample that each row begins with
    places: np.ndarray  # int64 [B]: the place of each sample
    resets: np.ndarray  # float32 [L, R, 1]: one at reset tokens, zero at samples and padding


def lay_out(row_starts: np.ndarray, episode_starts: np.ndarray) -> Layout:
    """Lay out samples in rows, with a reset token before each episode that starts inside a row.

    Args:
        row_starts: Whether a sample begins a row, bool [B]; true for the first sample.
        episode_starts: Whether a sample begins an episode, bool [B].
    """
    first = np.flatnonzero(row_starts)
    row = np.cumsum(row_starts) - 1
    token = episode_starts & ~row_starts
    position = np.arange(len(token)) + np.cumsum(token)
    step = position - position[first][row]
    resets = np.zeros((step.max() + 1, len(first), 1), np.float32)
    resets[step[token] - 1, row[token]] = 1.0
    return Layout(first, step * len(first) + row, resets)


class Rows(NamedTuple):
    """A layout and the state before each row: what takes the place of `(hidden, cell)`."""

    hidden: th.Tensor  # float32 [layers, R, H]
    cell: th.Tensor  # float32 [layers, R, H]
    places: th.Tensor  # int64 [B]
    resets: th.Tensor  # float32 [L, R, 1]


def process_sequence(
    features: th.Tensor,
    lstm_states: Rows | tuple[th.Tensor, th.Tensor],
    episode_starts: th.Tensor,
    lstm: Any,
) -> tuple[th.Tensor, Any]:
    """Run `lstm` over a minibatch in rows, or else, as in rollouts, do what the stock policy does.

    Args:
        features: Inputs of the LSTM, float32 [B, I].
        lstm_states: `Rows`, or the hidden and cell states of the stock method.
        episode_starts: float32 [B]; not read for `Rows`, which contain them.
        lstm: The actor's or the critic's LSTM, or the core in its place.

    Returns:
        Outputs of the last layer, float32 [B, H], and the states: of no use after `Rows`.
    """
    if not isinstance(lstm_states, Rows):
        stock = RecurrentActorCriticPolicy._process_sequence
        return stock(features, lstm_states, episode_starts, lstm)
    length, rows, _ = lstm_states.resets.shape
    grid = features.new_zeros(length * rows, lstm.input_size)
    grid = grid.index_add_(0, lstm_states.places, features).view(length, rows, -1)
    if isinstance(lstm, Core):
        grid, _ = lstm(grid, (lstm_states.hidden, lstm_states.cell), lstm_states.resets)
    else:
        for layer in range(lstm.num_layers):
            grid = run_layer(lstm, layer, grid, lstm_states)
    return grid.flatten(0, 1).index_select(0, lstm_states.places), lstm_states


def run_layer(lstm: nn.LSTM, layer: int, inputs: th.Tensor, rows: Rows) -> th.Tensor:
    """Run one layer of `lstm` from `inputs` [L, R, I] to outputs [L, R, H], with reset tokens.

    The tokens are one more input column, whose weights close the input and forget gates. The layers
    have to run one by one because each of them needs that column.
    """
    weights: list[th.Tensor] = list(lstm.all_weights[layer])
    column = weights[0].new_zeros(4 * lstm.hidden_size, 1)
    column[: 2 * lstm.hidden_size] = CLOSED  # the order of gates is input, forget, cell, output
    weights[0] = th.cat((weights[0], column), dim=1)
    if inputs.is_cuda:
        weights = in_one_piece(weights)
    outputs, _, _ = th.lstm(
        th.cat((inputs, rows.resets), dim=2),
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


class FlatMinibatches(RolloutBuffer):
    """What both flat buffers share: minibatches of the stock buffer's samples, unpadded.

    Arrays are flattened environment by environment: step `t` of environment `e` is sample
    `e * n_steps + t`. Only the recurrent states keep the axes of the rollout, as few are read.
    """

    in_parts = False  # whether minibatches are for several threads
    samples: dict[str, Any]  # of the present update, where the policy is
    hidden_states_pi: np.ndarray  # float32 [n_steps, layers, n_envs, H], like the other three
    cell_states_pi: np.ndarray
    hidden_states_vf: np.ndarray
    cell_states_vf: np.ndarray

    def get(self, batch_size: int | None = None) -> Generator[Any, None, None]:
        """Yield the minibatches of one epoch, `RecurrentRolloutBufferSamples` with `Rows`.

        As in the stock buffer they are consecutive samples from a random one on, and one number is
        drawn from NumPy's global generator, so that equal seeds give equal minibatches.
        """
        assert self.full, "Rollout buffer must be full before sampling from it"
        if not self.generator_ready:
            self._flatten()
            self.generator_ready = True
        total = self.buffer_size * self.n_envs
        indices = np.roll(np.arange(total), -np.random.randint(total))  # noqa: NPY002
        for start in range(0, total, batch_size or total):
            yield self._minibatch(indices[start : start + (batch_size or total)])

    def _flatten(self) -> None:
        def held(array: np.ndarray) -> th.Tensor:
            return self.to_torch(array, copy=False)

        self.observations = on_arrays(self.swap_and_flatten, self.observations)
        self.samples = {"observations": on_arrays(held, self.observations)}
        for name in ("actions", "values", "log_probs", "advantages", "returns", "episode_starts"):
            setattr(self, name, self.swap_and_flatten(getattr(self, name)))
            self.samples[name] = held(getattr(self, name))

    def _minibatch(self, indices: np.ndarray) -> RecurrentRolloutBufferSamples:
        """Gather the samples `indices` [B] and lay them out in rows."""
        chosen = th.as_tensor(indices, device=self.device)

        def take(held: th.Tensor) -> th.Tensor:
            return held[chosen]

        def column(name: str) -> th.Tensor:
            return self.samples[name][chosen, 0]

        row_starts = indices % self.buffer_size == 0
        row_starts[0] = True
        episode_starts = self.episode_starts[indices, 0] > 0
        parts = cut_rows(row_starts) if self.in_parts else [(0, len(indices))]
        states = []
        for first, last in parts:
            layout = lay_out(row_starts[first:last], episode_starts[first:last])
            states.append(self._rows(layout, indices[first:last][layout.first]))
        sizes = [last - first for first, last in parts]
        return RecurrentRolloutBufferSamples(
            observations=on_arrays(take, self.samples["observations"]),
            actions=take(self.samples["actions"]),
            old_values=column("values"),
            old_log_prob=column("log_probs"),
            advantages=column("advantages"),
            returns=column("returns"),
            lstm_states=states[0] if len(parts) == 1 else cast(Any, Parts(sizes, states)),
            episode_starts=column("episode_starts"),
            mask=th.ones(len(indices), device=self.device),
        )

    def _rows(self, layout: Layout, first: np.ndarray) -> RNNStates:
        """Join `layout` with the states recorded before the samples `first` [R]."""
        env, step = np.divmod(first, self.buffer_size)
        goes_on = 1.0 - self.episode_starts[first, :, None]  # float32 [R, 1, 1]

        def state(recorded: np.ndarray) -> th.Tensor:
            return self.to_torch((recorded[step, :, env] * goes_on).swapaxes(0, 1).copy())

        places, resets = self.to_torch(layout.places), self.to_torch(layout.resets)
        return RNNStates(
            Rows(state(self.hidden_states_pi), state(self.cell_states_pi), places, resets),
            Rows(state(self.hidden_states_vf), state(self.cell_states_vf), places, resets),
        )


class FlatRolloutBuffer(FlatMinibatches, RecurrentRolloutBuffer):
    """A `RecurrentRolloutBuffer` whose minibatches are flat."""


class FlatDictRolloutBuffer(FlatMinibatches, RecurrentDictRolloutBuffer):
    """A `RecurrentDictRolloutBuffer` whose minibatches are flat."""


def on_arrays(function: Callable[[Any], Any], observations: Any) -> Any:
    """Apply `function` to an array or tensor, or to each one of a dict."""
    if isinstance(observations, dict):
        return {key: function(array) for key, array in observations.items()}
    return function(observations)
