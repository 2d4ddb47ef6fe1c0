"""A policy in steps chooses, values and remembers what the policy itself does."""

from typing import Any

import numpy as np
import pytest
import torch as th
from chance_models import CRITICS, Encoder, build
from sb3_contrib.common.recurrent.type_aliases import RNNStates
from stable_baselines3.common.utils import obs_as_tensor
from torch import nn

import mesabench
from mesabench.baselines.config import TrainConfig
from mesabench.baselines.lstm_gates import pass_gates
from mesabench.baselines.recurrent_ppo import FlatRecurrentPPO
from mesabench.baselines.recurrent_steps import Layers, Steps, can_be_stepped, draw
from mesabench.baselines.train import build_model
from mesabench.registry import task_ids

WORLDS = 4


def test_gates_are_sigmoids_and_tangents():
    """Over all that float32 tells apart, and beyond; before a start there is nothing."""
    x = np.r_[np.linspace(-25, 25, 4000), -1e30, 1e30, 0.0].astype(np.float32)
    size = len(x)
    shut, open_ = np.full(size, -99, np.float32), np.full(size, 99, np.float32)
    before = np.full((2, size), 3, np.float32)
    hidden, cell = np.empty((2, 2, size), np.float32)

    def after(*gates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        row = np.concatenate(gates)
        starts = np.array([0, 1], np.float32)
        pass_gates(np.stack([row, row]), before, starts, hidden, cell)
        return hidden.astype(float), cell.astype(float)

    true, atol = x.astype(float), 4e-7
    with np.errstate(over="ignore"):
        sigmoid = 1 / (1 + np.exp(-true))
    _, found = after(x, shut, open_, open_)
    np.testing.assert_allclose(found, np.stack([sigmoid, sigmoid]), rtol=0, atol=atol)
    _, found = after(open_, shut, open_, x)
    np.testing.assert_allclose(found, np.stack([np.tanh(true)] * 2), rtol=0, atol=atol)
    _, found = after(shut, x, open_, open_)
    np.testing.assert_allclose(found, np.stack([3 * sigmoid, 0 * true]), rtol=0, atol=3 * atol)
    found, _ = after(open_, shut, x, open_)
    np.testing.assert_allclose(found[0], np.tanh(1) * sigmoid, rtol=0, atol=atol)
    found, now = after(shut, open_, open_, open_)
    np.testing.assert_allclose(found, np.tanh(now), rtol=0, atol=atol)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("layers", [1, 3])
def test_layers_advance_as_an_lstm_does_over_a_sequence(layers, bias):
    th.manual_seed(0)
    lstm = nn.LSTM(3, 8, num_layers=layers, bias=bias)
    states = th.randn(2, layers, WORLDS, 8)
    inputs, starts = th.randn(6, WORLDS, 3), th.zeros(6, WORLDS)
    with th.no_grad():
        wanted, last = lstm(inputs, tuple(states))
        advance, now, outputs = Layers(lstm), tuple(states), []
        for seen, begins in zip(inputs, starts, strict=True):
            output, now = advance(seen, now, begins)  # type: ignore[arg-type]
            outputs.append(output)
    assert th.allclose(th.stack(outputs), wanted, atol=2e-6)
    assert th.allclose(th.stack(now), th.stack(last), atol=2e-6)


def compare(policy: Any, obs: Any, starts: th.Tensor) -> None:
    """Both in turn, with the same random numbers, from the same states."""
    shape = list(policy.lstm_hidden_state_shape)
    shape[1] = len(starts)
    draws = th.Generator().manual_seed(1)
    of_actor = tuple(th.randn(2, *shape, generator=draws))
    of_critic = tuple(th.randn(2, *shape, generator=draws))
    found: list[Any] = []
    with th.no_grad():
        for play in (Steps(policy), policy):
            th.manual_seed(2)
            chosen, values, log_probs, after = play(obs, RNNStates(of_actor, of_critic), starts)
            beyond = play.predict_values(obs, of_critic, starts)
            found.append((chosen, values, log_probs, beyond, *after.pi, *after.vf))
    (ours, *closely), (theirs, *wanted) = found
    assert th.equal(ours, theirs)
    for one, other in zip(closely, wanted, strict=True):
        assert one.shape == other.shape
        assert th.allclose(one, other, atol=1e-5)


SETTINGS: dict[str, dict[str, Any]] = {
    "dict": {"policy": "MultiInputLstmPolicy"},
    "two layers": {"n_lstm_layers": 2},
    "two encoders": {"features_extractor_class": Encoder, "share_features_extractor": False},
    "no hidden layers": {"net_arch": []},
}


@pytest.mark.parametrize("critic", CRITICS)
@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_steps_are_those_of_the_policy(settings, critic):
    if critic == "shared" and "share_features_extractor" in settings:
        pytest.skip("who shares an LSTM shares an encoder")
    model = build(FlatRecurrentPPO, **settings, **CRITICS[critic])
    assert can_be_stepped(model.policy)  # type: ignore[arg-type]
    obs = obs_as_tensor(model.env.reset(), model.device)  # type: ignore[union-attr, arg-type]
    compare(model.policy, obs, th.tensor([0.0, 1.0, 0.0, 0.0]))


@pytest.mark.parametrize("task", task_ids(None))
def test_steps_are_those_of_the_policy_in_every_task(task):
    model = build_model(mesabench.get_task(task), TrainConfig(num_envs=WORLDS, rollout=8))
    assert can_be_stepped(model.policy)
    obs = obs_as_tensor(model.env.reset(), model.device)
    compare(model.policy, obs, th.tensor([1.0, 0.0, 1.0, 0.0]))


def test_actions_are_drawn_as_often_as_they_are_likely():
    logits = th.tensor([[0.0, 1.0, -th.inf], [2.0, 2.0, 2.0]]).repeat(20_000, 1)
    th.manual_seed(0)
    actions, log_probs = draw(logits)
    wanted = logits.log_softmax(1)
    assert th.allclose(log_probs, wanted.gather(1, actions[:, None])[:, 0], atol=1e-6)
    for row in (0, 1):
        share = th.bincount(actions[row::2], minlength=3) / 20_000
        assert th.allclose(share, wanted[row].exp(), atol=0.015)


@pytest.mark.parametrize("broken", [[0.0, th.nan], [0.0, th.inf], [-th.inf, -th.inf]])
def test_what_are_no_logits_is_refused(broken):
    with pytest.raises(ValueError, match="not numbers"):
        draw(th.tensor([[0.0, 1.0], broken]))
