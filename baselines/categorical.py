"""The distribution of discrete actions, in a third of the operations.

Stable-Baselines3's is PyTorch's `Categorical`, which checks what it gets in several ways and
normalises it twice. The networks here are so small that this took as long as one of their layers.
"""

import torch as th
from stable_baselines3.common.distributions import CategoricalDistribution


class NormalisedLogits:
    """`torch.distributions.Categorical` over one axis, as far as policies need it.

    It is no distribution to PyTorch: its functions of two distributions do not know it.

    Args:
        logits: float32 [B, actions], normalised or not.

    Raises:
        ValueError: they are no logits: one is NaN or +∞, or all of a row are −∞.
    """

    def __init__(self, logits: th.Tensor):
        # Down columns a processor adds up many rows at once, along rows one after the other.
        self.logits = logits.t().contiguous().log_softmax(0).t()
        if bool(self.logits.detach().sum().isnan()):
            raise ValueError("logits of actions are not numbers")

    @property
    def probs(self) -> th.Tensor:
        """Probabilities, float32 [B, actions]."""
        return self.logits.exp()

    def sample(self) -> th.Tensor:
        """Draw actions, int64 [B], with the random numbers that `Categorical` takes."""
        # So does `multinomial` draw one of each row, once it has checked what it is given.
        waits = th.empty(self.logits.shape, device=self.logits.device).exponential_()
        return (self.probs / waits).argmax(-1)

    def log_prob(self, actions: th.Tensor) -> th.Tensor:
        """Return the log-likelihood of actions [B], float32 [B]."""
        return self.logits.gather(-1, actions.long()[:, None])[:, 0]

    def entropy(self) -> th.Tensor:
        """Return the entropy in nats, float32 [B]."""
        return -(self.logits.clamp(min=th.finfo(self.logits.dtype).min) * self.probs).sum(-1)


class LeanCategorical(CategoricalDistribution):
    """Stable-Baselines3's distribution of discrete actions, made of `NormalisedLogits`."""

    def proba_distribution(self, action_logits: th.Tensor) -> "LeanCategorical":
        """Become the distribution with these logits, float32 [B, actions]."""
        self.distribution = NormalisedLogits(action_logits)  # pyright: ignore[reportAttributeAccessIssue]
        return self
