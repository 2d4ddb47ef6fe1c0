"""One step of a Stable-Baselines3 policy that also shows the features from which it chooses."""

from typing import Any

import torch
from torch import Tensor, nn

from mesabench.agents.one_step import OneStep


class ShowingStep(nn.Module):
    """A policy's step whose last output is `x`: what goes into the layer that gives the logits.

    Arguments:
        step: the step; its inputs and other outputs stay as they are.

    Attributes:
        step: the step.
        size: how many features there are.
    """

    def __init__(self, step: OneStep) -> None:
        super().__init__()
        self.step = step
        self.size = int(head(step.policy).in_features)
        self._x = torch.zeros(0)
        head(step.policy).register_forward_pre_hook(self._note)

    def _note(self, layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        # Laid out anew, so that the output is a tensor of its own and no other one's second name.
        self._x = inputs[0].reshape(-1, self.size)

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Return the step's outputs, then the features [B, D]."""
        outputs = self.step(*inputs)
        return *outputs, self._x


def head(policy: Any) -> nn.Linear:
    """Return the layer whose output is the logits, or the action values (or their quantiles)."""
    for network in ("q_net", "quantile_net"):
        if hasattr(policy, network):
            return getattr(getattr(policy, network), network)[-1]
    return policy.action_net
