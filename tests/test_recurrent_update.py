"""What a policy does in its own way, and what happens between updates, is as in the stock class."""

from collections.abc import Callable
from types import MethodType
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch as th
from chance_models import (
    ATOL,
    NUM_ENVS,
    NUM_STEPS,
    ROLLOUT,
    Chance,
    build,
    distance,
    torch_threads,
)
from gymnasium import spaces
from sb3_contrib import RecurrentPPO
from sb3_contrib.common.recurrent.policies import RecurrentMultiInputActorCriticPolicy
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import DummyVecEnv

from mesabench.baselines.bench import PlainEncoder
from mesabench.baselines.encoder import Digest, GridEncoder, sight_of
from mesabench.baselines.recurrent_ppo import FlatRecurrentPPO
from mesabench.baselines.recurrent_steps import can_be_stepped

Change = Callable[[Any], Any]
POLICY = RecurrentMultiInputActorCriticPolicy
IMAGE = spaces.Box(0, 10, (147,), np.uint8)
FACING: dict[str, Any] = {"image": IMAGE, "direction": spaces.Discrete(4)}
SEEN: dict[str, dict[str, Any]] = {
    "image and direction": FACING,
    "image alone": {"image": IMAGE},
    "two numbers": FACING | {"pair": spaces.MultiDiscrete([3, 4])},
    "a picture": FACING | {"picture": spaces.Box(0, 255, (36, 36, 3), np.uint8)},
    "an image in three axes": {"image": spaces.Box(0, 10, (7, 7, 3), np.uint8)},
}


class Three(NamedTuple):
    """Models of equal seeds on equal worlds."""

    one: RecurrentPPO  # ours, in one thread
    two: RecurrentPPO  # ours, in two
    stock: RecurrentPPO


def learn_equally(learn: Callable[[type[RecurrentPPO]], RecurrentPPO]) -> Three:
    """Let all of them learn, and check that they have learnt the same."""
    kinds = (FlatRecurrentPPO, 1), (FlatRecurrentPPO, 2), (RecurrentPPO, 1)
    found = []
    for algorithm, threads in kinds:
        with torch_threads(threads):
            found.append(learn(algorithm))
    three = Three(*found)
    assert distance(three.one, three.stock) < ATOL
    assert distance(three.two, three.stock) < ATOL
    return three


def learn_of(
    seen: dict[str, spaces.Space], policy: type = POLICY, change: Change = lambda policy: None
) -> Three:
    """Let them learn on random worlds in which all that is seen, behind the same encoder."""

    def learn(algorithm: type[RecurrentPPO]) -> RecurrentPPO:
        encoder = PlainEncoder if algorithm is RecurrentPPO else GridEncoder
        model = algorithm(
            policy,
            DummyVecEnv([lambda i=i: Chance(spaces.Dict(seen), 0.07, i) for i in range(NUM_ENVS)]),
            learning_rate=3e-3,
            n_steps=NUM_STEPS,
            batch_size=24,
            n_epochs=2,
            seed=0,
            policy_kwargs={"lstm_hidden_size": 8, "features_extractor_class": encoder},
        )
        change(model.policy)
        return model.learn(3 * ROLLOUT)

    return learn_equally(learn)


@pytest.mark.parametrize("seen", SEEN.values(), ids=SEEN)
def test_whatever_is_seen_beside_the_view_is_seen_as_by_the_stock_class(seen):
    ours = learn_of(seen).one
    plain = all(isinstance(s, spaces.Discrete) or s.shape == (147,) for s in seen.values())
    assert (sight_of(ours.policy, Digest) is not None) == plain  # type: ignore[arg-type]


class Dim(POLICY):
    """Sees half of what the encoder does."""

    def extract_features(self, obs: Any, features_extractor: Any = None) -> Any:
        features: Any = super().extract_features(obs, features_extractor)
        return 0.5 * features


def hook_encoder(policy: Any) -> None:
    policy.features_extractor.register_forward_hook(lambda module, given, found: 0.5 * found)


def hook_heads(policy: Any) -> None:
    policy.action_net.register_forward_hook(lambda module, given, found: 0.5 * found)


def evaluate_in_its_own_way(policy: Any) -> None:
    def evaluate_actions(self: Any, *given: Any) -> Any:
        values, log_probs, entropy = type(self).evaluate_actions(self, *given)
        return 0.5 * values, log_probs, entropy

    policy.evaluate_actions = MethodType(evaluate_actions, policy)


@pytest.mark.parametrize("change", [hook_encoder, hook_heads, evaluate_in_its_own_way])
def test_what_is_hooked_to_a_policy_is_done(change):
    ours = learn_of(FACING, change=change).one
    assert not can_be_stepped(ours.policy)  # type: ignore[arg-type]


def test_a_policy_may_extract_features_in_its_own_way():
    assert distance(learn_of(FACING, Dim).one, learn_of(FACING).one) > 100 * ATOL


@pytest.mark.parametrize("optimizer", [th.optim.Adam, th.optim.AdamW, th.optim.SGD])
def test_weights_that_are_frozen_between_updates_stay(optimizer):
    def learn(algorithm: type[RecurrentPPO]) -> RecurrentPPO:
        model = build(algorithm, optimizer_class=optimizer).learn(ROLLOUT)
        lstm: Any = model.policy.lstm_actor
        lstm.requires_grad_(False)
        kept = [weight.clone() for weight in lstm.parameters()]
        model.learn(2 * ROLLOUT, reset_num_timesteps=False)
        assert all(map(th.equal, lstm.parameters(), kept))
        return model

    learn_equally(learn)


class Shrink(BaseCallback):
    """Changes weights before each rollout."""

    def _on_rollout_start(self) -> None:
        policy: Any = self.model.policy
        with th.no_grad():
            for weight in policy.parameters():
                weight *= 0.5

    def _on_step(self) -> bool:
        return True


def test_weights_may_change_before_a_rollout():
    learn_equally(lambda algorithm: build(algorithm).learn(3 * ROLLOUT, callback=Shrink()))


def test_a_sample_that_is_left_over_is_not_passed_over_in_silence():
    """Its advantage has no standard deviation: the loss is no number, and weights become none."""
    for algorithm in (FlatRecurrentPPO, RecurrentPPO):
        with pytest.raises(ValueError, match=r"not numbers|Categorical"):
            build(algorithm, batch_size=9).learn(2 * ROLLOUT)
