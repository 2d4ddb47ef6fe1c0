"""The features of views: sums of what each cell adds, in one pass forward and one back.

A linear layer over one-hot codes is a sum of rows of its weights. PyTorch gathers such sums fast,
but scatters their gradients by sorting all codes first, which takes longer than the dense product
of the one-hot codes. Here the gradients are added where they belong, one after the other.
"""

from typing import Any

import numpy as np
import torch as th

from mesabench.engine.cache import kernel

BLOCK = 128  # gradients that stay in a core's cache while all cells are gone through


class ViewSums(th.autograd.Function):
    """``relu(Σ_cell table[cell, kind(cell)] + bias)`` on a CPU, and other features beside it."""

    @staticmethod
    def forward(
        ctx: Any, table: th.Tensor, bias: th.Tensor, kinds: th.Tensor, others: th.Tensor
    ) -> th.Tensor:
        """Return features.

        Args:
            ctx: where autograd keeps what the gradients need.
            table: what a kind in a cell adds, float32 [cells, kinds, H].
            bias: float32 [H].
            kinds: number of each cell's kind, int16 [B, cells].
            others: features without weights, float32 [B, n].

        Returns:
            float32 [B, H + n].
        """
        features = glance(table.detach(), bias.detach(), kinds, others)
        ctx.save_for_backward(features, kinds)
        ctx.shape = table.shape
        return features

    @staticmethod
    @th.autograd.function.once_differentiable
    def backward(ctx: Any, gradients: th.Tensor) -> tuple[Any, ...]:  # pyright: ignore
        """Return the gradients of table and bias from those of the features, [B, H + n]."""
        features, kinds = ctx.saved_tensors
        by_table, by_bias = gradients.new_zeros(ctx.shape), gradients.new_zeros(ctx.shape[2])
        passed = gradients.new_empty(len(kinds), ctx.shape[2])
        arrays = features, gradients.contiguous(), kinds, passed, by_table, by_bias
        blame(*(array.numpy() for array in arrays))
        return by_table, by_bias, None, None


view_sums = ViewSums.apply


def glance(table: th.Tensor, bias: th.Tensor, kinds: th.Tensor, others: th.Tensor) -> th.Tensor:
    """Return the features that `ViewSums` returns, without gradients."""
    features = th.empty(len(kinds), len(bias) + others.shape[1])
    add_up(*(array.numpy() for array in (table, bias, kinds, others, features)))
    return features


@kernel
def add_up(table, bias, kinds, others, features):
    """Write features [B, H + n]."""
    batch, cells = kinds.shape
    size = len(bias)
    for b in range(batch):
        for j in range(size):
            features[b, j] = bias[j]
        for cell in range(cells):
            kind = kinds[b, cell]
            for j in range(size):
                features[b, j] += table[cell, kind, j]
        for j in range(size):
            features[b, j] = max(features[b, j], np.float32(0.0))
        for j in range(others.shape[1]):
            features[b, size + j] = others[b, j]


@kernel
def blame(features, gradients, kinds, passed, by_table, by_bias):
    """Add gradients of the features to those of table and bias; `passed` is room for [B, H]."""
    batch, cells = kinds.shape
    size = len(by_bias)
    for b in range(batch):
        for j in range(size):
            passed[b, j] = gradients[b, j] if features[b, j] > 0.0 else np.float32(0.0)
            by_bias[j] += passed[b, j]
    for start in range(0, batch, BLOCK):
        for cell in range(cells):
            for b in range(start, min(start + BLOCK, batch)):
                kind = kinds[b, cell]
                for j in range(size):
                    by_table[cell, kind, j] += passed[b, j]
