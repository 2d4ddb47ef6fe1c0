"""A recurrent policy, step by step with weights that stay as they are: what rollouts need of it.

Stable-Baselines3's policies build what they need from their weights at every step. In a rollout the
weights do not change: they are laid out once, so that a step is a few operations on the batch.
"""

from collections.abc import Callable, Sequence
from functools import partial, reduce
from typing import Any

import numpy as np
import torch as th
from sb3_contrib.common.recurrent.policies import RecurrentActorCriticPolicy
from sb3_contrib.common.recurrent.type_aliases import RNNStates
from stable_baselines3.common.torch_layers import MlpExtractor
from torch import nn
from torch.nn import functional

from mesabench.baselines.encoder import Glance, has_hooks, sight_of
from mesabench.baselines.lstm_gates import join, pass_gates
from mesabench.baselines.ppo_loss import normalise
from mesabench.baselines.recurrent_update import has_known_heads, pair
from mesabench.engine.cache import kernel

States = tuple[th.Tensor, ...]  # hidden and cell, float32 [layers, B, H] each


class Steps:
    """What a policy does in a rollout: called as it, faster, and with the same results.

    Args:
        policy: a policy of discrete actions whose heads and LSTMs are the stock ones, on a CPU. Its
            weights must not change as long as this is used.
    """

    def __init__(self, policy: RecurrentActorCriticPolicy):
        self.actor = Layers(policy.lstm_actor)
        self.critic = None if policy.lstm_critic is None else Layers(policy.lstm_critic)
        self.plain_critic = None if policy.critic is None else lean(policy.critic)
        networks = policy.mlp_extractor
        self.head = lean(networks.policy_net, policy.action_net)
        self.value_head = lean(networks.value_net, policy.value_net)
        self.extract: Any = sight_of(policy, Glance) or policy.extract_features

    def __call__(
        self, obs: Any, states: RNNStates, starts: th.Tensor
    ) -> tuple[th.Tensor, th.Tensor, th.Tensor, RNNStates]:
        """Choose an action in each of B worlds.

        Returns:
            Actions int64 [B], values [B, 1], log-likelihoods [B] and the states after the step.
        """
        actors, critics = pair(self.extract(obs))
        latent, after = self.actor(actors, states.pi, starts)
        valued, after_vf = self._look_ahead(critics, states.vf, starts) or (latent, after)
        actions, log_probs = draw(self.head(latent))
        return actions, self.value_head(valued), log_probs, RNNStates(after, after_vf or after)

    def predict_values(self, obs: Any, states: States, starts: th.Tensor) -> th.Tensor:
        """Return the values of what is seen in B worlds, [B, 1]; `states` are the critic's."""
        _, critics = pair(self.extract(obs))
        valued, _ = self._look_ahead(critics, states, starts) or self.actor(critics, states, starts)
        return self.value_head(valued)

    def _look_ahead(
        self, features: th.Tensor, states: States, starts: th.Tensor
    ) -> tuple[th.Tensor, States | None] | None:
        """Return what the critic's head is given, and its LSTM's states; None if it has neither."""
        if self.critic is not None:
            return self.critic(features, states, starts)
        return None if self.plain_critic is None else (self.plain_critic(features), None)


def can_be_stepped(policy: RecurrentActorCriticPolicy) -> bool:
    """Say whether `Steps` does all that the policy's own methods do."""
    stock = RecurrentActorCriticPolicy
    lstms = [lstm for lstm in (policy.lstm_actor, policy.lstm_critic) if lstm is not None]
    return (
        has_known_heads(policy)
        and not has_hooks(policy)
        and not {"forward", "predict_values", "extract_features"} & vars(policy).keys()
        and type(policy).forward is stock.forward
        and type(policy).predict_values is stock.predict_values
        and type(policy).extract_features is stock.extract_features
        and type(policy.mlp_extractor) is MlpExtractor
        and all(type(lstm) is nn.LSTM and not lstm.proj_size for lstm in lstms)
    )


