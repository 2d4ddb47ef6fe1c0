"""`FlatRecurrentPPO` against the installed `RecurrentPPO`, and what a reset token guarantees."""

from typing import Any

import numpy as np
import pytest
import torch as th
from chance_models import ATOL, CRITICS, ROLLOUT, Encoder, build, distance, torch_threads, train
from sb3_contrib import RecurrentPPO
from torch import nn

from mesabench.baselines import recurrent_minibatches
from mesabench.baselines.recurrent_minibatches import FlatMinibatches
from mesabench.baselines.recurrent_ppo import FlatRecurrentPPO, process_sequence, run_layer
from mesabench.baselines.recurrent_rows import Grid, Rows, Stretch, lay_out


@pytest.fixture(autouse=True)
def _one_thread():
    before = th.get_num_threads()
    th.set_num_threads(1)
    yield
    th.set_num_threads(before)


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
        # Adam makes steps of one size of the smallest gradients, whose signs rounding can turn.
        {"policy": "CnnLstmPolicy", "optimizer_class": th.optim.SGD},
        {"features_extractor_class": Encoder},
        {"features_extractor_class": Encoder, "share_features_extractor": False},
        {"lstm_kwargs": {"bias": False}},
        {"clip_range_vf": 0.05},
        {"target_kl": 1e-4},
    ],
    ids=["cnn", "custom encoder", "two encoders", "no bias", "clipped values", "stopped early"],
)
def test_training_gives_the_weights_of_the_stock_class_whatever_the_settings(settings):
    stock = train(RecurrentPPO, **settings)
    for threads in (1, 2):
        with torch_threads(threads):
            ours = train(FlatRecurrentPPO, **settings)
        assert isinstance(ours.rollout_buffer, FlatMinibatches)
        assert distance(ours, stock) < ATOL


@pytest.mark.skipif(not th.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("critic", CRITICS)
def test_training_gives_the_weights_of_the_stock_class_on_a_gpu(critic):
    settings = CRITICS[critic] | {"policy": "MultiInputLstmPolicy", "device": "cuda"}
    ours, stock = (train(algorithm, **settings) for algorithm in (FlatRecurrentPPO, RecurrentPPO))
    assert isinstance(ours.rollout_buffer, FlatMinibatches)
    assert next(ours.policy.parameters()).is_cuda
    assert distance(ours, stock) < 10 * ATOL


def test_without_resets_the_weights_differ(monkeypatch):
    def without_resets(stretch, starts, n_steps):
        return lay_out(stretch, np.zeros_like(starts), n_steps)

    stock = train(RecurrentPPO)
    monkeypatch.setattr(recurrent_minibatches, "lay_out", without_resets)
    assert distance(train(FlatRecurrentPPO), stock) > 100 * ATOL


@pytest.mark.parametrize("policy", ["MlpLstmPolicy", "MultiInputLstmPolicy"])
def test_minibatches_hold_the_samples_of_the_stock_buffer(policy, monkeypatch):
    def minibatches(algorithm: type[RecurrentPPO]) -> list[Any]:
        monkeypatch.setattr(algorithm, "train", lambda model: None)
        model = build(algorithm, policy=policy).learn(ROLLOUT)
        return list(model.rollout_buffer.get(24))

    for ours, stock in zip(minibatches(FlatRecurrentPPO), minibatches(RecurrentPPO), strict=True):
        real = stock.mask > 0
        assert th.equal(ours.actions, stock.actions[real])
        # A single step, as it runs in rollouts, rounds otherwise than a sequence of one step.
        for name in ("old_values", "old_log_prob", "advantages", "returns"):
            assert th.allclose(getattr(ours, name), getattr(stock, name)[real], atol=1e-5)
        if policy == "MlpLstmPolicy":
            assert th.equal(ours.observations, stock.observations[real])
            continue
        for key, observation in ours.observations.items():
            assert th.equal(observation, stock.observations[key][real])
        assert ours.observations["view"].dtype == th.uint8


def test_a_reset_token_precedes_each_episode_that_starts_inside_a_row():
    """Samples are those of four environments, of three steps each."""

    def drawn(stretch: Stretch, names: str) -> list[str]:
        layout = lay_out(stretch, starts, 3)
        length, rows, _ = layout.resets.shape
        grid = np.full((length, rows), ".")
        grid.flat[layout.places] = list(names)
        grid[layout.resets[:, :, 0] == 1] = "|"
        assert layout.first.tolist() == ["abcdefghijkl".index(row[0]) for row in grid.T]
        return ["".join(row) for row in grid.T]

    starts = np.array([0, 1, 0, 1, 0, 0, 0, 1, 1, 1, 0, 1], np.float32)
    assert drawn(Stretch(0, 5), "abcde") == ["a|bc", "de.."]
    assert drawn(Stretch(5, 5), "fghij") == ["f....", "g|h|i", "j...."]
    assert drawn(Stretch(10, 4), "klab") == ["k|l", "a|b"]
    assert drawn(Stretch(7, 1), "h") == ["h"]


@pytest.fixture
def one_row() -> tuple[nn.LSTM, Rows, th.Tensor]:
    """A row of six samples whose episode changes after four, entered in a large state."""
    th.manual_seed(0)
    lstm = nn.LSTM(3, 8, num_layers=2)
    layout = lay_out(Stretch(0, 6), np.array([0, 0, 0, 0, 1, 0], np.float32), 6)
    hidden, cell = th.ones(2, 1, 8), th.full((2, 1, 8), 50.0)
    rows = Rows(hidden, cell, Grid(layout, th.from_numpy))
    return lstm, rows, 10 * th.randn(6, 3)


def test_state_after_a_reset_token_is_exactly_zero(one_row):
    lstm, rows, _ = one_row
    inputs = th.cat((10 * th.randn(7, 1, 3), rows.grid.resets), dim=2)
    outputs = run_layer(lstm, 0, inputs, rows)
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
