"""Training: it learns, it can be stopped and resumed, and what it exports is what it trained."""

import _thread
import io
import signal
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import pytest
import torch as th
from rich.console import Console
from sb3_contrib import RecurrentPPO
from stable_baselines3.common.callbacks import BaseCallback
from tiny_runs import stopped_after, weights

import mesabench
from mesabench.agents.onnx_agent import OnnxAgent
from mesabench.agents.sb3_agent import Sb3Agent
from mesabench.baselines import bench, commands, progress
from mesabench.baselines.checkpoints import load_checkpoint, read_checkpoint
from mesabench.baselines.clipped_steps import is_plain_adam
from mesabench.baselines.config import QUICK_STEPS, TrainConfig
from mesabench.baselines.encoder import Digest, GridEncoder, sight_of
from mesabench.baselines.progress import EntropySchedule
from mesabench.baselines.recurrent_ppo import FlatRecurrentPPO
from mesabench.baselines.recurrent_steps import can_be_stepped
from mesabench.baselines.standing import as_arrays
from mesabench.baselines.train import build_model, train
from mesabench.errors import MesaBenchError
from mesabench.observation import observation_space
from mesabench.rollout import rollout
from mesabench.sb3 import sb3_spaces

NO_GPU = pytest.mark.skipif(th.cuda.is_available(), reason="there is a GPU")
TINY = TrainConfig(
    steps=1024,
    num_envs=16,
    rollout=32,
    lstm=8,
    hidden=8,
    checkpoint_every=512,
    threads=1,
)


def console() -> tuple[Console, io.StringIO]:
    text = io.StringIO()
    return Console(file=text, width=200), text


@pytest.fixture(params=mesabench.task_ids(None))
def task(request):
    return mesabench.get_task(request.param)


def test_training_moves_the_weights_and_exports_the_same_agent(task, tmp_path):
    path = train(task, TINY, tmp_path, console()[0])
    fresh, model = build_model(task, TINY), build_model(task, TINY)
    steps = load_checkpoint(model, tmp_path / "checkpoints", TINY.fingerprint(task.id), print)
    assert steps >= TINY.steps
    before, after = weights(fresh), weights(model)
    assert all(np.abs(after[name] - before[name]).max() > 0 for name in before)
    agent = OnnxAgent.load(path, observation_space(task), task.actions)
    assert agent.metadata["training_steps"] == str(steps)
    assert agent.metadata["env"] == task.id
    played = rollout(agent, task, "heldout", 16)
    same = rollout(Sb3Agent(model), task, "heldout", 16)
    # Two actions of a network that knows nothing yet may be equally likely, up to rounding.
    assert (played.actions == same.actions).all(0).sum() >= 15


def test_a_stopped_run_goes_on_with_the_same_command_as_if_it_had_not_been(
    task, tmp_path, monkeypatch
):
    # In the middle of a rollout, of which nothing was learnt.
    monkeypatch.setattr(progress.RunProgress, "_on_step", stopped_after(512))
    monkeypatch.setattr("sys.argv", ["mesabench", "train", task.id, "--seed", "0"])
    shown, text = console()
    run, whole = tmp_path / "run", tmp_path / "whole"
    with pytest.raises(KeyboardInterrupt):
        train(task, TINY, run, shown)
    assert f"mesabench train {task.id} --seed 0" in text.getvalue()
    (kept,) = (run / "checkpoints").glob("*.pt")
    assert read_checkpoint(kept)["steps"] == 512
    assert read_checkpoint(kept)["updates"] == TINY.epochs * 512 // (TINY.num_envs * TINY.rollout)
    monkeypatch.undo()
    shown, text = console()
    train(task, TINY, run, shown)
    assert "resuming at step 512" in text.getvalue()
    train(task, TINY, whole, console()[0])
    resumed, never_stopped = (
        read_checkpoint(max((folder / "checkpoints").glob("*.pt"))) for folder in (run, whole)
    )
    assert resumed["steps"] == 1024
    np.testing.assert_equal(as_arrays(resumed["policy"]), as_arrays(never_stopped["policy"]))
    np.testing.assert_equal(as_arrays(resumed["standing"]), as_arrays(never_stopped["standing"]))


def test_an_interrupt_waits_for_the_end_of_an_update(tmp_path, monkeypatch):
    """Weights in the middle of one are of no number of steps. A second one waits as well."""
    task = mesabench.get_task("RedDoor-v0")
    whole, plain = [], FlatRecurrentPPO.train

    def update(model):
        _thread.interrupt_main()
        plain(model)
        _thread.interrupt_main()
        whole.append(weights(model))

    monkeypatch.setattr(FlatRecurrentPPO, "train", update)
    with pytest.raises(KeyboardInterrupt):
        train(task, TINY, tmp_path, console()[0])
    model = build_model(task, TINY)
    steps = TINY.num_envs * TINY.rollout
    fingerprint = TINY.fingerprint(task.id)
    assert load_checkpoint(model, tmp_path / "checkpoints", fingerprint, print) == steps
    assert len(whole) == 1
    assert all((weights(model)[name] == value).all() for name, value in whole[0].items())
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize("device", ["cdua", pytest.param("cuda", marks=NO_GPU)])
def test_a_device_that_is_not_there_is_refused(device, tmp_path):
    task = mesabench.get_task("RedDoor-v0")
    with pytest.raises(MesaBenchError, match=f"no device '{device}'.*try cpu"):
        train(task, replace(TINY, device=device), tmp_path, console()[0])
    assert not any(tmp_path.iterdir())


