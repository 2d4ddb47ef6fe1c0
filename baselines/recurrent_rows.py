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
    row, step = np.empty((2, stretch.size), np.int64)
    first = np.empty(stretch.size // n_steps + 2, np.int64)
    rows, length = find_places(*stretch, starts, n_steps, row, step, first)
    resets = np.zeros((length, rows, 1), np.float32)
    mark_resets(row, step, resets)
    return Layout(first[:rows], step * rows + row, resets)


@kernel
def find_places(start, size, starts, n_steps, row, step, first):
    """Write row and step of each sample and the first of each row; return how many there are."""
    rows, length, next_step = 0, 0, 0
    for i in range(size):
        sample = (start + i) % len(starts)
        if i == 0 or sample % n_steps == 0:
            first[rows] = sample
            rows += 1
            next_step = 0
        elif starts[sample] > 0:
            next_step += 1  # a token
        row[i], step[i] = rows - 1, next_step
        next_step += 1
        length = max(length, next_step)
    return rows, length


@kernel
def mark_resets(row, step, resets):
    """Mark the steps between samples of a row."""
    for i in range(1, len(row)):
        if row[i] == row[i - 1] and step[i] == step[i - 1] + 2:
            resets[step[i] - 1, row[i], 0] = 1.0


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


def recall(recorded: np.ndarray, first: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Return the states before rows, float32 [layers, R, H], zero where an episode starts.

    Args:
        recorded: the states before each step, float32 [n_steps, layers, n_envs, H].
        first: the sample that each row begins with, int64 [R].
        starts: as for `lay_out`.
    """
    found = np.zeros((recorded.shape[1], len(first), recorded.shape[3]), np.float32)
    copy_states(recorded, first, starts, found)
    return found


@kernel
def copy_states(recorded, first, starts, found):
    """Write the states before rows that go on with an episode."""
    n_steps, layers, _, _ = recorded.shape
    for r in range(len(first)):
        env, step = divmod(first[r], n_steps)
        if starts[first[r]] == 0:
            for layer in range(layers):
                found[layer, r] = recorded[step, layer, env]
