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
from mesabench.baselines.clipped_steps import ClippedSteps, Gradients
from mesabench.baselines.encoder import Digest, sight_of
from mesabench.baselines.in_parts import side_by_side
from mesabench.baselines.ppo_loss import Coefficients, Samples, Terms, differentiate_loss
from mesabench.baselines.recurrent_rows import Stretch


def has_known_heads(policy: RecurrentActorCriticPolicy) -> bool:
    """Say whether `foresee` computes all that the policy's own methods do, on a CPU."""
    kind, stock = type(policy), RecurrentActorCriticPolicy
    its_own = {"evaluate_actions", "_get_action_dist_from_latent"} & vars(policy).keys()
    return (
        policy.device.type == "cpu"
        and not its_own
        and type(policy.action_dist) is LeanCategorical
        and kind.evaluate_actions is stock.evaluate_actions
        and kind._get_action_dist_from_latent is ActorCriticPolicy._get_action_dist_from_latent
    )


class Update:
    """An update of a model on its rollout: what `RecurrentPPO.train` does.

    Args:
        model: its buffer is a flat one, the heads of its policy are known.
        parts: threads that have a part of each minibatch.
    """

    def __init__(self, model: RecurrentPPO, parts: int):
        self.model, self.parts, self.coefficients = model, parts, coefficients_of(model)
        self.policy, self.buffer = cast(Any, model.policy), cast(Any, model.rollout_buffer)
        self.parameters = [weight for weight in self.policy.parameters() if weight.requires_grad]
        self.step = ClippedSteps(self.policy.optimizer, self.parameters, model.max_grad_norm)
        self.extract: Any = self.policy.extract_features
        if (digest := sight_of(self.policy, Digest)) is not None:
            self.buffer.flatten(digest.take_in)
            self.extract = digest.features

    def run(self) -> None:
        """Train for so many epochs, or until the policy has moved too far from the old one."""
        model, policy = self.model, self.policy
        policy.set_training_mode(True)
        model._update_learning_rate(policy.optimizer)
        seen = list[list[Terms]]()
        going_on = True
        try:
            while going_on and len(seen) < model.n_epochs:
                seen.append([])
                going_on = self._pass_through(seen[-1])
                model._n_updates += 1
        finally:
            self.buffer.generator_ready = False  # those who ask again are not given a digest
        self._record(seen)

    def _pass_through(self, seen: list[Terms]) -> bool:
        """Train on each minibatch once, and note its terms; return False to train no further."""
        model = self.model
        for stretch in self.buffer.stretches(model.batch_size):
            gradients, terms = self._differentiate(stretch)
            seen.append(terms)
            if model.target_kl is not None and terms.kl > 1.5 * model.target_kl:
                if model.verbose:
                    print(f"No further updates on this rollout: KL is {terms.kl:.2f}")
                return False
            self.step(gradients)
        return True

    def _differentiate(self, stretch: Stretch) -> tuple[Sequence[Gradients], Terms]:
        """Return the gradients of each part of a minibatch's loss, and the loss's terms."""
        advantages = self.buffer.column("advantages", stretch).numpy()
        if self.model.normalize_advantage:
            advantages = (advantages - advantages.mean()) / (advantages.std(ddof=1) + 1e-8)
        stretches = self.buffer.cut(stretch, self.parts)
        shares = th.from_numpy(advantages).split([part.size for part in stretches])
        # Here: two threads that did it would wait for each other at every turn.
        batches = [self.buffer.minibatch(part) for part in stretches]
        see = partial(self._see, stretch.size)
        found = side_by_side(see, list(zip(batches, shares, strict=True)))
        gradients, terms = zip(*found, strict=True)
        return gradients, Terms(*map(sum, zip(*terms, strict=True)))

    def _see(self, size: int, part: tuple[Any, th.Tensor]) -> tuple[Gradients, Terms]:
        """Return what a part of a minibatch of so many samples adds to gradients and terms."""
        batch, advantages = part
        foreseen = foresee(self.policy, self.extract, batch)
        old = batch.returns, batch.old_values
        samples = Samples(batch.actions[:, 0], batch.old_log_prob, advantages, *old)
        *blamed, terms = differentiate_loss(*foreseen, samples, size, self.coefficients)
        learn = [(x, by) for x, by in zip(foreseen, blamed, strict=True) if x.requires_grad]
        if not learn:
            return [None] * len(self.parameters), terms
        outputs, by_outputs = zip(*learn, strict=True)
        return th.autograd.grad(outputs, self.parameters, by_outputs, allow_unused=True), terms

    def _record(self, seen: list[list[Terms]]) -> None:
        """Log what the stock class logs; of divergences it logs those of the last epoch."""
        model, buffer, given = self.model, self.buffer, self.coefficients
        means, last = Terms(*np.mean(np.concatenate(seen), axis=0).tolist()), seen[-1][-1]
        told = {
            "entropy_loss": means.entropy,
            "policy_gradient_loss": means.policy,
            "value_loss": means.value,
            "approx_kl": float(np.mean([terms.kl for terms in seen[-1]])),
            "clip_fraction": means.clipped,
            "loss": last.policy + given.entropy * last.entropy + given.value * last.value,
            "explained_variance": explained_variance(buffer.values.ravel(), buffer.returns.ravel()),
            "clip_range": given.clip,
        }
        if model.clip_range_vf is not None:
            told["clip_range_vf"] = given.clip_values
        for name, value in told.items():
            model.logger.record(f"train/{name}", value)
        model.logger.record("train/n_updates", model._n_updates, exclude="tensorboard")


def foresee(
    policy: RecurrentActorCriticPolicy, extract: Callable[[Any], Any], batch: Any
) -> tuple[th.Tensor, th.Tensor]:
    """Return logits [B, actions] and values [B] of samples, as `evaluate_actions` has them.

    Args:
        policy: whose heads are known.
        extract: its `extract_features`, or the part of it that depends on weights.
        batch: `RecurrentRolloutBufferSamples` with `Rows`.
    """
    actors, critics = pair(extract(batch.observations))
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


def pair(features: Any) -> tuple[th.Tensor, th.Tensor]:
    """Return the actor's and the critic's features, which may be the same."""
    return (features, features) if isinstance(features, th.Tensor) else features


def coefficients_of(model: RecurrentPPO) -> Coefficients:
    """Return those of the model's loss at this point of its training."""
    remaining, limit = model._current_progress_remaining, model.clip_range_vf
    return Coefficients(
        clip=float(cast(Any, model.clip_range)(remaining)),
        clip_values=np.inf if limit is None else float(cast(Any, limit)(remaining)),
        entropy=float(model.ent_coef),
        value=float(model.vf_coef),
    )