def test_the_bench_learns_as_a_training_does():
    task = mesabench.get_task("RedDoor-v0")
    measured = build_model(task, TINY)
    assert isinstance(measured, RecurrentPPO)
    speeds = list(bench.learn(measured, TINY.steps))
    plain = build_model(task, TINY).learn(TINY.steps)
    assert len(speeds) == TINY.steps // (TINY.num_envs * TINY.rollout)
    np.testing.assert_equal(weights(measured), weights(plain))


class Weights(BaseCallback):
    """Notes the weight of the entropy in each update."""

    def __init__(self):
        super().__init__()
        self.found: list[float] = []

    def _on_step(self) -> bool:
        return True

    def _on_rollout_end(self) -> None:
        self.found.append(self.model.ent_coef)  # type: ignore[attr-defined]


@pytest.mark.parametrize("done", [0, 1024])
def test_the_weight_of_the_entropy_falls_in_a_straight_line_also_in_a_resumed_run(done):
    steps = 2048
    settings = replace(TINY, steps=steps)
    model, noted = build_model(mesabench.get_task("RedDoor-v0"), settings), Weights()
    model.num_timesteps = done
    model.learn(
        steps - done,
        callback=[EntropySchedule(0.4, 0.0), noted],
        reset_num_timesteps=not done,
    )
    begun = range(done, steps, TINY.num_envs * TINY.rollout)
    assert noted.found == pytest.approx([0.4 * (1 - at / steps) for at in begun])


# That every task can be trained and evaluated is tested by itself: one of either kind will do.
@pytest.mark.parametrize("task_id", [mesabench.task_ids()[0], mesabench.task_ids("learning")[0]])
def test_quick_run_trains_on_the_spot_and_writes_the_page(task_id, tmp_path, monkeypatch):
    asked: list[TrainConfig] = []
    monkeypatch.setattr(
        "mesabench.baselines.train.train",
        lambda task, config, *rest: asked.append(config) or train(task, TINY, *rest),
    )
    commands.run(task_id, out=tmp_path, quick=True, levels=16)
    assert asked[0].steps == QUICK_STEPS
    assert (tmp_path / "report.html").stat().st_size > 10_000
    assert (tmp_path / "evaluation.json").exists()
    model = onnx.load(tmp_path / "agent.onnx")
    assert {p.key: p.value for p in model.metadata_props}["training_steps"] == str(TINY.steps)


def test_colours_are_balanced_over_training_seeds(task):
    if "palette" not in task.train._fields:
        pytest.skip("the task has no colours to balance")
    turns = [TrainConfig(seed=seed).knobs(task.id)["palette"] for seed in range(12)]
    assert sorted(turns) == sorted([*range(6), *range(6)])


def test_the_encoder_embeds_object_colour_and_state_separately(task):
    """A cell's embedding is a sum of three: what blue adds to a key it adds to a door as well."""
    encoder = GridEncoder(sb3_spaces(task))

    def embed(thing: int, colour: int, state: int) -> th.Tensor:
        image = th.zeros(1, 49, 3, dtype=th.long)
        image[0, 24] = th.tensor([thing, colour, state])
        return encoder.cells({"image": image.reshape(1, -1)})[0, 24]

    for state in (0, 1):
        blue_minus_red = [embed(thing, 2, state) - embed(thing, 0, state) for thing in (4, 5, 6)]
        assert th.allclose(blue_minus_red[0], blue_minus_red[1], atol=1e-6)
        assert th.allclose(blue_minus_red[0], blue_minus_red[2], atol=1e-6)
        assert blue_minus_red[0].abs().max() > 1e-3


def test_recurrent_state_is_reset_where_an_episode_starts(task):
    """The agent acts on a level as if nothing came before; without the flag it would not."""
    model = build_model(task, TINY)
    with th.no_grad():
        for parameter in model.policy.lstm_actor.parameters():
            parameter.mul_(8.0)
    agent, space = Sb3Agent(model), observation_space(task)
    space.seed(0)
    before = [{k: np.array([v]) for k, v in space.sample().items()} for _ in range(5)]
    after = [{k: np.array([v]) for k, v in space.sample().items()} for _ in range(40)]

    def states(history, flag):
        state = None
        for i, obs in enumerate([*history, *after]):
            start = np.array([i == 0 or (flag and i == len(history))])
            _, state = agent(obs, state, start)
            if i == len(history):
                return np.concatenate([np.ravel(s) for s in state])
        raise AssertionError

    fresh = states([], flag=True)
    assert np.array_equal(states(before, flag=True), fresh)
    assert not np.allclose(states(before, flag=False), fresh, atol=1e-3)


@pytest.mark.parametrize("threads", [1, 2])
def test_the_flagship_learns_what_the_stock_class_learns_in_the_stock_way(threads):
    """Kinds of cells, rows, parts, steps, losses, optimizer: together they only round."""
    config = TrainConfig(num_envs=16, rollout=16, minibatches=2, hidden=16, lstm=16)
    before = th.get_num_threads()
    th.set_num_threads(threads)
    try:
        ours, stock = (
            bench.build(config, kind, encoder).learn(3 * 256)
            for kind, encoder in (
                (FlatRecurrentPPO, GridEncoder),
                (RecurrentPPO, bench.PlainEncoder),
            )
        )
    finally:
        th.set_num_threads(before)
    policy: Any = ours.policy
    assert can_be_stepped(policy)
    assert sight_of(policy, Digest)
    assert is_plain_adam(policy.optimizer)
    assert policy.optimizer.param_groups[0]["fused"]
    assert not stock.policy.optimizer.param_groups[0]["fused"]
    weights = dict(stock.policy.named_parameters())
    for name, weight in ours.policy.named_parameters():
        assert th.allclose(weight, weights[name], atol=2e-5), name
