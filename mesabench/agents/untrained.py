"""The untrained agent: a network as it was before it learned anything, made from the trained one.

The entries of every weight tensor change places at random. So the architecture and the weights'
distribution in each tensor stay, what was learned is gone, and it works for any file: neither the
training code nor its first checkpoint is needed. It is the baseline for claims that behaviour
comes from training: a network alone has habits too (Adebayo et al. 2018 randomise weights to the
same end).
"""

from collections.abc import Iterator

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

from mesabench.agents.onnx_agent import OnnxAgent
from mesabench.agents.vetting import vet
from mesabench.errors import AgentError
from mesabench.observation import observation_space
from mesabench.task import Task

FLOATS = (TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16)


def untrained_agents(
    agent: bytes | onnx.ModelProto, task: Task, *, seeds: int = 3
) -> list[OnnxAgent]:
    """Return an agent's network with permuted weights, once for each seed from 0.

    Args:
        agent: the ONNX file's bytes, or the model.
        task: the task that it plays.
        seeds: how many.

    Raises:
        AgentError: the file is refused, does not fit the task, or has no weights.
    """
    model = vet(agent) if isinstance(agent, bytes) else agent
    space = observation_space(task)
    return [
        OnnxAgent(permute_weights(model, seed).SerializeToString(), space, task.actions, seed)
        for seed in range(seeds)
    ]


def permute_weights(model: onnx.ModelProto, seed: int) -> onnx.ModelProto:
    """Return a copy of a model with the entries of every weight tensor permuted.

    Weights are floating-point constants of more than one entry.

    Raises:
        AgentError: the model has none.
    """
    found = onnx.ModelProto()
    found.CopyFrom(model)
    weights = list(weight_tensors(found.graph))
    if not weights:
        raise AgentError("the model has no weights to permute")
    rng = np.random.default_rng(seed)
    for tensor in weights:
        array = numpy_helper.to_array(tensor)
        permuted = rng.permutation(array.ravel()).reshape(array.shape)
        tensor.CopyFrom(numpy_helper.from_array(permuted, tensor.name))
    return found


def weight_tensors(graph: onnx.GraphProto) -> Iterator[TensorProto]:
    """Yield the weights of a graph, wherever its exporter keeps them."""
    constants = (a.t for n in graph.node if n.op_type == "Constant" for a in n.attribute)
    for tensor in (*graph.initializer, *constants):
        if tensor.data_type in FLOATS and np.prod(tensor.dims, dtype=int) > 1:
            yield tensor
