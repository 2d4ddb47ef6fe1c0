"""Ports, observations and logits that do not fit what an agent's file may have."""

import pickle

import numpy as np
import onnx
import pytest
from onnx import TensorProto as Type
from onnx import helper
from small_agents import (
    SPACE,
    agent,
    constant,
    counter,
    inventory,
    port,
    reactive,
    with_properties,
)

from mesabench.agents.onnx_agent import OnnxAgent
from mesabench.agents.signature import MAX_STATE
from mesabench.errors import AgentError, MesaBenchError, NonFiniteLogits, unknown


def renamed_output(name):
    proto = reactive()
    proto.graph.node[-1].output[0] = proto.graph.output[0].name = name
    return proto


def stateless_counter():
    proto = counter()
    del proto.graph.output[1]
    return proto


def fixed_batch(size):
    """A graph that says its batch is dynamic and reshapes it to `size`."""
    proto = reactive()
    proto.graph.node[0].CopyFrom(helper.make_node("Reshape", ["obs.inventory", "shape"], ["seen"]))
    shape = onnx.numpy_helper.from_array(np.array([size, 1]), "shape")
    proto.graph.initializer.append(shape)
    return proto


def declared_batch():
    proto = reactive()
    proto.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    return proto


def lost_batch():
    proto = reactive("ReduceSum", keepdims=1)
    return proto


def sized_state(*sizes, element=Type.FLOAT):
    proto = counter()
    proto.graph.input[0].CopyFrom(port("n", element, *sizes))
    return proto


UNFIT = {
    "observation": (reactive(name="obs.inventroy"), "did you mean 'obs.inventory'"),
    "mission": (reactive(name="obs.mission"), "unknown observation input 'obs.mission'"),
    "no prefix": (reactive(name="image", element=Type.UINT8), "did you mean the input 'obs.image'"),
    "no prefix, float": (
        reactive(name="inventory"),
        "no output 'inventory_next' .*'obs.inventory'",
    ),
    "type": (reactive(element=Type.INT64), "expected float32 .B, 1., found int64 .B, 1."),
    "shape": (reactive(sizes=(2,)), "expected float32 .B, 1., found float32 .B, 2."),
    "rank": (reactive(sizes=()), "expected float32 .B, 1., found float32 .B."),
    "declared batch": (declared_batch(), "batch axis is fixed at 1"),
    "baked batch": (
        fixed_batch(1),
        "expected float32 .B, 3., found .1, 3. for B = 3|failed to run",
    ),
    "baked batch of 3": (fixed_batch(3), "for B = 1|failed to run"),
    "lost batch": (lost_batch(), "output 'logits': expected float32 .B, 3."),
    "no logits": (renamed_output("value"), "'value': expected float32 .B."),
    "output": (renamed_output("logit"), "unknown output 'logit'.*did you mean 'logits'"),
    "no next": (stateless_counter(), "no output 'n_next' for the state input 'n'"),
    "state of integers": (
        sized_state(1, element=Type.INT64),
        "expected float32 .B, .... with fixed",
    ),
    "state of any size": (sized_state("N"), "with fixed sizes"),
    "state too large": (sized_state(MAX_STATE + 1), "numbers per row"),
}


@pytest.mark.parametrize(("proto", "message"), UNFIT.values(), ids=UNFIT)
def test_ports_that_do_not_fit(proto, message):
    with pytest.raises(AgentError, match=message):
        agent(proto)


def test_number_of_actions():
    with pytest.raises(
        AgentError, match=r"'logits': expected float32 .B, 7., found float32 .B, 3."
    ):
        OnnxAgent(reactive().SerializeToString(), SPACE, 7)


@pytest.mark.parametrize(
    ("obs", "message"),
    [({}, "reads 'obs.inventory'"), (inventory(1, 2, 3), "with B = 2, found .3, 1.")],
)
def test_observations_that_do_not_fit(obs, message):
    with pytest.raises(AgentError, match=message):
        agent(reactive())(obs, None, [1, 1])


def test_state_that_does_not_fit():
    with pytest.raises(AgentError, match="state has 3 rows, the batch 2"):
        agent(counter())({}, {"n": np.zeros((3, 1), np.float32)}, [0, 0])


@pytest.mark.parametrize("action", ["greedy", "sample"])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_logits_without_a_choice_name_their_rows(bad, action):
    policy = agent(with_properties(reactive(), action=action))
    with pytest.raises(NonFiniteLogits, match="2 of 4 rows: 1, 3") as caught:
        policy(inventory(0, bad, 1, bad), None, np.ones(4))
    assert caught.value.rows == (1, 3)
    assert pickle.loads(pickle.dumps(caught.value)).rows == (1, 3)


@pytest.mark.parametrize("action", ["greedy", "sample"])
def test_minus_infinity_masks_an_action(action):
    proto = with_properties(reactive(), action=action)
    proto.graph.node[-1].op_type = "Add"
    proto.graph.initializer[0].CopyFrom(constant("weights", [-np.inf, 0, -np.inf]))
    assert agent(proto)(inventory(1, 2), None, [1, 1])[0].tolist() == [1, 1]


def test_unknown_names_the_nearest_choice():
    splits = ["train", "heldout", "test"]
    assert unknown("split", "tset", splits) == (
        "unknown split 'tset'; choose train, heldout or test; did you mean 'test'?"
    )
    assert unknown("split", "xyz", ["test"]) == "unknown split 'xyz'; choose test"
    assert "none to choose" in unknown("split", "xyz", [])
    assert issubclass(AgentError, MesaBenchError)