class Layers:
    """The layers of an LSTM, one time step at a time.

    Args:
        lstm: whose weights stay as they are.
    """

    def __init__(self, lstm: nn.LSTM):
        self._layers = [lay_out_gates(weights) for weights in lstm.all_weights]

    def __call__(
        self, inputs: th.Tensor, states: States, starts: th.Tensor
    ) -> tuple[th.Tensor, States]:
        """Advance by one step, from inputs [B, I] to outputs [B, H].

        `starts`, float32 [B], is one where an episode begins, before which all states are zero.
        """
        begins = starts.numpy()
        after = th.empty(states[0].shape), th.empty(states[1].shape)
        for layer, (weights, biases) in enumerate(self._layers):
            hidden, cell = states[0][layer], states[1][layer]
            assert inputs.shape[1] + hidden.shape[1] == len(weights)  # `join` writes all of it
            joined = th.empty(len(inputs), len(weights))
            join(inputs.numpy(), hidden.numpy(), begins, joined.numpy())
            gates = th.addmm(biases, joined, weights).numpy()
            inputs = after[0][layer]
            pass_gates(gates, cell.numpy(), begins, inputs.numpy(), after[1][layer].numpy())
        return inputs, after


def lay_out_gates(weights: Sequence[th.Tensor]) -> tuple[th.Tensor, th.Tensor]:
    """Return the weights of a layer as one product needs them, [I + H, 4 H], and biases [4 H].

    PyTorch's gates are input, forget, cell, output; the three that are sigmoids come first here.
    """
    of_inputs, of_hidden, *biases = (weight.detach() for weight in weights)
    joined = th.cat((of_inputs, of_hidden), dim=1)
    bias: th.Tensor = sum(biases, joined.new_zeros(len(joined)))

    def put_cell_last(gates: th.Tensor) -> th.Tensor:
        enters, stays, new, leaves = gates.chunk(4)
        return th.cat((enters, stays, leaves, new))

    return put_cell_last(joined).t().contiguous(), put_cell_last(bias)


def lean(*modules: nn.Module) -> Callable[[th.Tensor], th.Tensor]:
    """Return what modules do in turn, without the checks around each call of one."""
    layers = [layer for m in modules for layer in (m if isinstance(m, nn.Sequential) else [m])]
    calls = [
        partial(functional.linear, weight=layer.weight, bias=layer.bias)
        if type(layer) is nn.Linear
        else layer
        for layer in layers
    ]
    return lambda values: reduce(lambda so_far, call: call(so_far), calls, values)


def draw(logits: th.Tensor) -> tuple[th.Tensor, th.Tensor]:
    """Draw actions, int64 [B], with the random numbers that PyTorch's `Categorical` takes.

    Args:
        logits: float32 [B, actions].

    Returns:
        The actions and their log-likelihoods, float32 [B].

    Raises:
        ValueError: logits are none: one is NaN or +∞, or all of a row are −∞.
    """
    waits = th.empty(logits.shape).exponential_()
    actions, log_probs = th.empty(len(logits), dtype=th.int64), th.empty(len(logits))
    arrays = (x.numpy() for x in (logits, waits, actions, log_probs))
    if not be_first(*arrays):
        raise ValueError("logits of actions are not numbers")
    return actions, log_probs


@kernel
def be_first(logits, waits, actions, log_probs):
    """Choose the actions that come first, the likelier the sooner; say whether logits are such."""
    batch, choices = logits.shape
    logs, probs = np.empty(choices), np.empty(choices)
    for b in range(batch):
        if np.isnan(normalise(logits, b, logs, probs)):
            return False
        first, rate = 0, -1.0
        for a in range(choices):
            if probs[a] / waits[b, a] > rate:
                first, rate = a, probs[a] / waits[b, a]
        actions[b], log_probs[b] = first, logs[first]
    return True
