"""A minibatch in two parts, each seen by the networks and differentiated in a thread of its own.

PyTorch's threads share one operation at a time, and most operations of a small network are too
small to be shared: a second thread makes an update hardly faster. Samples do not depend on one
another, though, so that two threads can do with half of them each what one would do with all. They
do so for the encoder, the LSTMs and the layer that a critic may have in the place of one; the heads
are small, and threads would wait for each other.
"""

import copy
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import torch as th
from sb3_contrib.common.recurrent.policies import RecurrentActorCriticPolicy
from sb3_contrib.common.recurrent.type_aliases import RNNStates
from torch import nn

PARTS = 2
# Layers through which samples act on one another, or that draw lots for all of them in turn.
TOGETHER = (nn.modules.batchnorm._BatchNorm, nn.modules.dropout._DropoutNd)

Tensors = tuple[th.Tensor, ...]  # [B, n] each


class Parts(NamedTuple):
    """The recurrent states of a minibatch in parts: what takes the place of `RNNStates`."""

    sizes: list[int]  # samples in each part
    states: list[RNNStates]


def can_be_parted(policy: RecurrentActorCriticPolicy) -> bool:
    """Say whether the parts of a minibatch give what it gives as a whole, and sooner."""
    lstms = policy.lstm_actor, policy.lstm_critic
    stock = RecurrentActorCriticPolicy
    return (
        policy.device.type == "cpu"
        and type(policy).evaluate_actions is stock.evaluate_actions
        and type(policy).extract_features is stock.extract_features
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
) -> tuple[th.Tensor, th.Tensor, th.Tensor | None]:
    """Do what the policy's class does; encoders and LSTMs see each part in a thread of its own.

    Returns:
        Values, log-likelihoods of the actions and entropies, as the stock method does.
    """
    plain: Callable[..., Any] = type(policy).evaluate_actions
    if not isinstance(lstm_states, Parts):
        return plain(policy, obs, actions, lstm_states, episode_starts)
    sizes = lstm_states.sizes
    if isinstance(obs, dict):
        columns = zip(*(cut(value, sizes) for value in obs.values()), strict=True)
        seen: Any = [dict(zip(obs, part, strict=True)) for part in columns]
    else:
        seen = cut(obs, sizes)
    rows = zip(seen, lstm_states.states, episode_starts.split(sizes), strict=True)
    calls = [lambda row=row: look(policy, *row) for row in rows]
    parameters = [weight for weight in policy.parameters() if weight.requires_grad]
    found: Tensors = InParts.apply(calls, *parameters)  # pyright: ignore[reportAssignmentType]
    unread = lstm_states.states[0]  # by the heads
    return plain(behind(policy, found), obs, actions, unread, episode_starts)


def cut(samples: th.Tensor, sizes: list[int]) -> list[th.Tensor]:
    """Return parts of samples, of their own where a network might write to them."""
    parts = samples.split(sizes)
    return [part.clone() for part in parts] if samples.is_floating_point() else list(parts)


def look(
    policy: RecurrentActorCriticPolicy, obs: Any, states: RNNStates, episode_starts: th.Tensor
) -> Tensors:
    """Return what the heads of the actor and the critic are given; one if an LSTM serves both."""
    features = policy.extract_features(obs)
    actors, critics = (features, features) if isinstance(features, th.Tensor) else features
    run: Any = policy._process_sequence
    outputs = [run(actors, states.pi, episode_starts, policy.lstm_actor)[0]]
    if policy.lstm_critic is not None:
        outputs.append(run(critics, states.vf, episode_starts, policy.lstm_critic)[0])
    elif policy.critic is not None:
        outputs.append(policy.critic(critics))
    return tuple(outputs)


def behind(policy: RecurrentActorCriticPolicy, found: Tensors) -> RecurrentActorCriticPolicy:
    """Return the policy as its heads are, which are given what was `found` for them."""
    actors, critics = found[0], found[-1]
    unread = actors if policy.share_features_extractor else (actors, actors)
    same = copy.copy(policy)

    def process_sequence(_: Any, states: Any, starts: Any, lstm: Any) -> tuple[th.Tensor, Any]:
        return (actors if lstm is policy.lstm_actor else critics), states

    vars(same).update(
        extract_features=lambda _: unread,
        _process_sequence=process_sequence,
        critic=lambda _: critics,
    )
    return same


class InParts(th.autograd.Function):
    """Calls functions of the same parameters, each in its own thread, and joins the results."""

    @staticmethod
    def forward(
        ctx: Any, calls: Sequence[Callable[[], Tensors]], *parameters: th.Tensor
    ) -> Tensors:
        """Return the results of all calls behind each other."""

        def call(function: Callable[[], Tensors]) -> Tensors:
            with th.enable_grad():
                return function()

        ctx.parameters, ctx.results = parameters, side_by_side(call, calls)
        ctx.set_materialize_grads(False)  # a critic may be left out of the loss
        return tuple(
            th.cat([part.detach() for part in parts]) for parts in zip(*ctx.results, strict=True)
        )

    @staticmethod
    @th.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: th.Tensor | None) -> tuple[Any, ...]:  # pyright: ignore
        """Return the gradients of the parameters, summed over the parts."""
        one = ctx.results[0]  # features may be the observations, without any parameters
        used = {i: g for i, g in enumerate(gradients) if g is not None and one[i].requires_grad}
        if not used:  # all of these weights are frozen
            return None, *(None for _ in ctx.parameters)
        sizes = [len(result[0]) for result in ctx.results]
        results = [[result[i] for i in used] for result in ctx.results]
        blamed = zip(*(gradient.split(sizes) for gradient in used.values()), strict=True)

        def differentiate(part: tuple[list[th.Tensor], Any]) -> tuple[th.Tensor | None, ...]:
            return th.autograd.grad(part[0], ctx.parameters, part[1], allow_unused=True)

        found = side_by_side(differentiate, list(zip(results, blamed, strict=True)))
        columns = zip(*found, strict=True)
        return None, *(None if first is None else sum(rest, first) for first, *rest in columns)


def side_by_side(function: Callable[[Any], Any], arguments: Sequence[Any]) -> list[Any]:
    """Call a function with each of some arguments, the first of them in this thread."""
    first, *others = arguments
    jobs = [pool(th.get_num_threads()).submit(function, argument) for argument in others]
    return [function(first), *(job.result() for job in jobs)]


@cache
def pool(threads: int) -> ThreadPoolExecutor:
    """Return the other threads, in which PyTorch has so many threads as in this one."""
    return ThreadPoolExecutor(PARTS - 1, initializer=th.set_num_threads, initargs=(threads,))
