"""Recurrent cores compute what they are named after, and reset exactly."""

from typing import Any

import numpy as np
import pytest
import torch as th
from chance_models import Chance, distance
from gymnasium import spaces
from sb3_contrib import RecurrentPPO
from scipy.special import expit
from stable_baselines3.common.vec_env import DummyVecEnv
from torch import nn

import mesabench
from mesabench.agents.export import export_sb3
from mesabench.agents.onnx_agent import OnnxAgent
from mesabench.agents.sb3_agent import Sb3Agent
from mesabench.baselines.algorithms import get_algorithm
from mesabench.baselines.algorithms.drc import ConvLstm
from mesabench.baselines.algorithms.gru_ppo import Gru
from mesabench.baselines.cores import Core
from mesabench.baselines.in_parts import can_be_parted
from mesabench.baselines.recurrent_minibatches import FlatMinibatches
from mesabench.baselines.recurrent_ppo import FlatRecurrentPPO
from mesabench.baselines.train import build_model
from mesabench.observation import observation_space

ENVS, STEPS = 4, 16
SPACE = spaces.Dict(
    {
        "image": spaces.Box(0, 10, (147,), np.uint8),
        "inventory": spaces.Box(0, 9, (2,), np.float32),
    }
)
SMALL: dict[str, dict[str, Any]] = {
    "gru": {"algorithm": "gru-ppo", "gru": 6},
    "gru, critic without": {"algorithm": "gru-ppo", "gru": 6, "critic_gru": False},
    "drc": {"algorithm": "drc", "channels": 3},
    "drc, two layers": {"algorithm": "drc", "channels": 2, "depth": 2, "ticks": 2, "inject": True},
}
CORES = {
    "gru": lambda: Gru(5, 6),
    "gru, two layers": lambda: Gru(5, 6, 2),
    "drc": lambda: ConvLstm(49 * 2 + 3, 2, 3, 7),
    "drc, two layers": lambda: ConvLstm(49 * 2, 2, 3, 7, depth=2, ticks=2, inject=True),
}
EXPORTED = {**SMALL, "planner": {"algorithm": "planner-head"}}


@pytest.fixture(autouse=True)
def _one_thread():
    before = th.get_num_threads()
    th.set_num_threads(1)
    yield
    th.set_num_threads(before)


def args(algorithm: str, **settings: Any) -> Any:
    sizes = {"num_envs": ENVS, "rollout": STEPS, "hidden": 8, "cell": 2, "threads": 1}
    return get_algorithm(algorithm).Args(**sizes, **settings)


def learnt(settings: dict[str, Any], kind: type[RecurrentPPO], monkeypatch: Any) -> RecurrentPPO:
    """A model of the class `kind`, after three updates on random views."""
    module = get_algorithm(settings["algorithm"])
    monkeypatch.setattr(module, "FlatRecurrentPPO", kind)
    env = DummyVecEnv([lambda i=i: Chance(SPACE, 0.14, i) for i in range(ENVS)])
    model = module.build(mesabench.get_task("RedDoor-v0"), args(**settings), env)
    return model.learn(3 * ENVS * STEPS)


@pytest.fixture(params=CORES)
def core(request) -> Core:
    th.manual_seed(0)
    return CORES[request.param]()


def states(core: Core, batch: int, value: float = 0.0) -> tuple[th.Tensor, th.Tensor]:
    shape = core.num_layers, batch, core.hidden_size
    cell = value if "c" in core.memory else 0.0
    return th.full(shape, value), th.full(shape, cell)


@pytest.mark.parametrize("settings", SMALL.values(), ids=SMALL)
def test_training_gives_the_weights_of_the_stock_class(settings, monkeypatch):
    ours = learnt(settings, FlatRecurrentPPO, monkeypatch)
    stock = learnt(settings, RecurrentPPO, monkeypatch)
    assert isinstance(ours.rollout_buffer, FlatMinibatches)
    assert not isinstance(stock.rollout_buffer, FlatMinibatches)
    starts = stock.rollout_buffer.episode_starts  # type: ignore[attr-defined]
    assert (starts[1:] > 0).sum() >= 3
    assert distance(ours, stock) < 1e-6
    assert not can_be_parted(ours.policy)  # type: ignore[arg-type]


