"""Updates of recurrent policies of discrete actions, each minibatch in as many parts as threads.

Samples do not depend on one another, so that each thread can do with its part of a minibatch what
one would do with all of it: networks, losses and gradients. The gradients are added up.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, cast

import numpy as np
import torch as th
from sb3_contrib import RecurrentPPO
from sb3_contrib.common.recurrent.policies import RecurrentActorCriticPolicy
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.utils import explained_variance

from mesabench.baselines.categorical import LeanCategorical
from mesabench.baselines.encoder import Digest, sight_of
from mesabench.baselines.in_parts import side_by_side
from mesabench.baselines.ppo_loss import Coefficients, Samples, Terms, differentiate_loss
from mesabench.baselines.recurrent_minibatches import FlatMinibatches
from mesabench.baselines.recurrent_rows import Stretch

Gradients = Sequence[th.Tensor | None]  # one for each parameter


def has_known_heads(policy: RecurrentActorCriticPolicy) -> bool:
    """Say whether `foresee` computes all that the policy's own methods do, on a CPU."""
    kind, stock = type(policy), RecurrentActorCriticPolicy
    return (
        policy.device.type == "cpu"
        and type(policy.action_dist) is LeanCategorical
        and kind.evaluate_actions is stock.evaluate_actions
        and kind._get_action_dist_from_latent is ActorCriticPolicy._get_action_dist_from_latent
    )


def foresee(
    policy: RecurrentActorCriticPolicy, extract: Callable[[Any], Any], batch: Any
) -> tuple[th.Tensor, th.Tensor]:
    """Return logits [B, actions] and values [B] of samples, as `evaluate_actions` has them.

    Args:
        policy: whose heads are known.
        extract: its `extract_features`, or the part of it that depends on weights.
        batch: `RecurrentRolloutBufferSamples` with `Rows`.
    """
    features = extract(batch.observations)
    actors, critics = (features, features) if isinstance(features, th.Tensor) else features
    run: Any = policy._process_sequence
    states, starts = batch.lstm_states, batch.episode_starts
    latent = run(actors, states.pi, starts, policy.lstm_actor)[0]
    if policy.lstm_critic is not None:
        valued = run(critics, states.vf, starts, policy.lstm_critic)[0]
    elif policy.critic is not None:
        valued = policy.critic(critics)
    else:
        valued = latent.detach()
    logits = policy.action_net(policy.mlp_extractor.forward_actor(latent))
    return logits, policy.value_net(policy.mlp_extractor.forward_critic(valued))[:, 0]


def update(model: RecurrentPPO, parts: int) -> None:
    """Do what `RecurrentPPO.train` does; its buffer is a flat one, its policy's heads are known."""
    policy, buffer = cast(Any, model.policy), cast(FlatMinibatches, model.rollout_buffer)
    policy.set_training_mode(True)
    model._update_learning_rate(policy.optimizer)
    coefficients, digest = coefficients_of(model), sight_of(policy, Digest)
    look: Any = policy.extract_features
    if digest is not None:
        buffer.flatten(digest.take_in)
        look = digest.features
    foresight = partial(foresee, policy, look)
    parameters = [weight for weight in policy.parameters() if weight.requires_grad]
    most = 1.5 * model.target_kl if model.target_kl is not None else np.inf
    seen: list[Terms] = []
    for _ in range(model.n_epochs):
        epoch, stopped = len(seen), False
        for stretch in buffer.stretches(model.batch_size):
            gradients, terms = differentiate(
                model, foresight, parameters, buffer.cut(stretch, parts), coefficients
            )
            seen.append(terms)
            if stopped := terms.kl > most:
                break
            for weight, gradient in zip(parameters, gradients, strict=True):
                weight.grad = gradient
            th.nn.utils.clip_grad_norm_(policy.parameters(), model.max_grad_norm)
            policy.optimizer.step()
        model._n_updates += 1
        if stopped:
            if model.verbose:
                print(f"Updates stop after {len(seen)} minibatches: KL {seen[-1].kl:.2f}")
            break
    record(model, coefficients, seen, epoch)


def coefficients_of(model: RecurrentPPO) -> Coefficients:
    """Return those of the model's loss at this point of its training."""
    remaining, limit = model._current_progress_remaining, model.clip_range_vf
    return Coefficients(
        clip=float(cast(Any, model.clip_range)(remaining)),
        clip_values=np.inf if limit is None else float(cast(Any, limit)(remaining)),
        entropy=float(model.ent_coef),
        value=float(model.vf_coef),
    )


def differentiate(
    model: RecurrentPPO,
    foresight: Callable[[Any], tuple[th.Tensor, th.Tensor]],
    parameters: Sequence[th.Tensor],
    stretches: Sequence[Stretch],
    coefficients: Coefficients,
) -> tuple[Gradients, Terms]:
    """Return the gradients and terms of the loss on a minibatch, added up over its parts."""
    buffer = cast(FlatMinibatches, model.rollout_buffer)
    size = sum(part.size for part in stretches)
    advantages = buffer.column("advantages", Stretch(stretches[0].start, size)).numpy()
    if model.normalize_advantage:
        advantages = (advantages - advantages.mean()) / (advantages.std(ddof=1) + 1e-8)
    shares = th.from_numpy(advantages).split([part.size for part in stretches])

    def see(part: tuple[Any, th.Tensor]) -> tuple[Gradients, Terms]:
        batch, advantages = part
        foreseen = foresight(batch)
        old = batch.returns, batch.old_values
        samples = Samples(batch.actions[:, 0], batch.old_log_prob, advantages, *old)
        *blamed, terms = differentiate_loss(*foreseen, samples, size, coefficients)
        learn = [(x, by) for x, by in zip(foreseen, blamed, strict=True) if x.requires_grad]
        if not learn:
            return [None] * len(parameters), terms
        outputs, by_outputs = zip(*learn, strict=True)
        return th.autograd.grad(outputs, parameters, by_outputs, allow_unused=True), terms

    # Here: two threads that did it would wait for each other at every turn.
    batches = map(buffer.minibatch, stretches)
    found = side_by_side(see, list(zip(batches, shares, strict=True)))
    gradients, terms = zip(*found, strict=True)
    added = [
        None if first is None else sum(rest, first) for first, *rest in zip(*gradients, strict=True)
    ]
    return added, Terms(*map(sum, zip(*terms, strict=True)))


def record(
    model: RecurrentPPO, coefficients: Coefficients, seen: Sequence[Terms], epoch: int
) -> None:
    """Log what the stock class logs; `epoch` is where the last epoch's terms begin."""
    buffer, last = model.rollout_buffer, seen[-1]
    means = Terms(*np.mean(seen, axis=0).tolist())
    told = {
        "entropy_loss": means.entropy,
        "policy_gradient_loss": means.policy,
        "value_loss": means.value,
        "approx_kl": float(np.mean([terms.kl for terms in seen[epoch:]])),
        "clip_fraction": means.clipped,
        "loss": last.policy + coefficients.entropy * last.entropy + coefficients.value * last.value,
        "explained_variance": explained_variance(buffer.values.flatten(), buffer.returns.flatten()),
        "clip_range": coefficients.clip,
    }
    if model.clip_range_vf is not None:
        told["clip_range_vf"] = coefficients.clip_values
    for name, value in told.items():
        model.logger.record(f"train/{name}", value)
    model.logger.record("train/n_updates", model._n_updates, exclude="tensorboard")
