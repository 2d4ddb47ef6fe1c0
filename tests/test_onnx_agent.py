"""ONNX agents: what is refused, what runs, and that a wrong file is never more than an error."""

import pickle
import subprocess
import sys

import numpy as np
import onnx
import pytest
from gymnasium import spaces
from onnx import TensorProto as Type
from onnx import helper

from mesabench.agents.onnx_agent import OnnxAgent
from mesabench.agents.operators import OPERATORS, REASONS
from mesabench.agents.signature import MAX_STATE
from mesabench.agents.vetting import MAX_BYTES, MAX_ELEMENTS, MAX_NODES
from mesabench.errors import AgentError, MesaBenchError, NonFiniteLogits, unknown

SPACE = spaces.Dict(
    image=spaces.Box(0, 10, (7, 7, 3), np.uint8),
    direction=spaces.Discrete(4),
    inventory=spaces.Box(0, 255, (1,), np.float32),
    mission=spaces.Text(10),
)
ACTIONS = 3


def port(name, element=Type.FLOAT, *sizes):
    return helper.make_tensor_value_info(name, element, ["B", *sizes])


def constant(name, values):
    return onnx.numpy_helper.from_array(np.asarray(values, np.float32), name)


def counter() -> onnx.ModelProto:
    """An agent that plays 0, 1, 2, 0, ... by counting its steps; it ignores `episode_start`."""
    nodes = [
        helper.make_node("Add", ["n", "one"], ["n_next"]),
        helper.make_node("Mod", ["n", "three"], ["turn"], fmod=1),
        helper.make_node("Sub", ["turn", "actions"], ["miss"]),
        helper.make_node("Mul", ["miss", "miss"], ["square"]),
        helper.make_node("Neg", ["square"], ["logits"]),
    ]
    constants = [constant("one", 1), constant("three", 3), constant("actions", [0, 1, 2])]
    return model(nodes, [port("n", Type.FLOAT, 1)], [port("logits", Type.FLOAT, 3)], constants, "n")


def model(nodes, inputs, outputs, constants=(), *states) -> onnx.ModelProto:
    outputs = [*outputs, *(port(f"{state}_next", Type.FLOAT, 1) for state in states)]
    graph = helper.make_graph(nodes, "agent", inputs, outputs, list(constants))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def reactive(
    operator="Identity", element=Type.FLOAT, sizes=(1,), name="obs.inventory", **attributes
):
    """An agent whose logits are `operator` of one input, spread over the actions."""
    nodes = [
        helper.make_node(operator, [name], ["seen"], **attributes),
        helper.make_node("Cast", ["seen"], ["number"], to=Type.FLOAT),
        helper.make_node("Mul", ["number", "weights"], ["logits"]),
    ]
    logits = port("logits", Type.FLOAT, 3)
    return model(nodes, [port(name, element, *sizes)], [logits], [constant("weights", [1, 2, 3])])


def agent(proto: onnx.ModelProto, **options) -> OnnxAgent:
    return OnnxAgent(proto.SerializeToString(), SPACE, ACTIONS, **options)


def with_node(*args, **kwargs) -> onnx.ModelProto:
    proto = counter()
    proto.graph.node.append(helper.make_node(*args, **kwargs))
    return proto


def with_properties(proto: onnx.ModelProto, **properties) -> onnx.ModelProto:
    helper.set_model_props(proto, properties)
    return proto


def inventory(*values):
    return {"inventory": np.array(values, np.float32)[:, None]}


# What runs


def test_state_is_zero_at_episode_starts_even_if_the_graph_ignores_them():
    policy, state, played = agent(counter()), None, []
    for start in ([1, 1], [0, 0], [0, 1], [0, 0]):
        actions, state = policy({}, state, np.array(start, bool))
        played.append(actions.tolist())
    assert played == [[0, 0], [1, 1], [2, 0], [0, 1]]


def test_infer_runs_the_graph_alone():
    policy = agent(counter())
    output = policy.infer({}, {"n": np.ones((1, 1), np.float32)}, [True])
    assert output.logits.argmax() == 1


def test_a_broken_state_does_not_outlive_its_episode():
    policy = agent(counter())
    broken = {"n": np.full((2, 1), np.nan, np.float32)}
    actions, _ = policy({}, broken, [1, 1])
    assert actions.tolist() == [0, 0]


def test_episode_start_is_an_input_like_any_other():
    nodes = [
        helper.make_node("Unsqueeze", ["episode_start", "axis"], ["column"]),
        helper.make_node("Mul", ["column", "weights"], ["logits"]),
    ]
    axis = onnx.numpy_helper.from_array(np.array([1]), "axis")
    inputs, outputs = [port("episode_start")], [port("logits", Type.FLOAT, 3)]
    policy = agent(model(nodes, inputs, outputs, [constant("weights", [0, 1, 0]), axis]))
    assert policy({}, None, np.array([True, False]))[0].tolist() == [1, 0]


