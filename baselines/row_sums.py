"""Sums of a table's rows, for networks whose inputs are codes.

A linear layer over one-hot codes is a sum of rows of its weights. PyTorch gathers such sums fast,
but scatters their gradients by sorting all codes first, which takes longer than the dense product
of the one-hot codes. Here the gradients are added where they belong, one after the other.
"""

from typing import Any

import numpy as np
import torch as th
from torch.nn import functional as F

from mesabench.engine.cache import kernel

BLOCK = 128  # gradients that stay in a core's cache while all columns of codes are gone through


class RowSums(th.autograd.Function):
    """``table[rows].sum(1)`` on a CPU."""

    @staticmethod
    def forward(ctx: Any, table: th.Tensor, rows: th.Tensor) -> th.Tensor:
        """Sum rows of a table.

        Args:
            ctx: where autograd keeps what the gradients need.
            table: float32 [N, H].
            rows: of the table, int32 [B, K].

        Returns:
            float32 [B, H].
        """
        ctx.rows, ctx.shape = rows, table.shape
        return F.embedding_bag(rows, table, mode="sum")

    @staticmethod
    @th.autograd.function.once_differentiable
    def backward(ctx: Any, gradients: th.Tensor) -> tuple[th.Tensor, None]:  # pyright: ignore
        """Return the gradients of the table, [N, H], from those of the sums, [B, H]."""
        found = gradients.new_zeros(ctx.shape)
        add_rows(ctx.rows.numpy(), gradients.contiguous().numpy(), found.numpy())
        return found, None


row_sums = RowSums.apply


@kernel
def rectified_sums(table, rows, bias, found):
    """Write ``relu(table[rows].sum(1) + bias)`` [B, H] to the first columns of `found`."""
    width = len(bias)
    for b in range(len(rows)):
        for j in range(width):
            found[b, j] = bias[j]
        for row in rows[b]:
            for j in range(width):
                found[b, j] += table[row, j]
        for j in range(width):
            found[b, j] = max(found[b, j], np.float32(0.0))


@kernel
def add_rows(rows, gradients, found):
    """Add gradients [B, H] to the rows [B, K] of `found` [N, H]."""
    batch, columns = rows.shape
    for start in range(0, batch, BLOCK):
        for k in range(columns):
            for b in range(start, min(start + BLOCK, batch)):
                row = rows[b, k]
                for j in range(gradients.shape[1]):
                    found[row, j] += gradients[b, j]
