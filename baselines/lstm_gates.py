"""What an LSTM does beside its products, in float32 and in one pass over the cells.

Sigmoids and hyperbolic tangents are made of ``eˣ − 1``, of plain arithmetic that a processor does
for several numbers at once; they are accurate to 3e-7.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from mesabench.engine.cache import Inner, Kernel, compiled

Compiled = TypeVar("Compiled", bound=Callable)

# Without these a division would be checked, and a sum of products be rounded twice.
ARITHMETIC: dict[str, Any] = {"error_model": "numpy", "fastmath": {"contract"}}

ONE, TWO = np.float32(1), np.float32(2)  # Numba makes a double of a literal
LARGEST = np.float32(18)  # beyond it both functions are flat, to float32
DOUBLINGS = 5
SHARE = np.float32(0.5**DOUBLINGS)
HALF, THIRD, FOURTH, FIFTH, SIXTH, SEVENTH = (np.float32(1 / n) for n in range(2, 8))


def vectorised(function: Compiled) -> Compiled:
    """Compile a kernel for loops of plain arithmetic."""
    return compiled(Kernel, function, **ARITHMETIC)


def part(function: Compiled) -> Compiled:
    """Compile a function that only such kernels call."""
    return compiled(Inner, function, no_cpython_wrapper=True, no_cfunc_wrapper=True, **ARITHMETIC)


@part
def exp_minus_one(x):
    """Return ``eˣ − 1``: Taylor's series of ``x / 32``, then ``e²ʸ − 1 = (eʸ − 1)(eʸ − 1 + 2)``."""
    y = min(max(x, -LARGEST), LARGEST) * SHARE
    series = ONE + SIXTH * y * (ONE + SEVENTH * y)
    series = ONE + FOURTH * y * (ONE + FIFTH * y * series)
    found = y * (ONE + HALF * y * (ONE + THIRD * y * series))
    for _ in range(DOUBLINGS):
        found = found * (found + TWO)
    return found


@part
def sigmoid(x):
    """Return ``eˣ / (eˣ + 1)``."""
    found = exp_minus_one(x)
    return (found + ONE) / (found + TWO)


@part
def tanh(x):
    """Return ``(e²ˣ − 1) / (e²ˣ + 1)``."""
    found = exp_minus_one(x + x)
    return found / (found + TWO)


@vectorised
def pass_gates(gates, before, starts, hidden, cell):
    """Write hidden and cell states [B, H] after a step, from the cell states before it.

    Gates [B, 4 H] are what the products give: input, forget, output, new. States before a step
    where an episode starts, one in `starts` [B], are zero.
    """
    batch, size = cell.shape
    for b in range(batch):
        goes_on = ONE - starts[b]
        for j in range(size):
            kept = sigmoid(gates[b, size + j]) * (before[b, j] * goes_on)
            now = sigmoid(gates[b, j]) * tanh(gates[b, 3 * size + j]) + kept
            cell[b, j] = now
            hidden[b, j] = sigmoid(gates[b, 2 * size + j]) * tanh(now)


@vectorised
def join(inputs, hidden, starts, joined):
    """Write inputs [B, I] and hidden states [B, H], zero at starts, beside each other."""
    batch, width = inputs.shape
    for b in range(batch):
        goes_on = ONE - starts[b]
        for j in range(width):
            joined[b, j] = inputs[b, j]
        for j in range(hidden.shape[1]):
            joined[b, width + j] = hidden[b, j] * goes_on
