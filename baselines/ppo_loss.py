"""PPO's loss and its gradients in one pass over the samples, for discrete actions.

PyTorch does it in some seventy operations on arrays of a minibatch's length, forward and back; at
the size of these networks they take a fifth of an update. What is computed is what
`sb3_contrib.RecurrentPPO` computes, with the same gradients where terms are clipped or equal.

Source: Schulman et al. 2017, "Proximal policy optimization algorithms", equations 7 and 9.
"""

from typing import Any, NamedTuple

import numpy as np
import torch as th

from mesabench.engine.cache import inner, kernel


class Coefficients(NamedTuple):
    """What a loss is made of."""

    clip: float  # ratios of likelihoods count up to so far from one
    clip_values: float  # values count up to so far from the old ones; infinite for any
    entropy: float  # weight of minus the policy's entropy
    value: float  # weight of the mean squared error of values


class Terms(NamedTuple):
    """Means over a minibatch, or a part's contributions to them."""

    policy: float  # minus the clipped surrogate objective
    value: float  # squared error
    entropy: float  # minus the policy's entropy, in nats
    clipped: float  # share of the ratios that are out of bounds
    kl: float  # approximate divergence of the new policy from the old one, in nats


class Samples(NamedTuple):
    """What a loss is told about B samples, float32 [B] each."""

    actions: th.Tensor
    old_log_probs: th.Tensor
    advantages: th.Tensor  # normalised, if they are to be
    returns: th.Tensor
    old_values: th.Tensor


def differentiate_loss(
    logits: th.Tensor,
    values: th.Tensor,
    samples: Samples,
    size: int,
    coefficients: Coefficients,
) -> tuple[th.Tensor, th.Tensor, Terms]:
    """Return the loss's gradients and its terms.

    Args:
        logits: of the actions, float32 [B, actions] on the CPU.
        values: float32 [B].
        samples: B of a minibatch.
        size: of the whole minibatch: means are sums over the samples, divided by it.
        coefficients: of the loss.

    Returns:
        Gradients by `logits` and by `values`, and the terms.

    Raises:
        ValueError: logits are none: one is NaN or +∞, or all of a row are −∞.
    """
    by_logits, by_values = th.empty(logits.shape), th.empty(values.shape)
    terms = np.zeros(len(Terms._fields))
    given = [x.detach().numpy() for x in (logits, values, *samples)]
    found = [by_logits.numpy(), by_values.numpy(), terms]
    arguments: list[Any] = [*given, *found, size, coefficients]
    go_through(*arguments)
    if np.isnan(terms[Terms._fields.index("entropy")]):
        raise ValueError("logits of actions are not numbers")
    return by_logits, by_values, Terms(*terms.tolist())


@kernel
def go_through(
    logits,
    values,
    actions,
    old_log_probs,
    advantages,
    returns,
    old_values,
    by_logits,
    by_values,
    terms,
    size,
    coefficients,
):
    """Write the gradients and add to the terms, sample by sample, in double precision."""
    batch, choices = logits.shape
    log_probs, probs = np.empty(choices), np.empty(choices)
    lowest, highest = 1.0 - coefficients.clip, 1.0 + coefficients.clip
    limit = coefficients.clip_values
    for b in range(batch):
        entropy = normalise(logits, b, log_probs, probs)
        action, advantage = int(actions[b]), float(advantages[b])
        log_ratio = log_probs[action] - old_log_probs[b]
        ratio = np.exp(log_ratio)
        gain = min(advantage * ratio, advantage * min(max(ratio, lowest), highest))
        moved = float(values[b]) - old_values[b]
        error = old_values[b] + min(max(moved, -limit), limit) - returns[b]
        terms[0] -= gain / size
        terms[1] += error * error / size
        terms[2] -= entropy / size
        terms[3] += (abs(ratio - 1.0) > coefficients.clip) / size
        terms[4] += (ratio - 1.0 - log_ratio) / size
        # Where the bounded term is the smaller one, it does not depend on the policy.
        by_log_prob = 0.0 if gain < advantage * ratio else -advantage * ratio / size
        by_entropy = coefficients.entropy / size
        for a in range(choices):
            by_logit = by_log_prob * ((a == action) - probs[a])
            if probs[a] > 0.0:
                by_logit += by_entropy * probs[a] * (log_probs[a] + entropy)
            by_logits[b, a] = by_logit
        by_values[b] = 0.0 if abs(moved) > limit else 2.0 * coefficients.value * error / size


@inner
def normalise(logits, b, log_probs, probs):
    """Write log-likelihoods and likelihoods of the actions of a sample; return its entropy in nats.

    That is NaN where logits are none.
    """
    choices, highest = len(probs), float(logits[b, 0])
    for a in range(1, choices):
        highest = max(highest, float(logits[b, a]))
    total, weighed = 0.0, 0.0
    for a in range(choices):
        log_probs[a] = logits[b, a] - highest
        probs[a] = np.exp(log_probs[a])
        total += probs[a]
    log_total = np.log(total)
    for a in range(choices):
        log_probs[a] -= log_total
        probs[a] /= total
        # An impossible action's log-likelihood is −∞, and 0 · −∞ would be no number.
        weighed += probs[a] * log_probs[a] if probs[a] != 0.0 else 0.0
    return -weighed
