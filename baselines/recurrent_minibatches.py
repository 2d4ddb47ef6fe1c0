"""Flat minibatches of recurrent rollouts: the stock buffers' samples in rows, without padding."""

from collections.abc import Callable, Generator, Iterator
from functools import partial
from types import EllipsisType
from typing import Any, cast

import numpy as np
import torch as th
from sb3_contrib.common.recurrent.buffers import RecurrentDictRolloutBuffer, RecurrentRolloutBuffer
from sb3_contrib.common.recurrent.type_aliases import RecurrentRolloutBufferSamples, RNNStates
from stable_baselines3.common.buffers import RolloutBuffer

from mesabench.baselines.recurrent_rows import Grid, Layout, Rows, Stretch, lay_out, recall

# Of the actor and the critic, before each step.
STATES = "hidden_states_pi", "cell_states_pi", "hidden_states_vf", "cell_states_vf"


class Everything:
    """The mask of a minibatch without padding: `losses[mask > 0]` is all of them, uncopied."""

    def __gt__(self, limit: float) -> EllipsisType:
        """Return the index of all that there is."""
        return ...


class FlatMinibatches(RolloutBuffer):
    """What both flat buffers share: minibatches of the stock buffer's samples, unpadded.

    Recurrent states keep the axes of the rollout, as few are read.
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

    def add(  # pyright: ignore[reportIncompatibleMethodOverride]
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
            self.flatten()
        total = self.buffer_size * self.n_envs
        batch_size = batch_size or total
        begin = np.random.randint(total)  # noqa: NPY002
        for start in range(0, total, batch_size):
            yield Stretch((begin + start) % total, min(batch_size, total - start))

    def flatten(self, take_in: Callable[[Any], Any] = lambda observations: observations) -> None:
        """Number the samples, and let `take_in` make of all observations what networks get."""

        def held(array: np.ndarray) -> th.Tensor:
            return self.to_torch(self.swap_and_flatten(array), copy=False)

        self.samples = {"observations": take_in(on_arrays(held, self.observations))}
        self.samples["actions"] = held(self.actions)
        for name in ("values", "log_probs", "advantages", "returns"):
            self.samples[name] = held(getattr(self, name))[:, 0]
        self._starts = self.swap_and_flatten(self.episode_starts)[:, 0]  # float32 [samples]
        self.samples["episode_starts"] = self.to_torch(self._starts, copy=False)
        self.generator_ready = True

    def cut(self, stretch: Stretch, parts: int) -> list[Stretch]:
        """Cut a stretch into so many parts of about one size, or less, where environments begin."""
        start, size = stretch
        begun = range(-start % self.buffer_size, size, self.buffer_size)
        wanted = [size * part // parts for part in range(1, parts)] if begun else []
        cuts = sorted({0, *(min(begun, key=lambda place: abs(place - w)) for w in wanted)})
        ends, total = [*cuts[1:], size], self.buffer_size * self.n_envs
        return [Stretch((start + a) % total, b - a) for a, b in zip(cuts, ends, strict=True)]

    def column(self, name: str, stretch: Stretch) -> th.Tensor:
        """Return what is known of samples under a name, [B]."""
        return take(self.samples[name], stretch)

    def minibatch(self, stretch: Stretch) -> RecurrentRolloutBufferSamples:
        """Lay samples out in rows."""

        def own(held: th.Tensor) -> th.Tensor:
            # Policies copy codes when they make numbers of them; numbers they may write to.
            taken = take(held, stretch)
            return taken.clone() if held.is_floating_point() else taken

        layout = lay_out(stretch, self._starts, self.buffer_size)
        return RecurrentRolloutBufferSamples(
            observations=on_arrays(own, self.samples["observations"]),
            actions=take(self.samples["actions"], stretch),
            old_values=self.column("values", stretch),
            old_log_prob=self.column("log_probs", stretch),
            advantages=self.column("advantages", stretch),
            returns=self.column("returns", stretch),
            lstm_states=self._rows(layout),
            episode_starts=self.column("episode_starts", stretch),
            mask=cast(Any, Everything()),
        )

    def _rows(self, layout: Layout) -> RNNStates:
        """Join `layout` with the states recorded before its rows."""
        to_torch = partial(self.to_torch, copy=False)
        grid = Grid(layout, to_torch)

        def rows(*recorded: np.ndarray) -> Any:
            states = (recall(memory, layout.first, self._starts) for memory in recorded)
            return Rows(*map(to_torch, states), grid)

        actor = rows(self.hidden_states_pi, self.cell_states_pi)
        if not self.two_memories:
            return RNNStates(actor, actor)
        return RNNStates(actor, rows(self.hidden_states_vf, self.cell_states_vf))


class FlatRolloutBuffer(FlatMinibatches, RecurrentRolloutBuffer):
    """A `RecurrentRolloutBuffer` whose minibatches are flat."""


class FlatDictRolloutBuffer(FlatMinibatches, RecurrentDictRolloutBuffer):
    """A `RecurrentDictRolloutBuffer` whose minibatches are flat."""


def take(held: th.Tensor, stretch: Stretch) -> th.Tensor:
    """Return samples of a tensor: a view, unless they pass the end."""
    start, size = stretch
    beyond = start + size - len(held)
    if beyond <= 0:
        return held[start : start + size]
    return th.cat((held[start:], held[:beyond]))


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
