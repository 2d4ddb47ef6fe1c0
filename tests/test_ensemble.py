"""Ensembles: one file that acts on the mean of its members' probabilities."""

import io
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import pytest
from gymnasium.vector.utils import batch_space
from rich.console import Console

import mesabench
from mesabench.agents.export import export_sb3
from mesabench.agents.onnx_agent import OnnxAgent
from mesabench.baselines import train as training
from mesabench.baselines.algorithms.ensemble import Args, is_trained, member
from mesabench.baselines.config import TrainConfig
from mesabench.baselines.merging import merge
from mesabench.baselines.train import build_model, train
from mesabench.errors import MesaBenchError
from mesabench.observation import observation_space
from mesabench.rollout import rollout

COUNT, ROWS, STEPS = 3, 16, 12
TINY = Args(
    steps=256,
    num_envs=8,
    rollout=16,
    hidden=8,
    lstm=8,
    members=2,
    checkpoint_every=128,
    threads=1,
)


@pytest.fixture(scope="module", params=["KeysChests-v0", "Bandit-v0"])
def task(request):
    return mesabench.get_task(request.param)


@pytest.fixture(scope="module")
def graphs(task, tmp_path_factory):
    """Members with different weights, whose logits are far from even."""
    folder = tmp_path_factory.mktemp("members")
    found = []
    for seed in range(COUNT):
        model = build_model(task, TrainConfig(seed=seed, num_envs=2, hidden=8, lstm=8))
        model.policy.action_net.weight.data.mul_(300.0)
        found.append(onnx.load(export_sb3(model, folder / f"{seed}.onnx")))
    return found


def load(task, graph: onnx.ModelProto) -> OnnxAgent:
    return OnnxAgent(graph.SerializeToString(), observation_space(task), task.actions)


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits.astype(np.float64) - logits.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


def test_probabilities_are_the_mean_of_the_members(task, graphs):
    """In closed loop on random observations, each member with its own state."""
    ensemble, members = load(task, merge(graphs, {})), [load(task, graph) for graph in graphs]
    space, rng = batch_space(observation_space(task), ROWS), np.random.default_rng(0)
    space.seed(0)
    ours, theirs = None, [None] * COUNT  # states
    apart = 0.0
    for step in range(STEPS):
        obs, start = space.sample(), rng.random(ROWS) < (0.2 if step else 1.0)
        answer: Any = ensemble.infer(obs, ours, start)
        answers: Any = [m.infer(obs, s, start) for m, s in zip(members, theirs, strict=True)]
        each = np.array([softmax(a.logits) for a in answers])
        assert np.allclose(softmax(answer.logits), each.mean(0), atol=1e-6)
        assert np.allclose(np.exp(answer.logits).sum(1), 1, atol=1e-5)
        assert np.allclose(answer.value, np.mean([a.value for a in answers], axis=0), atol=1e-5)
        assert np.allclose(answer.x, np.concatenate([a.x for a in answers], axis=1), atol=1e-6)
        ours, theirs = answer.state, [a.state for a in answers]
        apart = max(apart, float(each.std(0).max()))
    assert apart > 0.1


def test_an_ensemble_of_one_acts_like_its_member(task, graphs):
    alone, ensemble = load(task, graphs[0]), load(task, merge(graphs[:1], {}))
    played, same = (rollout(agent, task, "heldout", 16) for agent in (alone, ensemble))
    assert (played.actions == same.actions).all()


def test_impossible_actions_stay_impossible(task, graphs):
    """An action that no member takes has no probability, and the others stay finite."""
    members = []
    for graph in graphs:
        sure = onnx.ModelProto()
        sure.CopyFrom(graph)
        for tensor in sure.graph.initializer:
            if tensor.name.endswith("action_net.bias"):
                bias = np.array([0.0, -2000.0, -1000.0], np.float32)
                tensor.CopyFrom(onnx.numpy_helper.from_array(bias, tensor.name))
        members.append(sure)
    space = batch_space(observation_space(task), ROWS)
    answer = load(task, merge(members, {})).infer(space.sample(), None, np.ones(ROWS))
    assert np.isfinite(answer.logits.max(1)).all()
    assert not np.isnan(answer.logits).any()
    assert (answer.logits.argmax(1) == 0).all()


def test_files_of_different_exporters_are_not_merged(graphs):
    other = onnx.ModelProto()
    other.CopyFrom(graphs[0])
    other.opset_import[0].version += 1
    for members in ([graphs[0], other], []):
        with pytest.raises(MesaBenchError, match="one exporter"):
            merge(members, {})


def test_members_differ_in_their_seed_alone():
    args = replace(TINY, seed=7, alpha=0.1)
    first, second = (member(args, number) for number in range(2))
    assert replace(first, seed=0) == replace(second, seed=0)
    assert first.seed == args.seed != second.seed
    assert first.alpha == args.alpha
    task = mesabench.get_task("KeysChests-v0")
    assert first.knobs(task.id) == second.knobs(task.id) == args.knobs(task.id)


def test_members_that_are_finished_are_left_as_they_are(tmp_path, monkeypatch):
    task, console = mesabench.get_task("RedDoor-v0"), Console(file=io.StringIO())
    path = train(task, TINY, tmp_path, console)
    before = path.read_bytes()
    settings, run = member(TINY, 1), tmp_path / "member-1"
    assert is_trained(task, settings, run)
    assert not is_trained(task, replace(settings, steps=512), run)
    assert not is_trained(task, replace(settings, gae_lambda=0.5), run)
    trained: list[int] = []
    usual = training.train_model

    def note(task, config, *rest):
        trained.append(config.seed)
        return usual(task, config, *rest)

    monkeypatch.setattr(training, "train_model", note)
    assert train(task, TINY, tmp_path, console).read_bytes() == before
    assert trained == []
    (run / "agent.onnx").unlink()
    assert train(task, TINY, tmp_path, console).read_bytes() == before
    assert trained == [settings.seed]
