"""Work in two parts, each in a thread of its own.

PyTorch's threads share one operation at a time, and most operations of a small network are too
small to be shared: a second thread makes an update hardly faster. Samples do not depend on one
another, though, so that two threads can do with half of them each what one would do with all.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from functools import cache
from typing import TypeVar

import torch as th
from sb3_contrib.common.recurrent.policies import RecurrentActorCriticPolicy
from torch import nn
from torch.nn.utils.parametrize import is_parametrized

A = TypeVar("A")
B = TypeVar("B")

PARTS = 2
# Layers through which samples act on one another, or that draw lots for all of them in turn. Those
# whose weights are computed may note what they computed, each time.
TOGETHER = (nn.modules.batchnorm._BatchNorm, nn.modules.dropout._DropoutNd)


def can_be_parted(policy: RecurrentActorCriticPolicy) -> bool:
    """Say whether the parts of a minibatch give what it gives as a whole, and sooner."""
    lstms = policy.lstm_actor, policy.lstm_critic
    return (
        type(policy).extract_features is RecurrentActorCriticPolicy.extract_features
        # A network that loops over time in Python would loop twice, one thread after the other.
        and all(lstm is None or type(lstm) is nn.LSTM for lstm in lstms)
        and not any(isinstance(m, TOGETHER) or is_parametrized(m) for m in policy.modules())
    )


def side_by_side(function: Callable[[A], B], arguments: Sequence[A]) -> list[B]:
    """Call a function with each of some arguments, the first of them in this thread."""
    first, *others = arguments
    jobs = [pool(th.get_num_threads()).submit(function, argument) for argument in others]
    try:
        done = function(first)
    finally:
        wait(jobs)  # also after an error: nobody should go on with what another thread works on
    return [done, *(job.result() for job in jobs)]


@cache
def pool(threads: int) -> ThreadPoolExecutor:
    """Return the other threads, in which PyTorch has so many threads as in this one."""
    return ThreadPoolExecutor(PARTS - 1, initializer=th.set_num_threads, initargs=(threads,))
