"""The `kernel` and `inner` decorators: what Python may call, and what is compiled once."""

from typing import Any

import numpy as np
import pytest
from numba import config, types

from mesabench.engine.batch import Engine
from mesabench.engine.rng import below
from mesabench.registry import get_task

settings: Any = config
needs_compiler = pytest.mark.skipif(settings.DISABLE_JIT, reason="nothing is compiled")


@needs_compiler
@pytest.mark.parametrize("compiled_before", [False, True])
def test_an_inner_kernel_is_not_for_python(compiled_before: bool) -> None:
    if compiled_before:
        Engine(get_task("RedDoor-v0"))
    with pytest.raises(TypeError, match="below is for kernels: make it a @kernel itself"):
        below(np.uint64(1) << np.uint64(40), 100)


@needs_compiler
def test_literal_arguments_share_a_compiled_kernel() -> None:
    dispatcher: Any = below
    for literal in (3, 4):
        dispatcher.get_call_template([types.uint64, types.literal(literal)], {})
    assert dispatcher.signatures == [(types.uint64, types.int64)]
