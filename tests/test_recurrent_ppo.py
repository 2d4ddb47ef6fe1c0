"""`FlatRecurrentPPO` against the installed `RecurrentPPO`, and what a reset token guarantees."""

from copy import deepcopy
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch as th
from gymnasium import spaces
from sb3_contrib import RecurrentPPO
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from stable_baselines3.common.vec_env import DummyVecEnv
from torch import nn

from mesabench.baselines import recurrent_minibatches, recurrent_ppo
from mesabench.baselines.in_parts import Parts, can_be_parted, evaluate_actions
from mesabench.baselines.recurrent_minibatches import FlatMinibatches, Rows, lay_out
from mesabench.baselines.recurrent_ppo import FlatRecurrentPPO, process_sequence, run_layer

NUM_ENVS, NUM_STEPS = 4, 16
ROLLOUT = NUM_ENVS * NUM_STEPS
ATOL = 1e-5  # the largest difference seen in a float32 weight is 2.5e-7

VECTOR = spaces.Box(-1, 1, (3,), np.float32)
DICT = spaces.Dict({"view": spaces.Box(0, 10, (2, 2), np.uint8), "facing": spaces.Discrete(4)})
IMAGE = spaces.Box(0, 255, (36, 36, 3), np.uint8)
SPACES = {"MlpLstmPolicy": VECTOR, "MultiInputLstmPolicy": DICT, "CnnLstmPolicy": IMAGE}
PARTED = [("MultiInputLstmPolicy", None), ("MultiInputLstmPolicy", 24), ("MlpLstmPolicy", 8)]
CRITICS: dict[str, dict[str, Any]] = {
    "separate": {"enable_critic_lstm": True},
    "none": {"enable_critic_lstm": False},
    "shared": {"enable_critic_lstm": False, "shared_lstm": True},
}


class Chance(gym.Env):
    """Random observations and rewards; episodes terminate and are truncated at a given rate."""

    action_space = spaces.Discrete(3)

    def __init__(self, space: spaces.Space, end_rate: float, seed: int) -> None:
        self.observation_space = deepcopy(space)
        self.observation_space.seed(seed)
        self.end_rate = end_rate
        self.rng = np.random.default_rng(seed)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        return self.observation_space.sample(), {}

    def step(self, action: int):
        terminated, truncated = (self.rng.random(2) < self.end_rate / 2).tolist()
        reward = float(action == 1) + self.rng.normal()
        return self.observation_space.sample(), reward, terminated, truncated, {}


class Encoder(BaseFeaturesExtractor):
    """A features extractor with weights of its own, through which gradients flow."""

    def __init__(self, observation_space: spaces.Box) -> None:
        super().__init__(observation_space, features_dim=5)
        self.net = nn.Sequential(nn.Linear(observation_space.shape[0], 5), nn.Tanh())

    def forward(self, observations: th.Tensor) -> th.Tensor:
        return self.net(observations)


@pytest.fixture(autouse=True)
def _one_thread():
    before = th.get_num_threads()
    th.set_num_threads(1)
    yield
    th.set_num_threads(before)


def build(
    algorithm: type[RecurrentPPO],
    *,
    policy: str = "MlpLstmPolicy",
    end_rate: float = 0.07,
    batch_size: int | None = 24,
    seed: int = 0,
    device: str = "cpu",
    **policy_kwargs: Any,
) -> RecurrentPPO:
    def make_env(index: int) -> Chance:
        return Chance(SPACES[policy], end_rate, seed * NUM_ENVS + index)

    return algorithm(
        policy,
        DummyVecEnv([lambda i=i: make_env(i) for i in range(NUM_ENVS)]),
        learning_rate=3e-3,
        n_steps=NUM_STEPS,
        batch_size=batch_size,
        n_epochs=2,
        ent_coef=0.01,
        seed=seed,
        device=device,
        policy_kwargs={"net_arch": [6], "lstm_hidden_size": 8} | policy_kwargs,
    )


def train(algorithm: type[RecurrentPPO], **settings: Any) -> RecurrentPPO:
    return build(algorithm, **settings).learn(3 * ROLLOUT)


def distance(one: RecurrentPPO, other: RecurrentPPO) -> float:
    """The largest difference between weights of the same name."""
    weights, others = one.policy.state_dict(), other.policy.state_dict()
    assert weights.keys() == others.keys()
    return max(float((weights[name] - others[name]).abs().max()) for name in weights)


