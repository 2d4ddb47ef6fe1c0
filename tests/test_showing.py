"""What an agent shows of itself, and the record that is kept of it."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto as Type
from onnx import helper
from showers import TOUCH, Dreamer, Valuer
from small_agents import agent, constant, inventory, port, reactive
from stable_baselines3 import DQN, PPO
from test_export import ACTIONS, SPACE, forward, opinionated, recurrent

from mesabench.agents.export import export_sb3
from mesabench.agents.onnx_agent import OnnxAgent
from mesabench.agents.recording import Recorder
from mesabench.agents.showing import head
from mesabench.agents.signature import MAX_STATE
from mesabench.beside.valuing import optimal_values
from mesabench.errors import AgentError
from mesabench.registry import get_task
from mesabench.rollout import rollout

# What is shown: the outputs `value` and `x` of an agent's file.


@pytest.mark.parametrize("make", [recurrent, lambda: forward(PPO), lambda: forward(DQN)])
def test_exported_features_are_what_the_logits_are_made_from(
    make: Callable[[], Any], tmp_path: Any
) -> None:
    model = opinionated(make())
    shown = OnnxAgent.load(export_sb3(model, tmp_path / "agent.onnx"), SPACE, ACTIONS)
    obs = {key: np.ones((5, *(part.shape or ()))) for key, part in SPACE.items()}
    obs["inventory"] = np.arange(5.0)[:, None]
    output, layer = shown.infer(obs, None, np.ones(5)), head(model.policy)
    assert output.x is not None
    weights, bias = (p.detach().cpu().numpy() for p in (layer.weight, layer.bias))
    np.testing.assert_allclose(output.x @ weights.T + bias, output.logits, rtol=1e-4, atol=1e-5)
    assert (output.x.std(0) > 0).any()


def showing(*sizes: int | str, element: Any = Type.FLOAT, name: str = "x") -> Any:
    """Return an agent that shows twice what it sees, declared with the given sizes."""
    proto = reactive()
    proto.graph.node.append(helper.make_node("Add", ["number", "number"], [name]))
    proto.graph.output.append(port(name, element, *sizes))
    return proto


def test_features_are_shown_as_they_are() -> None:
    output = agent(showing(1)).infer(inventory(3, 4), None, np.ones(2))
    assert output.x is not None
    assert output.x.tolist() == [[6], [8]]
    assert agent(reactive()).infer(inventory(3), None, np.ones(1)).x is None


@pytest.mark.parametrize(
    ("proto", "message"),
    [
        (showing("D"), "'x': expected float32 .B, D. with a fixed D"),
        (showing(), "'x': expected float32 .B, D. with a fixed D"),
        (showing(MAX_STATE + 1), "of at most 65,536"),
        (showing(1, element=Type.INT64), "'x': expected float32 .B, 1., found int64"),
        (showing(2), "not a valid ONNX model.*dimension 1"),
        (showing(1, name="features"), "unknown output 'features'; choose logits, value or x"),
    ],
)
def test_features_that_do_not_fit(proto: Any, message: str) -> None:
    with pytest.raises(AgentError, match=message):
        agent(proto)


def test_responding_is_acting() -> None:
    proto = showing(1)
    proto.graph.initializer[0].CopyFrom(constant("weights", [1, -1, 2]))
    actions, output = agent(proto).respond(inventory(1, -1), None, np.ones(2))
    assert actions.tolist() == agent(proto)(inventory(1, -1), None, np.ones(2))[0].tolist()
    assert actions.tolist() == output.logits.argmax(1).tolist() == [2, 1]


def test_a_sampling_agent_repeats_itself_from_its_seed() -> None:
    helper.set_model_props(proto := reactive(), {"action": "sample"})
    policy, start = agent(proto), np.ones(100)
    obs = inventory(*[0] * 100)
    policy.reseed(3)
    first, second = (policy(obs, None, start)[0] for _ in range(2))
    policy.reseed(3)
    assert (policy(obs, None, start)[0] == first).all()
    assert (first != second).any()


# The record of a rollout


def test_a_record_holds_what_was_shown_and_changes_nothing() -> None:
    task = get_task(TOUCH)
    plain = rollout(Valuer(task, 0), task, "test", 8)
    recorder = Recorder(Valuer(task, 0))
    played = rollout(recorder, task, "test", 8)
    record = recorder.record()
    assert (played.actions == plain.actions).all()
    assert record.value is not None
    expected = optimal_values(played)[..., 0] ** 3
    live = played.actions >= 0
    np.testing.assert_allclose(record.value[live], expected[live], atol=1e-9)
    assert record.sight["image"].shape == (len(record.steps), 8, 147)
    assert record.state is None
    assert record.x is None


def test_a_record_is_thinned_to_its_limit() -> None:
    task = get_task(TOUCH)
    limit = 20_000
    full, thin = Recorder(Dreamer(task)), Recorder(Dreamer(task), limit)
    for recorder in (full, thin):
        rollout(recorder, task, "test", 8)
    (all_of, some) = full.record(), thin.record()
    assert all_of.state is not None
    assert some.state is not None
    stride = some.steps[1]
    assert stride & (stride - 1) == 0
    assert (some.steps == np.arange(0, len(all_of.steps), stride)).all()
    assert (some.state == all_of.state[some.steps]).all()
    kept = some.state.nbytes + sum(array.nbytes for array in some.sight.values())
    assert limit / 3 < kept <= limit
