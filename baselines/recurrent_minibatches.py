"""Flat minibatches of recurrent rollouts: the stock buffers' samples in rows, without padding."""

from collections.abc import Callable, Generator, Iterator
from functools import partial
from types import EllipsisType
from typing import Any, NamedTuple, cast

import numpy as np
import torch as th
from sb3_contrib.common.recurrent.buffers import RecurrentDictRolloutBuffer, RecurrentRolloutBuffer
from sb3_contrib.common.recurrent.type_aliases import RecurrentRolloutBufferSamples, RNNStates
from stable_baselines3.common.buffers import RolloutBuffer

# Of the actor and the critic, before each step.
STATES = "hidden_states_pi", "cell_states_pi", "hidden_states_vf", "cell_states_vf"


class Stretch(NamedTuple):
    """Consecutive samples of a rollout, of which the first one follows the last."""

    start: int
    size: int


class Layout(NamedTuple):
    """Where the samples of a minibatch lie in a grid of `L` time steps by `R` rows.

    Places in the grid are numbered with time first: step `t` of row `r` is place `t * R + r`.
    """

    first: np.ndarray  # int64 [R]: the sample that each row begins with
    places: np.ndarray  # int64 [B]: the place of each sample
    resets: np.ndarray  # float32 [L, R, 1]: one at reset tokens, zero at samples and padding


def lay_out(row_starts: np.ndarray, episode_starts: np.ndarray) -> Layout:
    """Lay out samples in rows, with a reset token before each episode that starts inside a row.

    Args:
        row_starts: Whether a sample begins a row, bool [B]; true for the first sample.
        episode_starts: Whether a sample begins an episode, bool [B].
    """
    first = np.flatnonzero(row_starts)
    row = np.cumsum(row_starts) - 1
    token = episode_starts & ~row_starts
    position = np.arange(len(token)) + np.cumsum(token)
    step = position - position[first][row]
    resets = np.zeros((step.max() + 1, len(first), 1), np.float32)
    resets[step[token] - 1, row[token]] = 1.0
    return Layout(first, step * len(first) + row, resets)


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


class Everything:
    """The mask of a minibatch without padding: `losses[mask > 0]` is all of them, uncopied."""

    def __gt__(self, limit: float) -> EllipsisType:
        """Return the index of all that there is."""
        return ...


