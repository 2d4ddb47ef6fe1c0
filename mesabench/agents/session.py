"""Run a vetted ONNX graph with ONNX Runtime: silent, repeatable and bounded in memory."""

import functools
from collections.abc import Mapping

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray

from mesabench.agents.vetting import quoted
from mesabench.errors import AgentError

MAX_MEMORY = 2**30  # bytes for the tensors of all agents of a process


class Session:
    """A graph that is ready to run.

    Arguments:
        model: a model that `vet` returned and `check` accepted.
        threads: CPU threads for one run.

    Raises:
        AgentError: ONNX Runtime does not accept the model.
    """

    def __init__(self, model: onnx.ModelProto, threads: int) -> None:
        _bound_memory()
        try:
            self._session = ort.InferenceSession(
                model.SerializeToString(), _options(threads), providers=["CPUExecutionProvider"]
            )
        # ONNX Runtime's exceptions have no common type of their own.
        except Exception as error:
            raise AgentError(f"ONNX Runtime cannot open the model: {quoted(error)}") from error
        self._outputs = [value.name for value in model.graph.output]

    def run(self, feed: Mapping[str, NDArray]) -> dict[str, NDArray]:
        """Return all outputs by name.

        Raises:
            AgentError: an operator failed, or the memory did not suffice.
        """
        try:
            found = self._session.run(self._outputs, feed)
        except Exception as error:
            raise AgentError(f"the graph failed to run: {quoted(error)}") from error
        return {name: np.asarray(array) for name, array in zip(self._outputs, found, strict=True)}


def _options(threads: int) -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    options.use_deterministic_compute = True
    options.enable_mem_pattern = False  # a plan per batch size costs more than it saves
    options.add_session_config_entry("session.use_env_allocators", "1")
    # Otherwise four bytes that a producer's name can hold switch to another file format.
    options.add_session_config_entry("session.load_model_format", "ONNX")
    return options


@functools.cache
def _bound_memory() -> None:
    """Give all sessions of the process one bounded arena."""
    memory = ort.OrtMemoryInfo(
        "Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT
    )
    ort.create_and_register_allocator(memory, ort.OrtArenaCfg({"max_mem": MAX_MEMORY}))