def test_a_core_runs_a_sequence_as_it_runs_single_steps(core):
    inputs, state = th.randn(5, 3, core.input_size), states(core, 3, 0.5)
    outputs, last = core(inputs, state)
    kept = [s.transpose(0, 1) for s, name in zip(state, "hc", strict=True) if name in core.memory]
    for x, output in zip(inputs, outputs, strict=True):
        found, kept = core.one_step(x, *kept)
        assert th.allclose(found, output, atol=1e-6)
    used = [s for s, name in zip(last, "hc", strict=True) if name in core.memory]
    for found, wanted in zip(kept, used, strict=True):
        assert th.allclose(found.transpose(0, 1), wanted, atol=1e-6)


def sequence_with_a_reset(core: Core) -> tuple[th.Tensor, th.Tensor]:
    """Nine steps of two rows; in the first row there is a reset at step 4."""
    inputs, resets = 10 * th.randn(9, 2, core.input_size), th.zeros(9, 2, 1)
    inputs[4, 0], resets[4, 0] = 0.0, 1.0
    return inputs, resets


def test_the_state_is_exactly_zero_after_a_reset(core):
    inputs, resets = sequence_with_a_reset(core)
    _, last = core(inputs[:5], states(core, 2, 50.0), resets[:5])
    assert all(th.count_nonzero(state[:, 0]) == 0 for state in last)
    assert th.count_nonzero(last[0][:, 1]) == core.num_layers * core.hidden_size


def test_after_a_reset_outputs_are_those_of_a_new_sequence(core):
    inputs, resets = sequence_with_a_reset(core)
    outputs, _ = core(inputs, states(core, 2, 50.0), resets)
    fresh, _ = core(inputs[5:], states(core, 2))
    assert th.allclose(outputs[5:, 0], fresh[:, 0], atol=1e-6)  # numbers are up to 10
    whole, _ = core(inputs, states(core, 2, 50.0))
    assert th.allclose(outputs[:, 1], whole[:, 1], atol=1e-6)
    assert not th.allclose(outputs[5:, 0], whole[5:, 0], rtol=0, atol=1e-6)


def test_gradients_do_not_cross_a_reset(core):
    inputs, resets = sequence_with_a_reset(core)
    inputs = (inputs / 10).requires_grad_()
    outputs, _ = core(inputs, states(core, 2), resets)
    (gradient,) = th.autograd.grad(outputs[8].sum(), inputs)
    assert th.count_nonzero(gradient[:4, 0]) == 0
    assert th.count_nonzero(gradient[5:, 0]) > 0
    assert th.count_nonzero(gradient[:4, 1]) > 0


def test_weights_get_no_gradient_from_a_reset_itself(core):
    inputs, resets = sequence_with_a_reset(core)
    inputs = inputs[:, :1] / 10
    joined, _ = core(inputs, states(core, 1), resets[:, :1])
    parts = [core(part, states(core, 1))[0] for part in (inputs[:4], inputs[5:])]
    whole = th.cat((joined[:4], joined[5:])).square().sum()
    found = th.autograd.grad(whole, list(core.parameters()))
    wanted = th.autograd.grad(th.cat(parts).square().sum(), list(core.parameters()))
    for ours, theirs in zip(found, wanted, strict=True):
        assert th.allclose(ours, theirs, atol=1e-5)


def test_a_gru_core_is_torchs_gru():
    core, theirs = Gru(5, 6, 2), nn.GRU(5, 6, 2)
    theirs.load_state_dict(core.gru.state_dict())
    x, h = th.randn(7, 3, 5), th.randn(2, 3, 6)
    wanted, hidden = theirs(x, h)
    kept = (h.transpose(0, 1),)
    for step in range(7):
        found, kept = core.one_step(x[step], *kept)
        assert th.allclose(found, wanted[step], atol=1e-6)
    assert th.allclose(kept[0].transpose(0, 1), hidden, atol=1e-6)