class FlatMinibatches(RolloutBuffer):
    """What both flat buffers share: minibatches of the stock buffer's samples, unpadded.

    Samples are numbered environment by environment: step `t` of environment `e` is sample
    `e * n_steps + t`. Recurrent states keep the axes of the rollout, as few are read.
    """

    two_memories = True  # whether the critic has states of its own; otherwise they are not kept
    samples: dict[str, Any]  # of the present update, where the policy is
    hidden_states_pi: np.ndarray  # float32 [n_steps, layers, n_envs, H], like the other three
    cell_states_pi: np.ndarray
    hidden_states_vf: np.ndarray
    cell_states_vf: np.ndarray

    def reset(self) -> None:
        """Forget the rollout. Arrays are used again: the next one writes to all of them."""
        if not hasattr(self, "cell_states_vf"):
            super().reset()
        self.pos, self.full, self.generator_ready = 0, False, False

    def add(
        self,
        obs: Any,
        action: np.ndarray,
        reward: np.ndarray,
        episode_start: np.ndarray,
        value: th.Tensor,
        log_prob: th.Tensor,
        *,
        lstm_states: RNNStates,
    ) -> None:
        """Write down a step of every environment, as the stock buffers do with more copies."""
        at = self.pos
        on_arrays(partial(write, at), self.observations, obs)
        self.actions[at] = action.reshape(self.n_envs, self.action_dim)
        self.rewards[at], self.episode_starts[at] = reward, episode_start
        self.values[at] = value.detach().cpu().numpy().reshape(-1)
        self.log_probs[at] = log_prob.detach().cpu().numpy()
        memories = [*lstm_states.pi, *lstm_states.vf] if self.two_memories else lstm_states.pi
        for name, state in zip(STATES, memories, strict=False):
            getattr(self, name)[at] = state.cpu().numpy()
        self.pos += 1
        self.full = self.pos == self.buffer_size

    def get(self, batch_size: int | None = None) -> Generator[Any, None, None]:
        """Yield the minibatches of one epoch, `RecurrentRolloutBufferSamples` with `Rows`."""
        yield from map(self.minibatch, self.stretches(batch_size))

    def stretches(self, batch_size: int | None = None) -> Iterator[Stretch]:
        """Yield the samples of each minibatch of one epoch.

        As in the stock buffer they are consecutive samples from a random one on, and one number is
        drawn from NumPy's global generator, so that equal seeds give equal minibatches.
        """
        assert self.full, "Rollout buffer must be full before sampling from it"
        if not self.generator_ready:
            self._flatten()
            self.generator_ready = True
        total = self.buffer_size * self.n_envs
        batch_size = batch_size or total
        begin = np.random.randint(total)  # noqa: NPY002
        for start in range(0, total, batch_size):
            yield Stretch((begin + start) % total, min(batch_size, total - start))

    def cut(self, stretch: Stretch, parts: int) -> list[Stretch]:
        """Cut a stretch into so many parts of about one size, or less, where environments begin."""
        start, size = stretch
        places = np.r_[0, np.arange(-start % self.buffer_size, size, self.buffer_size)]
        wanted = [size * part // parts for part in range(parts)]
        cuts = sorted({int(places[np.abs(places - place).argmin()]) for place in wanted})
        total = self.buffer_size * self.n_envs
        ends = [*cuts[1:], size]
        return [Stretch((start + a) % total, b - a) for a, b in zip(cuts, ends, strict=True)]

    def column(self, name: str, stretch: Stretch) -> th.Tensor:
        """Return what is known of samples under a name, [B]."""
        return take(self.samples[name], stretch)[:, 0]

    def _flatten(self) -> None:
        def held(array: np.ndarray) -> th.Tensor:
            return self.to_torch(self.swap_and_flatten(array), copy=False)

        self.samples = {"observations": on_arrays(held, self.observations)}
        for name in ("actions", "values", "log_probs", "advantages", "returns"):
            self.samples[name] = held(getattr(self, name))
        self._starts = self.swap_and_flatten(self.episode_starts)  # float32 [samples, 1]
        self.samples["episode_starts"] = self.to_torch(self._starts, copy=False)

    def minibatch(self, stretch: Stretch) -> RecurrentRolloutBufferSamples:
        """Lay samples out in rows."""

        def own(held: th.Tensor) -> th.Tensor:
            # Policies copy codes when they make numbers of them; numbers they may write to.
            taken = take(held, stretch)
            return taken.clone() if held.is_floating_point() else taken

        start, size = stretch
        indices = np.arange(start, start + size) % (self.buffer_size * self.n_envs)
        row_starts = indices % self.buffer_size == 0
        row_starts[0] = True
        layout = lay_out(row_starts, take(self._starts, stretch)[:, 0] > 0)
        return RecurrentRolloutBufferSamples(
            observations=on_arrays(own, self.samples["observations"]),
            actions=take(self.samples["actions"], stretch),
            old_values=self.column("values", stretch),
            old_log_prob=self.column("log_probs", stretch),
            advantages=self.column("advantages", stretch),
            returns=self.column("returns", stretch),
            lstm_states=self._rows(layout, indices[layout.first]),
            episode_starts=self.column("episode_starts", stretch),
            mask=cast(Any, Everything()),
        )

    def _rows(self, layout: Layout, first: np.ndarray) -> RNNStates:
        """Join `layout` with the states recorded before the samples `first` [R]."""
        env, step = np.divmod(first, self.buffer_size)
        goes_on = 1.0 - self._starts[first, :, None]  # float32 [R, 1, 1]

        def state(recorded: np.ndarray) -> th.Tensor:
            before = (recorded[step, :, env] * goes_on).swapaxes(0, 1)
            return self.to_torch(np.ascontiguousarray(before), copy=False)

        grid = Grid(layout, partial(self.to_torch, copy=False))
        actor: Any = Rows(state(self.hidden_states_pi), state(self.cell_states_pi), grid)
        if not self.two_memories:
            return RNNStates(actor, actor)
        critic: Any = Rows(state(self.hidden_states_vf), state(self.cell_states_vf), grid)
        return RNNStates(actor, critic)


class FlatRolloutBuffer(FlatMinibatches, RecurrentRolloutBuffer):
    """A `RecurrentRolloutBuffer` whose minibatches are flat."""


class FlatDictRolloutBuffer(FlatMinibatches, RecurrentDictRolloutBuffer):
    """A `RecurrentDictRolloutBuffer` whose minibatches are flat."""


def take(held: Any, stretch: Stretch) -> Any:
    """Return samples of an array or tensor: a view, unless they pass the end."""
    start, size = stretch
    beyond = start + size - len(held)
    if beyond <= 0:
        return held[start : start + size]
    join: Any = th.cat if isinstance(held, th.Tensor) else np.concatenate
    return join((held[start:], held[:beyond]))


def write(at: int, held: np.ndarray, seen: np.ndarray) -> None:
    """Write what was seen at a step to `held`, whose last axis discrete observations lack."""
    held[at] = seen.reshape(held.shape[1:])


def on_arrays(function: Callable[..., Any], observations: Any, *others: Any) -> Any:
    """Apply `function` to an array or tensor, or to each one of a dict (and to those of others)."""
    if isinstance(observations, dict):
        return {
            key: function(array, *(other[key] for other in others))
            for key, array in observations.items()
        }
    return function(observations, *others)
