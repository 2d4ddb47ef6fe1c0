"""The `kernel` and `inner` decorators: what Python may call, and what is compiled once."""

import numpy as np
import pytest
from numba import config

from mesabench.engine.batch import Engine
from mesabench.engine.layout import put
from mesabench.engine.rng import below, combine
from mesabench.registry import get_task

needs_compiler = pytest.mark.skipif(config.DISABLE_JIT, reason="nothing is compiled")


@needs_compiler
@pytest.mark.parametrize("compiled_before", [False, True])
def test_an_inner_kernel_is_not_for_python(compiled_before: bool) -> None:
    if compiled_before:
        Engine(get_task("RedDoor-v0"))
    with pytest.raises(TypeError, match="below is for kernels: make it a @kernel itself"):
        below(np.uint64(1) << np.uint64(40), 100)


@needs_compiler
def test_literal_arguments_share_a_compiled_kernel() -> None:
    """Walls, floor and doors are all put by one `put`."""
    Engine(get_task("RedDoor-v0"))
    signatures = [[str(t) for t in signature[2:]] for signature in put.signatures]
    assert ["int64"] * 5 in signatures
    assert not any("Literal" in t for signature in signatures for t in signature)
    assert not any("Literal" in str(t) for signature in combine.signatures for t in signature)