@pytest.mark.parametrize(
    ("name", "element", "sizes"),
    [
        ("image", Type.UINT8, (7, 7, 3)),
        ("direction", Type.INT64, ()),
        ("inventory", Type.FLOAT, (1,)),
    ],
)
def test_observations_arrive_with_their_types(name, element, sizes):
    nodes = [
        helper.make_node("Cast", [f"obs.{name}"], ["number"], to=Type.FLOAT),
        helper.make_node("Reshape", ["number", "flat"], ["row"]),
        helper.make_node("Gemm", ["row", "weights"], ["logits"]),
    ]
    count = int(np.prod(sizes))
    flat = onnx.numpy_helper.from_array(np.array([-1, count]), "flat")
    constants = [constant("weights", np.tile([0, 1, 0], (count, 1))), flat]
    outputs = [port("logits", Type.FLOAT, 3)]
    policy = agent(model(nodes, [port(f"obs.{name}", element, *sizes)], outputs, constants))
    obs = {
        key: np.ones((5, *(SPACE[key].shape or ())), np.int32) for key in SPACE if key != "mission"
    }
    assert policy({**obs, "mission": ["go"] * 5}, None, np.ones(5))[0].tolist() == [1] * 5


def test_sampling_follows_the_softmax_and_the_seed():
    obs = inventory(*[np.log(2)] * 20_000)  # logits log 2, log 4, log 8
    start = np.ones(20_000)
    proto = with_properties(reactive(), action="sample")
    first, again = (agent(proto, seed=1)(obs, None, start)[0] for _ in range(2))
    other, _ = agent(proto, seed=2)(obs, None, start)
    assert (first == again).all()
    assert (first != other).any()
    shares = np.bincount(first) / len(first)
    np.testing.assert_allclose(shares, np.array([2, 4, 8]) / 14, atol=0.015)


def test_metadata_is_exposed():
    properties = {"env": "KeysChests-v0", "action": "greedy"}
    assert agent(with_properties(reactive(), **properties)).metadata == properties


def test_value_is_optional_and_returned():
    proto = reactive()
    proto.graph.node.append(
        helper.make_node("ReduceMax", ["logits"], ["value"], axes=[1], keepdims=0)
    )
    proto.graph.output.append(port("value"))
    np.testing.assert_equal(agent(proto).infer(inventory(2, 1), None, [0, 0]).value, [6, 3])
    assert agent(reactive()).infer(inventory(2, 1), None, [0, 0]).value is None


def test_a_producer_cannot_switch_the_file_format():
    proto = counter()
    proto.producer_name = "ORTM"
    assert proto.SerializeToString()[4:8] == b"ORTM"  # how ONNX Runtime tells its own format
    assert agent(proto)({}, None, [1])[0].tolist() == [0]


def test_an_empty_last_input_is_the_same_as_none():
    """ONNX Runtime crashes on this one."""
    proto = with_node("LayerNormalization", ["n", "weight", ""], ["u"], axis=1)
    proto.graph.initializer.append(constant("weight", [1]))
    assert agent(proto)({}, None, [1])[0].tolist() == [0]


def test_loads_from_a_file(tmp_path):
    path = tmp_path / "agent.onnx"
    path.write_bytes(counter().SerializeToString())
    assert OnnxAgent.load(path, SPACE, ACTIONS)({}, None, [1])[0].tolist() == [0]
    with pytest.raises(AgentError, match="cannot read the agent"):
        OnnxAgent.load(tmp_path / "other.onnx", SPACE, ACTIONS)


def test_reading_agents_needs_no_torch():
    code = "import sys, mesabench.agents.onnx_agent, mesabench.agents.sb3_agent;"
    code += "import mesabench.agents.export; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# What is refused in the file


@pytest.mark.parametrize("operator", REASONS)
def test_refused_operators(operator):
    with pytest.raises(AgentError, match=f"refused: operator '{operator}'.*: {REASONS[operator]}"):
        agent(with_node(operator, ["n"], ["unused"]))


def test_allowed_operators_exist_and_repeat_themselves():
    assert not OPERATORS & REASONS.keys()
    for operator in OPERATORS - {"Dropout"}:
        schema = onnx.defs.get_schema(operator)
        graphs = [a for a in schema.attributes.values() if "GRAPH" in str(a.type)]
        assert not graphs
        # Older releases of onnx do not say.
        assert "NonDeterministic" not in str(getattr(schema, "node_determinism", ""))


