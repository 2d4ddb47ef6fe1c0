"""Recurrent cores: networks that take an LSTM's place in a recurrent policy.

A core looks like an `nn.LSTM` from outside, so that rollouts, buffers and losses stay those of
sb3-contrib. What it adds is `resets`, with which many episodes run as one sequence, and
`one_step`, from which an agent's file is written.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

import torch as th
from gymnasium import spaces
from sb3_contrib.common.recurrent.policies import RecurrentMultiInputActorCriticPolicy
from sb3_contrib.common.recurrent.type_aliases import RNNStates
from stable_baselines3.common.type_aliases import Schedule
from torch import nn

States = tuple[th.Tensor, th.Tensor]  # hidden and cell, float32 [layers, B, hidden_size] each


class Core(nn.Module, ABC):
    """A recurrent network whose two states are shaped like an LSTM's.

    Attributes:
        memory: names of the states that it uses, of ``h`` and ``c``; the other one stays zero.
        input_size: features per step.
        output_size: outputs per step.
        num_layers: layers of state.
        hidden_size: numbers in a layer of state.
    """

    memory: ClassVar[tuple[str, ...]] = ("h", "c")
    input_size: int
    output_size: int
    num_layers: int
    hidden_size: int

    @abstractmethod
    def forward(
        self, inputs: th.Tensor, states: States, resets: th.Tensor | None = None
    ) -> tuple[th.Tensor, States]:
        """Run over a sequence.

        Args:
            inputs: [T, B, input_size]; zero where there is a reset.
            states: before the first step.
            resets: [T, B, 1], one at steps after which the state is exactly zero and through
                which no gradient flows; what comes out at those steps is not used.

        Returns:
            Outputs [T, B, output_size] and the states after the last step.
        """

    @abstractmethod
    def one_step(self, x: th.Tensor, *states: th.Tensor) -> tuple[th.Tensor, tuple[th.Tensor, ...]]:
        """Advance by one step with operators that ONNX has, and without a loop over time.

        Args:
            x: [B, input_size].
            states: those that `memory` names, [B, layers, hidden_size] each.

        Returns:
            The output [B, output_size] and the next states.
        """


class CorePolicy(RecurrentMultiInputActorCriticPolicy):
    """The recurrent policy of sb3-contrib with a core where it has its LSTM.

    Args:
        core: makes a core for so many features; its `output_size` is `lstm_hidden_size`.
        options: as those of the stock class.
    """

    def __init__(
        self,
        observation_space: spaces.Space,
        action_space: spaces.Space,
        lr_schedule: Schedule,
        *,
        core: Callable[[int], Core],
        **options: Any,
    ):
        super().__init__(observation_space, action_space, lr_schedule, **options)
        actor = core(self.features_dim)
        self.lstm_actor: Any = actor
        if self.lstm_critic is not None:
            self.lstm_critic: Any = core(self.features_dim)
        self.lstm_hidden_state_shape = (actor.num_layers, 1, actor.hidden_size)
        # Anew, for the stock class has given it the parameters of its LSTMs.
        optimizer: Any = self.optimizer_class
        self.optimizer = optimizer(self.parameters(), lr=lr_schedule(1), **self.optimizer_kwargs)


class SharedCorePolicy(CorePolicy):
    """A policy whose actor and critic share one core, which learns from both.

    The stock class has a shared LSTM too, but keeps the critic's gradient out of it.
    """

    def __init__(self, *spaces_and_schedule: Any, **options: Any):
        super().__init__(
            *spaces_and_schedule, **options | {"shared_lstm": True, "enable_critic_lstm": False}
        )

    def evaluate_actions(
        self,
        obs: Any,
        actions: th.Tensor,
        lstm_states: RNNStates,
        episode_starts: th.Tensor,
    ) -> tuple[th.Tensor, th.Tensor, th.Tensor]:
        """Return values [B, 1], log-probabilities [B] and entropy [B] of a minibatch."""
        features: Any = self.extract_features(obs)
        states: Any = lstm_states.pi
        latent, _ = self._process_sequence(features, states, episode_starts, self.lstm_actor)
        chosen = self._get_action_dist_from_latent(self.mlp_extractor.forward_actor(latent))
        values = self.value_net(self.mlp_extractor.forward_critic(latent))
        entropy = chosen.entropy()
        assert entropy is not None
        return values, chosen.log_prob(actions), entropy
