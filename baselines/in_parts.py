"""A minibatch in two parts, each evaluated and differentiated in a thread of its own.

PyTorch's threads share one operation at a time, and most operations of a small network are too
small to be shared: a second thread makes an update hardly faster. Samples do not depend on one
another, though, so that two threads can do with half of them each what one would do with all.
"""

import copy
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import torch as th
from gymnasium import spaces
from sb3_contrib.common.recurrent.policies import RecurrentActorCriticPolicy
from sb3_contrib.common.recurrent.type_aliases import RNNStates
from torch import nn

PARTS = 2
# Layers through which samples act on one another, or that draw lots for all of them in turn.
TOGETHER = (nn.modules.batchnorm._BatchNorm, nn.modules.dropout._DropoutNd)

Evaluation = tuple[th.Tensor, th.Tensor, th.Tensor]  # values, log-likelihoods and entropies


class Parts(NamedTuple):
    """The recurrent states of a minibatch in parts: what takes the place of `RNNStates`."""

    sizes: list[int]  # samples in each part
    states: list[RNNStates]


def can_be_parted(policy: RecurrentActorCriticPolicy) -> bool:
    """Say whether the parts of a minibatch give what it gives as a whole, and sooner."""
    lstms = policy.lstm_actor, policy.lstm_critic
    return (
        policy.device.type == "cpu"
        and isinstance(policy.action_space, spaces.Discrete)
        # A network that loops over time in Python would loop twice, one thread after the other.
        and all(lstm is None or type(lstm) is nn.LSTM for lstm in lstms)
        and not any(isinstance(module, TOGETHER) for module in policy.modules())
    )


def cut_rows(row_starts: np.ndarray) -> list[tuple[int, int]]:
    """Cut a minibatch into parts of about one size, at the starts of rows, bool [B].

    Returns:
        The first sample of each part, and the one after its last.
    """
    size, starts = len(row_starts), np.flatnonzero(row_starts)
    wanted = [size * part // PARTS for part in range(PARTS)]
    cuts = sorted({int(starts[np.abs(starts - sample).argmin()]) for sample in wanted})
    return list(zip(cuts, [*cuts[1:], size], strict=True))


def evaluate_actions(
    policy: RecurrentActorCriticPolicy,
    obs: Any,
    actions: th.Tensor,
    lstm_states: RNNStates | Parts,
    episode_starts: th.Tensor,
) -> Evaluation:
    """Do what the policy's class does, with each part in its own thread where there are parts."""
    plain: Callable[..., Any] = type(policy).evaluate_actions
    if not isinstance(lstm_states, Parts):
        return plain(policy, obs, actions, lstm_states, episode_starts)
    sizes = lstm_states.sizes
    if isinstance(obs, dict):
        columns = zip(*(value.split(sizes) for value in obs.values()), strict=True)
        seen: Any = [dict(zip(obs, part, strict=True)) for part in columns]
    else:
        seen = obs.split(sizes)
    rows = zip(
        seen, actions.split(sizes), lstm_states.states, episode_starts.split(sizes), strict=True
    )
    calls = [lambda row=row: plain(own_distribution(policy), *row) for row in rows]
    parameters = [weight for weight in policy.parameters() if weight.requires_grad]
    return InParts.apply(calls, *parameters)  # pyright: ignore[reportReturnType]


def own_distribution(policy: RecurrentActorCriticPolicy) -> RecurrentActorCriticPolicy:
    """Return the same policy, but for the action distribution, which remembers its last batch."""
    same = copy.copy(policy)
    same.action_dist = copy.copy(policy.action_dist)
    return same


class InParts(th.autograd.Function):
    """Calls functions of the same parameters, each in its own thread, and joins the results."""

    @staticmethod
    def forward(
        ctx: Any, calls: Sequence[Callable[[], Evaluation]], *parameters: th.Tensor
    ) -> Evaluation:
        """Return the results of all calls behind each other."""

        def call(function: Callable[[], Evaluation]) -> Evaluation:
            with th.enable_grad():
                return function()

        ctx.parameters, ctx.results = parameters, side_by_side(call, calls)
        values, log_likelihoods, entropies = zip(*ctx.results, strict=True)
        return joined(values), joined(log_likelihoods), joined(entropies)

    @staticmethod
    @th.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: th.Tensor) -> tuple[Any, ...]:  # pyright: ignore
        """Return the gradients of the parameters, summed over the parts."""
        sizes = [len(result[0]) for result in ctx.results]
        parts = zip(*(gradient.split(sizes) for gradient in gradients), strict=True)

        def differentiate(part: tuple[Evaluation, Any]) -> tuple[th.Tensor | None, ...]:
            result, blamed = part
            return th.autograd.grad(result, ctx.parameters, blamed, allow_unused=True)

        found = side_by_side(differentiate, list(zip(ctx.results, parts, strict=True)))
        columns = zip(*found, strict=True)
        return None, *(None if first is None else sum(rest, first) for first, *rest in columns)


def joined(results: Sequence[th.Tensor]) -> th.Tensor:
    """Return results behind each other, without what they were made of."""
    return th.cat([result.detach() for result in results])


def side_by_side(function: Callable[[Any], Any], arguments: Sequence[Any]) -> list[Any]:
    """Call a function with each of some arguments, the first of them in this thread."""
    first, *others = arguments
    jobs = [pool(th.get_num_threads()).submit(function, argument) for argument in others]
    return [function(first), *(job.result() for job in jobs)]


@cache
def pool(threads: int) -> ThreadPoolExecutor:
    """Return the other threads, in which PyTorch has so many threads as in this one."""
    return ThreadPoolExecutor(PARTS - 1, initializer=th.set_num_threads, initargs=(threads,))