def external(tensor):
    tensor.ClearField("raw_data")
    tensor.data_location = Type.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")
    return tensor


def tampered(change):
    proto = counter()
    change(proto)
    return proto


def too_many_nodes(proto):
    node = helper.make_node("Identity", ["n"], [""])
    proto.graph.node.extend([node] * MAX_NODES)


def add_function(proto):
    operators = [helper.make_opsetid("", 17)]
    node = helper.make_node("Identity", ["x"], ["y"])
    proto.functions.append(helper.make_function("own", "F", ["x"], ["y"], [node], operators))


def add_sparse(proto):
    indices = onnx.numpy_helper.from_array(np.array([0]), "i")
    sparse = helper.make_sparse_tensor(constant("v", [1]), indices, [9])
    proto.graph.sparse_initializer.append(sparse)


def add_sequence(proto):
    sequence = helper.make_tensor_sequence_value_info("n_list", Type.FLOAT, None)
    proto.graph.value_info.append(sequence)


REFUSED = {
    "domain": (with_node("Gelu", ["n"], ["u"], domain="com.microsoft"), "domain 'com.microsoft'"),
    "subgraph": (
        with_node("Identity", ["n"], ["u"], body=counter().graph),
        "attribute 'body' of kind GRAPH",
    ),
    "training dropout": (with_node("Dropout", ["n", "", "one"], ["u"]), "evaluation mode"),
    "external data": (tampered(lambda p: external(p.graph.initializer[0])), "in another file"),
    "external attribute": (
        with_node("Constant", [], ["u"], value=external(constant("c", [1]))),
        "in another file",
    ),
    "text": (
        with_node(
            "Constant", [], ["u"], value=Type(dims=[1], data_type=Type.STRING, string_data=[b"a"])
        ),
        "text",
    ),
    "huge constant": (
        tampered(lambda p: p.graph.initializer.append(Type(dims=[MAX_ELEMENTS, 2], data_type=1))),
        "elements fit",
    ),
    "negative size": (
        tampered(lambda p: p.graph.initializer.append(Type(dims=[-1], data_type=1))),
        "elements fit",
    ),
    "nodes": (tampered(too_many_nodes), "nodes; at most"),
    "function": (tampered(add_function), "local functions"),
    "training": (tampered(lambda p: p.training_info.add()), "training information"),
    "sparse": (tampered(add_sparse), "sparse constants"),
    "sequence": (tampered(add_sequence), "not a plain tensor"),
    "two opsets": (
        tampered(lambda p: p.opset_import.add(domain="ai.onnx", version=18)),
        "not exactly one version",
    ),
    "rare operator": (with_node("STFT", ["n"], ["u"]), "'STFT'.*not among the operators"),
    "too many inputs": (with_node("Neg", ["n", "n"], ["u"]), "not a valid ONNX model"),
    "missing input": (with_node("Mean", ["", "n"], ["u"]), "'Mean'.*lacks an input"),
    "empty depth": (
        tampered(
            lambda p: (
                p.graph.initializer.append(constant("depth", [])),
                p.graph.node.append(helper.make_node("OneHot", ["n", "depth", "n"], ["u"])),
            )
        ),
        "empty depth",
    ),
    "negative count": (
        with_node("GatherND", ["n", "k"], ["u"], batch_dims=-2),
        "'batch_dims' below 0",
    ),
    "no groups": (with_node("Conv", ["n", "n"], ["u"], group=0), "'group' below 1"),
    "huge attribute": (with_node("Flatten", ["n"], ["u"], axis=2**40), "'axis' beyond 65,536"),
    "too much memory": (
        with_node("ConstantOfShape", ["vast"], ["u"]),
        "failed to run|cannot open",
    ),
    "action": (with_properties(counter(), action="sampel"), "did you mean 'sample'"),
}
REFUSED["too much memory"][0].graph.initializer.append(
    onnx.numpy_helper.from_array(np.array([10**12]), "vast")
)


@pytest.mark.parametrize(("proto", "message"), REFUSED.values(), ids=REFUSED)
def test_refused_contents(proto, message):
    with pytest.raises(AgentError, match=message):
        agent(proto)


def test_refused_encoding():
    data = counter().SerializeToString().replace(b"n_next", b"n_\xffext")
    with pytest.raises(AgentError, match="not UTF-8"):
        OnnxAgent(data, SPACE, ACTIONS)


@pytest.mark.parametrize("data", [b"", b"\x08", b"PK\x03\x04 a zip file", bytes(MAX_BYTES + 1)])
def test_refused_bytes(data):
    with pytest.raises(AgentError, match=r"not an ONNX file|no graph|bytes; at most"):
        OnnxAgent(data, SPACE, ACTIONS)


# What does not fit the contract


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
