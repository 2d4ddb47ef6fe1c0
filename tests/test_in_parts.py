"""An update in two parts gives the weights of the stock class, and only where parts add up."""

import itertools
import threading
from typing import Any

import pytest
import torch as th
from chance_models import ATOL, CRITICS, NUM_STEPS, ROLLOUT, Encoder, build, distance, train
from gymnasium import spaces
from sb3_contrib import RecurrentPPO
from sb3_contrib.common.recurrent.policies import RecurrentActorCriticPolicy
from stable_baselines3.common.torch_layers import FlattenExtractor
from torch import nn

from mesabench.baselines import recurrent_update
from mesabench.baselines.in_parts import can_be_parted, side_by_side
from mesabench.baselines.recurrent_minibatches import FlatMinibatches
from mesabench.baselines.recurrent_ppo import FlatRecurrentPPO
from mesabench.baselines.recurrent_rows import Stretch
from mesabench.baselines.recurrent_update import foresee, has_known_heads

PARTED = [
    ("MlpLstmPolicy", 8),
    ("MlpLstmPolicy", 24),
    ("MultiInputLstmPolicy", 24),
    ("MultiInputLstmPolicy", None),
]


@pytest.fixture(autouse=True)
def _same_threads():
    before = th.get_num_threads()
    yield
    th.set_num_threads(before)


@pytest.mark.parametrize("end_rate", [0.0, 0.07, 0.4])
@pytest.mark.parametrize("critic", CRITICS)
@pytest.mark.parametrize(("policy", "batch_size"), PARTED)
def test_training_in_two_threads_gives_the_weights_of_the_stock_class(
    policy, batch_size, critic, end_rate, monkeypatch
):
    """Parts lie on both sides of a row's start; a minibatch of one row has no parts."""
    settings: dict[str, Any] = {"policy": policy, "end_rate": end_rate, "batch_size": batch_size}
    stock = train(RecurrentPPO, **settings, **CRITICS[critic])
    found = []

    def watched(function, parts):
        found.append(len(parts))
        return side_by_side(function, parts)

    monkeypatch.setattr(recurrent_update, "side_by_side", watched)
    th.set_num_threads(2)
    ours = train(FlatRecurrentPPO, **settings, **CRITICS[critic])
    assert th.get_num_threads() == 2
    assert 2 in found
    assert batch_size != 8 or 1 in found
    assert distance(ours, stock) < ATOL


@pytest.mark.parametrize("parts", [1, 2, 3])
def test_minibatches_are_cut_where_environments_begin(parts):
    buffer: Any = build(FlatRecurrentPPO).rollout_buffer
    for start, size in itertools.product(range(ROLLOUT), range(1, ROLLOUT + 1)):
        cut = buffer.cut(Stretch(start, size), parts)
        assert 1 <= len(cut) <= parts
        assert cut[0].start == start
        assert sum(part.size for part in cut) == size
        for before, after in itertools.pairwise(cut):
            assert after.start == (before.start + before.size) % ROLLOUT
            assert after.start % NUM_STEPS == 0
        if parts == 2 and size >= 2 * NUM_STEPS:
            assert max(part.size for part in cut) <= size / 2 + NUM_STEPS / 2 + 1


@pytest.mark.parametrize("critic", ["separate", "none"])
@pytest.mark.parametrize("encoder", [Encoder, FlattenExtractor])
def test_actor_and_critic_may_see_through_encoders_of_their_own(encoder, critic):
    """The stock encoder passes on what it gets, so that both give the same object."""
    settings: dict[str, Any] = {
        "features_extractor_class": encoder,
        "share_features_extractor": False,
        **CRITICS[critic],
    }
    stock = train(RecurrentPPO, **settings)
    th.set_num_threads(2)
    ours = train(FlatRecurrentPPO, **settings)
    assert can_be_parted(ours.policy)
    assert distance(ours, stock) < ATOL


def test_only_the_heads_may_learn():
    def tuned(algorithm: type[RecurrentPPO]) -> RecurrentPPO:
        model = build(algorithm)
        policy: Any = model.policy
        for weight in [*policy.lstm_actor.parameters(), *policy.lstm_critic.parameters()]:
            weight.requires_grad_(False)
        return model.learn(3 * ROLLOUT)

    stock, untrained = tuned(RecurrentPPO), build(RecurrentPPO)
    th.set_num_threads(2)
    ours = tuned(FlatRecurrentPPO)
    assert distance(ours, stock) < ATOL
    assert distance(stock, untrained) > 100 * ATOL


def test_an_encoder_may_write_to_what_it_sees():
    """Samples are seen once in every epoch, as they were."""

    class Halving(Encoder):
        def forward(self, observations: th.Tensor) -> th.Tensor:
            return self.net(observations.mul_(0.5))

    stock = train(RecurrentPPO, features_extractor_class=Halving)
    for threads in (1, 2):
        th.set_num_threads(threads)
        ours = train(FlatRecurrentPPO, features_extractor_class=Halving)
        assert distance(ours, stock) < ATOL


def test_a_policy_with_ways_of_its_own_has_no_parts():
    class Own(RecurrentActorCriticPolicy):
        def evaluate_actions(self, obs: Any, actions: Any, lstm_states: Any, episode_starts: Any):
            return super().evaluate_actions(obs, actions, lstm_states, episode_starts)

    th.set_num_threads(2)
    model = FlatRecurrentPPO(Own, build(RecurrentPPO).env, n_steps=NUM_STEPS, batch_size=24)
    assert not has_known_heads(model.policy)
    assert has_known_heads(build(FlatRecurrentPPO).policy)
    assert isinstance(model.rollout_buffer, FlatMinibatches)
    model.learn(ROLLOUT)


def test_a_batch_that_is_normalised_has_no_parts():
    """It is no sum of its halves."""

    class Normalised(Encoder):
        def __init__(self, observation_space: spaces.Box) -> None:
            super().__init__(observation_space)
            self.net.append(nn.BatchNorm1d(5))

    one = train(FlatRecurrentPPO, features_extractor_class=Normalised)
    th.set_num_threads(2)
    two = train(FlatRecurrentPPO, features_extractor_class=Normalised)
    assert can_be_parted(build(FlatRecurrentPPO).policy)
    assert not can_be_parted(two.policy)
    assert distance(one, two) < ATOL


@pytest.mark.parametrize("in_main", [True, False])
def test_an_error_in_a_part_is_raised_and_threads_are_put_back(in_main, monkeypatch):
    th.set_num_threads(2)
    model = build(FlatRecurrentPPO)

    def fail(*given):
        if in_main == (threading.current_thread() is threading.main_thread()):
            raise RuntimeError("no")
        return foresee(*given)

    monkeypatch.setattr(recurrent_update, "foresee", fail)
    with pytest.raises(RuntimeError, match="no"):
        model.learn(ROLLOUT)
    assert th.get_num_threads() == 2