@pytest.mark.parametrize("batch_size", [24, None])
@pytest.mark.parametrize("end_rate", [0.0, 0.07, 0.4])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("critic", CRITICS)
@pytest.mark.parametrize(("policy", "seed"), [("MlpLstmPolicy", 0), ("MultiInputLstmPolicy", 1)])
def test_training_gives_the_weights_of_the_stock_class(
    policy, seed, critic, layers, end_rate, batch_size
):
    settings = CRITICS[critic] | {
        "policy": policy,
        "seed": seed,
        "n_lstm_layers": layers,
        "end_rate": end_rate,
        "batch_size": batch_size,
    }
    ours, stock = (train(algorithm, **settings) for algorithm in (FlatRecurrentPPO, RecurrentPPO))
    assert isinstance(ours.rollout_buffer, FlatMinibatches)
    assert distance(ours, stock) < ATOL


@pytest.mark.parametrize(
    "settings",
    [
        {"policy": "CnnLstmPolicy"},
        {"features_extractor_class": Encoder},
        {"features_extractor_class": Encoder, "share_features_extractor": False},
        {"lstm_kwargs": {"bias": False}},
    ],
    ids=["cnn", "custom encoder", "two encoders", "no bias"],
)
def test_training_gives_the_weights_of_the_stock_class_whatever_the_encoder(settings):
    ours, stock = (train(algorithm, **settings) for algorithm in (FlatRecurrentPPO, RecurrentPPO))
    assert isinstance(ours.rollout_buffer, FlatMinibatches)
    assert distance(ours, stock) < ATOL


@pytest.mark.parametrize("end_rate", [0.0, 0.07, 0.4])
@pytest.mark.parametrize("critic", CRITICS)
@pytest.mark.parametrize(("policy", "batch_size"), [("MlpLstmPolicy", 24), *PARTED])
def test_training_in_two_threads_gives_the_weights_of_the_stock_class(
    policy, batch_size, critic, end_rate, monkeypatch
):
    """Parts lie on both sides of a row's start; a minibatch of one row has no parts."""
    settings: dict[str, Any] = {"policy": policy, "end_rate": end_rate, "batch_size": batch_size}
    stock = train(RecurrentPPO, **settings, **CRITICS[critic])
    found = []

    def watched(policy, obs, actions, lstm_states, episode_starts):
        found.append(len(lstm_states.sizes) if isinstance(lstm_states, Parts) else 1)
        return evaluate_actions(policy, obs, actions, lstm_states, episode_starts)

    monkeypatch.setattr(recurrent_ppo, "evaluate_actions", watched)
    th.set_num_threads(2)
    ours = train(FlatRecurrentPPO, **settings, **CRITICS[critic])
    assert th.get_num_threads() == 2
    assert 2 in found
    assert batch_size != 8 or 1 in found
    assert distance(ours, stock) < ATOL


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


def test_an_error_in_a_part_is_raised_and_threads_are_put_back(monkeypatch):
    th.set_num_threads(2)
    model = build(FlatRecurrentPPO)

    def fail(*given):
        raise RuntimeError("no")

    monkeypatch.setattr(type(model.policy), "evaluate_actions", fail)
    with pytest.raises(RuntimeError, match="no"):
        model.learn(ROLLOUT)
    assert th.get_num_threads() == 2


