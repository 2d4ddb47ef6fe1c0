"""Samples of a recurrent rollout in rows: contiguous stretches of one environment, unpadded.

Samples are numbered environment by environment: step `t` of environment `e` is sample
`e * n_steps + t`.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch as th

from mesabench.engine.cache import kernel


class Stretch(NamedTuple):
    """Consecutive samples of a rollout, of which the first one follows the last."""

    start: int
    size: int


class Layout(NamedTuple):
    """Where samples lie in a grid of `L` time steps by `R` rows.

    Places in the grid are numbered with time first: step `t` of row `r` is place `t * R + r`.
    """

    first: np.ndarray  # int64 [R]: the sample that each row begins with
    places: np.ndarray  # int64 [B]: the place of each sample
    resets: np.ndarray  # float32 [L, R, 1]: one at reset tokens, zero at samples and padding


def lay_out(stretch: Stretch, starts: np.ndarray, n_steps: int) -> Layout:
    """Lay out samples in rows, with a reset token before each episode that starts inside a row.

    Args:
        stretch: of B samples.
        starts: whether a sample begins an episode, float32 [samples], of the whole rollout.
        n_steps: samples of each environment.
    """
    return Layout(*find_places(*stretch, starts, n_steps))


@kernel
def find_places(start, size, starts, n_steps):
    """Return what `Layout` is made of."""
    rows, length, used = 0, 0, 0
    for i in range(size):
        sample = (start + i) % len(starts)
        if i == 0 or sample % n_steps == 0:
            rows, used = rows + 1, 1
        else:
            used += 2 if starts[sample] > 0 else 1
        length = max(length, used)
    first, places = np.empty(rows, np.int64), np.empty(size, np.int64)
    resets = np.zeros((length, rows, 1), np.float32)
    row, step = -1, 0
    for i in range(size):
        sample = (start + i) % len(starts)
        if i == 0 or sample % n_steps == 0:
            row, step = row + 1, 0
            first[row] = sample
        elif starts[sample] > 0:
            resets[step, row, 0] = 1.0
            step += 1
        places[i] = step * rows + row
        step += 1
    return first, places, resets


class Grid:
    """A layout as tensors, where the policy is.

    Args:
        layout: of a minibatch.
        to_torch: makes a tensor of an array.
    """

    def __init__(self, layout: Layout, to_torch: Callable[[np.ndarray], th.Tensor]):
        self.places = to_torch(layout.places)  # int64 [B]
        self.resets = to_torch(layout.resets)  # float32 [L, R, 1]
        self._spread: tuple[th.Tensor, th.Tensor] | None = None

    def spread(self, features: th.Tensor) -> th.Tensor:
        """Lay features [B, I] out as [L, R, I + 1]; the last one is 1 at reset tokens, else 0.

        Actor and critic see the same features: those of the last call are not laid out again.
        """
        if self._spread is None or self._spread[0] is not features:
            length, rows, _ = self.resets.shape
            grid = features.new_zeros(length * rows, features.shape[1])
            grid = grid.index_add_(0, self.places, features).view(length, rows, -1)
            self._spread = features, th.cat((grid, self.resets), dim=2)
        return self._spread[1]

    def gather(self, outputs: th.Tensor) -> th.Tensor:
        """Return the samples' outputs, [B, H], of those at all places, [L, R, H]."""
        return outputs.flatten(0, 1).index_select(0, self.places)


class Rows(NamedTuple):
    """A grid and the state before each row: what takes the place of `(hidden, cell)`."""

    hidden: th.Tensor  # float32 [layers, R, H]
    cell: th.Tensor  # float32 [layers, R, H]
    grid: Grid


@kernel
def recall(recorded, first, starts):
    """Return the states before rows, float32 [layers, R, H], zero where an episode starts.

    Args:
        recorded: the states before each step, float32 [n_steps, layers, n_envs, H].
        first: the sample that each row begins with, int64 [R].
        starts: as for `lay_out`.
    """
    n_steps, layers, _, size = recorded.shape
    found = np.zeros((layers, len(first), size), np.float32)
    for r in range(len(first)):
        env, step = divmod(first[r], n_steps)
        if starts[first[r]] == 0:
            for layer in range(layers):
                found[layer, r] = recorded[step, layer, env]
    return found
