"""The features of views: sums of what each cell adds, in one pass forward and one back.

A linear layer over one-hot codes is a sum of rows of its weights. PyTorch gathers such sums fast,
but scatters their gradients by sorting all codes first, which takes longer than the dense product
of the one-hot codes. Here the gradients are added where they belong, one after the other. In most
views most cells are of the kind that is the commonest one there: what those add is added up once,
and each view says only where it differs.
"""

from typing import Any, NamedTuple

import numpy as np
import torch as th

from mesabench.engine.cache import inner, kernel


class Views(NamedTuple):
    """Views, told by their differences from the commonest one."""

    common: th.Tensor  # the commonest kind in each cell, int16 [cells]
    cells: th.Tensor  # where a view differs, int16 [B, cells], the first `counts` of each row
    kinds: th.Tensor  # what is there, int16 [B, cells]
    counts: th.Tensor  # in how many cells a view differs, int16 [B]


def tell_apart(kinds: th.Tensor, number: int) -> Views:
    """Return views, given which of so many kinds their cells are, int16 [B, cells]."""
    cells, differing = th.empty_like(kinds), th.empty_like(kinds)
    common, counts = kinds.new_empty(kinds.shape[1]), kinds.new_empty(len(kinds))
    views = Views(common, cells, differing, counts)
    find_differences(kinds.numpy(), number, *(array.numpy() for array in views))
    return views


@kernel
def find_differences(seen, number, common, cells, kinds, counts):
    """Write what `Views` is made of."""
    for cell in range(seen.shape[1]):
        often = np.zeros(number, np.int64)
        for kind in seen[:, cell]:
            often[kind] += 1
        common[cell] = often.argmax()
    for b in range(len(seen)):
        count = 0
        for cell in range(seen.shape[1]):
            if seen[b, cell] != common[cell]:
                cells[b, count], kinds[b, count] = cell, seen[b, cell]
                count += 1
        counts[b] = count


class ViewSums(th.autograd.Function):
    """``relu(Σ_cell table[cell, kind(cell)] + bias)`` on a CPU, and other features beside it."""

    @staticmethod
    def forward(
        ctx: Any, table: th.Tensor, bias: th.Tensor, views: Views, others: th.Tensor
    ) -> th.Tensor:
        """Return features.

        Args:
            ctx: where autograd keeps what the gradients need.
            table: what a kind in a cell adds, float32 [cells, kinds, H].
            bias: float32 [H].
            views: B of them.
            others: features without weights, float32 [B, n].

        Returns:
            float32 [B, H + n].
        """
        features = th.empty(len(others), len(bias) + others.shape[1])
        ctx.save_for_backward(features)
        ctx.shape, ctx.views = table.shape, views
        all_of_them = table.detach(), bias.detach(), *views, others, features
        add_up(*(array.numpy() for array in all_of_them))
        return features

    @staticmethod
    @th.autograd.function.once_differentiable
    def backward(ctx: Any, gradients: th.Tensor) -> tuple[Any, ...]:  # pyright: ignore
        """Return the gradients of table and bias from those of the features, [B, H + n]."""
        (features,) = ctx.saved_tensors
        by_table, by_bias = gradients.new_zeros(ctx.shape), gradients.new_zeros(ctx.shape[2])
        passed = gradients.new_empty(len(features), len(by_bias))
        arrays = features, gradients.contiguous(), *ctx.views, passed, by_table, by_bias
        blame(*(array.numpy() for array in arrays))
        return by_table, by_bias, None, None


view_sums = ViewSums.apply


@kernel
def add_up(table, bias, common, cells, kinds, counts, others, features):
    """Write features [B, H + n]."""
    size, usual, change = len(bias), bias.copy(), table.copy()
    for cell in range(len(common)):
        usual += table[cell, common[cell]]
        change[cell] -= table[cell, common[cell]]
    for b in range(len(counts)):
        for j in range(size):
            features[b, j] = usual[j]
        count = counts[b]
        for i in range(0, count - 1, 2):  # two at a time: half as often to memory and back
            c, d = cells[b, i], cells[b, i + 1]
            k, n = kinds[b, i], kinds[b, i + 1]
            for j in range(size):
                features[b, j] += change[c, k, j] + change[d, n, j]
        if count % 2:
            c, k = cells[b, count - 1], kinds[b, count - 1]
            for j in range(size):
                features[b, j] += change[c, k, j]
        complete(features, b, size, others)


@kernel
def blame(features, gradients, common, cells, kinds, counts, passed, by_table, by_bias):
    """Add gradients of the features to those of table and bias; `passed` is room for [B, H]."""
    batch, size = passed.shape
    for b in range(batch):
        for j in range(size):
            passed[b, j] = gradients[b, j] if features[b, j] > 0.0 else np.float32(0.0)
            by_bias[j] += passed[b, j]
    for b in range(batch):
        for i in range(counts[b]):
            cell, kind = cells[b, i], kinds[b, i]
            for j in range(size):
                by_table[cell, kind, j] += passed[b, j]
    for cell in range(len(common)):
        usual = by_bias.copy()
        for kind in range(by_table.shape[1]):
            if kind != common[cell]:
                usual -= by_table[cell, kind]
        by_table[cell, common[cell]] = usual


def glance(table: th.Tensor, bias: th.Tensor, kinds: th.Tensor, others: th.Tensor) -> th.Tensor:
    """Return the features that `ViewSums` returns, without gradients.

    Args:
        table: as for it.
        bias: as for it.
        kinds: the number of each cell's kind, int16 [B, cells].
        others: as for it.
    """
    features = th.empty(len(kinds), len(bias) + others.shape[1])
    look_up(*(array.numpy() for array in (table, bias, kinds, others, features)))
    return features


@kernel
def look_up(table, bias, kinds, others, features):
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
        complete(features, b, size, others)


@inner
def complete(features, b, size, others):
    """Let the sums of a sample be zero or more, and write its other features behind them."""
    for j in range(size):
        features[b, j] = max(features[b, j], np.float32(0.0))
    for j in range(others.shape[1]):
        features[b, size + j] = others[b, j]