def test_one_tick_of_drc_is_a_conv_lstm():
    """Written out cell by cell: gates are sums over the 3 × 3 cells around each cell."""
    cell, channels = 2, 3
    core = ConvLstm(49 * cell + 4, cell, channels, 7, ticks=1)
    x = np.random.default_rng(0).normal(size=49 * cell + 4).astype(np.float32)
    h, c = np.random.default_rng(1).normal(size=(2, channels, 7, 7)).astype(np.float32)
    state = tuple(th.from_numpy(s.reshape(1, 1, -1)) for s in (h, c))
    found, following = core.one_step(th.from_numpy(x[None]), *state)

    w = {name: p.detach().numpy() for name, p in core.named_parameters()}
    padded = [np.pad(m, ((0, 0), (1, 1), (1, 1))) for m in (view(x, cell), h)]
    gates = np.zeros((4 * channels, 7, 7), np.float32)
    for i in range(7):
        for j in range(7):
            near = [m[:, i : i + 3, j : j + 3].ravel() for m in padded]
            gates[:, i, j] = w["look.bias"] + w["tell.weight"] @ x[-4:]
            gates[:, i, j] += w["look.weight"].reshape(4 * channels, -1) @ near[0]
            gates[:, i, j] += w["recur.0.weight"].reshape(4 * channels, -1) @ near[1]
    enter, forget, show, new = gates.reshape(4, channels, 7, 7)
    cells = expit(forget) * c + expit(enter) * np.tanh(new)
    hidden = expit(show) * np.tanh(cells)
    out = w["out.weight"] @ np.concatenate((hidden.ravel(), x)) + w["out.bias"]
    assert np.allclose(following[0].detach().numpy().ravel(), hidden.ravel(), atol=1e-5)
    assert np.allclose(following[1].detach().numpy().ravel(), cells.ravel(), atol=1e-5)
    assert np.allclose(found.detach().numpy()[0], np.maximum(out, 0), atol=1e-5)


def view(x: np.ndarray, cell: int) -> np.ndarray:
    """The cells' embeddings at the start of features, [cell, 7, 7]."""
    return x[: 49 * cell].reshape(7, 7, cell).transpose(2, 0, 1)


def test_ticks_of_drc_are_steps_on_the_same_observation_without_the_readout():
    thrice, once = (ConvLstm(98, 2, 3, 7, ticks=ticks) for ticks in (3, 1))
    once.load_state_dict(thrice.state_dict())
    x, state = th.randn(4, 98), [th.randn(4, 1, 147) for _ in "hc"]
    wanted, following = thrice.one_step(x, *state)
    for _ in range(2):
        _, state = once.one_step(x, *state)
    found, state = once.one_step(x, *state)
    assert th.allclose(found, wanted, atol=1e-6)
    assert all(th.allclose(a, b, atol=1e-6) for a, b in zip(state, following, strict=True))


def test_news_crosses_the_map_in_one_tick_only_if_it_is_injected():
    for inject in (False, True):
        core = ConvLstm(98, 2, 3, 7, ticks=1, inject=inject)
        h = th.zeros(1, 1, 3, 7, 7, requires_grad=True)
        _, (following, _) = core.one_step(th.randn(1, 98), h.flatten(2), th.zeros(1, 1, 147))
        corner = following.reshape(3, 7, 7)[:, 0, 0].sum()
        (gradient,) = th.autograd.grad(corner, h)
        assert bool(gradient[0, 0, :, 6, 6].any()) == inject


@pytest.mark.parametrize("settings", EXPORTED.values(), ids=EXPORTED)
def test_the_file_acts_as_the_model(settings, tmp_path):
    task = mesabench.get_task("KeysChests-v0")
    model, space = build_model(task, args(**settings)), observation_space(task)
    with th.no_grad():
        for parameter in model.policy.parameters():
            parameter.mul_(1.5)  # so that what is remembered counts
    path = export_sb3(model, tmp_path / "agent.onnx")
    ours, theirs = OnnxAgent.load(path, space, task.actions), Sb3Agent(model)
    space.seed(0)
    rng, kept, state = np.random.default_rng(0), None, None
    for step in range(40):
        samples = [space.sample() for _ in range(8)]
        obs = {k: np.array([s[k] for s in samples]) for k in samples[0] if k != "mission"}
        start = rng.random(8) < (0.1 if step else 1.0)
        actions, kept = ours(obs, kept, start)
        wanted, state = theirs(obs, state, start)
        assert (actions == wanted).all()


def test_the_critic_teaches_a_shared_core():
    model: Any = build_model(mesabench.get_task("RedDoor-v0"), args("drc"))
    policy = model.policy
    obs = {k: th.as_tensor(v) for k, v in model.env.reset().items()}
    state = th.zeros(1, ENVS, policy.lstm_actor.hidden_size)
    nothing = type("States", (), {"pi": (state, state)})()
    values, _, _ = policy.evaluate_actions(obs, th.zeros(ENVS), nothing, th.ones(ENVS))
    values.sum().backward()
    assert policy.lstm_actor.look.weight.grad.abs().max() > 0