@pytest.mark.skipif(not th.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("critic", CRITICS)
def test_training_gives_the_weights_of_the_stock_class_on_a_gpu(critic):
    settings = CRITICS[critic] | {"policy": "MultiInputLstmPolicy", "device": "cuda"}
    ours, stock = (train(algorithm, **settings) for algorithm in (FlatRecurrentPPO, RecurrentPPO))
    assert isinstance(ours.rollout_buffer, FlatMinibatches)
    assert next(ours.policy.parameters()).is_cuda
    assert distance(ours, stock) < 10 * ATOL


def test_without_resets_the_weights_differ(monkeypatch):
    def without_resets(row_starts, episode_starts):
        return lay_out(row_starts, np.zeros_like(episode_starts))

    stock = train(RecurrentPPO)
    monkeypatch.setattr(recurrent_minibatches, "lay_out", without_resets)
    assert distance(train(FlatRecurrentPPO), stock) > 100 * ATOL


@pytest.mark.parametrize("policy", ["MlpLstmPolicy", "MultiInputLstmPolicy"])
def test_minibatches_hold_the_samples_of_the_stock_buffer(policy, monkeypatch):
    def minibatches(algorithm: type[RecurrentPPO]) -> list[Any]:
        monkeypatch.setattr(RecurrentPPO, "train", lambda model: None)
        model = build(algorithm, policy=policy).learn(ROLLOUT)
        return list(model.rollout_buffer.get(24))

    for ours, stock in zip(minibatches(FlatRecurrentPPO), minibatches(RecurrentPPO), strict=True):
        real = stock.mask > 0
        for name in ("actions", "old_values", "old_log_prob", "advantages", "returns"):
            assert th.equal(getattr(ours, name), getattr(stock, name)[real])
        if policy == "MlpLstmPolicy":
            assert th.equal(ours.observations, stock.observations[real])
            continue
        for key, observation in ours.observations.items():
            assert th.equal(observation, stock.observations[key][real])
        assert ours.observations["view"].dtype == th.uint8


def test_a_reset_token_precedes_each_episode_that_starts_inside_a_row():
    row_starts = np.array([1, 0, 0, 1, 0], bool)
    episode_starts = np.array([0, 1, 0, 1, 0], bool)
    layout = lay_out(row_starts, episode_starts)
    grid = np.full((4, 2), ".")
    grid.flat[layout.places] = list("abcde")
    grid[layout.resets[:, :, 0] == 1] = "|"
    assert ["".join(row) for row in grid.T] == ["a|bc", "de.."]
    assert layout.first.tolist() == [0, 3]


@pytest.fixture
def one_row() -> tuple[nn.LSTM, Rows, th.Tensor]:
    """A row of six samples whose episode changes after four, entered in a large state."""
    th.manual_seed(0)
    lstm = nn.LSTM(3, 8, num_layers=2)
    starts = np.array([0, 0, 0, 0, 1, 0], bool)
    layout = lay_out(np.arange(6) == 0, starts)
    hidden, cell = th.ones(2, 1, 8), th.full((2, 1, 8), 50.0)
    rows = Rows(hidden, cell, th.from_numpy(layout.places), th.from_numpy(layout.resets))
    return lstm, rows, 10 * th.randn(6, 3)


def test_state_after_a_reset_token_is_exactly_zero(one_row):
    lstm, rows, _ = one_row
    outputs = run_layer(lstm, 0, 10 * th.randn(7, 1, 3), rows)
    # The output gate is open, so that a hidden state of zero means a cell state of zero.
    assert th.count_nonzero(outputs[4]) == 0
    assert th.count_nonzero(outputs[3]) == th.count_nonzero(outputs[5]) == 8


def test_after_an_episode_start_outputs_are_those_of_a_fresh_lstm(one_row):
    lstm, rows, features = one_row
    outputs, _ = process_sequence(features, rows, th.zeros(6), lstm)
    fresh, _ = lstm(features[4:, None])
    assert th.allclose(outputs[4:], fresh[:, 0], rtol=0, atol=1e-6)


def test_gradients_do_not_cross_an_episode_start(one_row):
    lstm, rows, features = one_row
    features.requires_grad_()
    outputs, _ = process_sequence(features, rows, th.zeros(6), lstm)
    (before,) = th.autograd.grad(outputs[3].sum(), features, retain_graph=True)
    (after,) = th.autograd.grad(outputs[5].sum(), features)
    assert before[:4].abs().amin() > 0
    assert th.count_nonzero(before[4:]) == 0
    assert after[4:].abs().amin() > 0
    assert th.count_nonzero(after[:4]) == 0


def test_dropout_falls_back_to_the_stock_class():
    settings = {"n_lstm_layers": 2, "lstm_kwargs": {"dropout": 0.1}}
    ours, stock = (train(algorithm, **settings) for algorithm in (FlatRecurrentPPO, RecurrentPPO))
    assert type(ours.rollout_buffer) is type(stock.rollout_buffer)
    assert distance(ours, stock) == 0


@pytest.mark.parametrize("critic", CRITICS)
def test_weights_interchange_with_the_stock_class(critic):
    ours, stock = train(FlatRecurrentPPO, **CRITICS[critic]), build(RecurrentPPO, **CRITICS[critic])
    assert distance(ours, stock) > 0
    weights: Any = ours.get_parameters()
    stock.set_parameters(weights)
    assert distance(ours, stock) == 0
    weights = stock.learn(ROLLOUT).get_parameters()
    ours.set_parameters(weights)
    assert distance(ours, stock) == 0


def test_a_saved_model_loads_in_the_stock_class(tmp_path):
    ours = train(FlatRecurrentPPO)
    ours.save(tmp_path / "model")
    assert distance(ours, RecurrentPPO.load(tmp_path / "model", device="cpu")) == 0
