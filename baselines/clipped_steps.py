"""Steps of an optimizer on gradients that come in parts, and that are clipped by their norm.

PyTorch adds them up, takes norms, scales and steps tensor by tensor, in some sixty operations: a
tenth of an update of these networks. For Adam as Stable-Baselines3 has it, two passes do.

Source: Kingma and Ba 2015, "Adam: a method for stochastic optimization".
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch as th
from torch.optim.optimizer import _global_optimizer_post_hooks, _global_optimizer_pre_hooks

from mesabench.engine.cache import Kernel, compiled

Gradients = Sequence[th.Tensor | None]  # one for each weight

# So that sums over all weights are of several partial sums, and divisions are not checked.
FAST: dict[str, Any] = {"error_model": "numpy", "fastmath": {"contract", "reassoc", "nsz"}}


class ClippedSteps:
    """Takes steps.

    Args:
        optimizer: of the weights; any, but Adam is the fast one.
        weights: those that learn.
        limit: largest norm of the gradients of all weights together.
    """

    def __init__(self, optimizer: th.optim.Optimizer, weights: Sequence[th.Tensor], limit: float):
        self._optimizer, self._weights, self._limit = optimizer, weights, limit
        self._arrays: list[tuple[np.ndarray, ...]] | None = None

    def __call__(self, parts: Sequence[Gradients]) -> None:
        """Take a step along the sum of the gradients of one or two parts."""
        if self._arrays is None:
            self._arrays = self._lay_open()
        whole = all(gradient is not None for part in parts for gradient in part)
        if not self._arrays or not whole:
            return self._step_plainly(parts)
        columns = zip(*([flat(x) for x in part if x is not None] for part in parts), strict=True)
        pairs = list(zip(self._arrays, columns, strict=True))
        norm = np.sqrt(sum(add_gradients(arrays[0], *given) for arrays, given in pairs))
        shrink = self._limit / (norm + 1e-6)
        self._step(np.float32(shrink if not shrink > 1.0 else 1.0))

    def _step(self, shrink: np.float32) -> None:
        (group,) = self._optimizer.param_groups
        first, second = group["betas"]
        for weight, arrays in zip(self._weights, self._arrays or (), strict=True):
            count = self._optimizer.state[weight]["step"]
            count += 1
            made = float(count)
            rate = float(group["lr"]) / (1.0 - first**made)
            root = 1.0 / np.sqrt(1.0 - second**made)
            numbers = 1.0 - first, second, 1.0 - second, rate, root, group["eps"]
            take_step(*arrays, shrink, *(np.float32(number) for number in numbers))

    def _step_plainly(self, parts: Sequence[Gradients]) -> None:
        """Step as PyTorch does it."""
        self._optimizer.zero_grad()
        for weight, *found in zip(self._weights, *parts, strict=True):
            gradients = [gradient for gradient in found if gradient is not None]
            if gradients:
                # Of its own and laid out like the weight: one tensor may be the gradient of two
                # weights, and fused steps take for granted that both lie in memory alike.
                weight.grad = th.zeros_like(weight)
                for gradient in gradients:
                    weight.grad += gradient
        th.nn.utils.clip_grad_norm_(self._weights, self._limit)
        self._optimizer.step()
        self._arrays = None

    def _lay_open(self) -> list[tuple[np.ndarray, ...]]:
        """Return gradients, weights and both moments as rows; nothing if they are not Adam's.

        The first step of all is PyTorch's own, which makes the moments.
        """
        if not is_plain_adam(self._optimizer):
            return []
        found = []
        for weight in self._weights:
            kept = self._optimizer.state.get(weight)
            tensors = [weight, *(kept[name] for name in ("exp_avg", "exp_avg_sq"))] if kept else []
            if not tensors or not all(x.is_contiguous() and x.dtype == th.float32 for x in tensors):
                return []
            weight.grad = th.empty_like(weight)
            found.append(tuple(flat(x) for x in (weight.grad, *tensors)))
        return found


def is_plain_adam(optimizer: th.optim.Optimizer) -> bool:
    """Say whether an optimizer is Adam on a CPU, without any of what can be added to it."""
    if type(optimizer) is not th.optim.Adam or len(optimizer.param_groups) != 1:
        return False
    (group,) = optimizer.param_groups
    added = ("amsgrad", "weight_decay", "maximize", "differentiable", "capturable")
    hooks = optimizer._optimizer_step_pre_hooks, optimizer._optimizer_step_post_hooks
    everywhere = _global_optimizer_pre_hooks, _global_optimizer_post_hooks
    wrapped = "step" in vars(optimizer)  # by a scheduler of learning rates, say
    on_cpu = all(weight.device.type == "cpu" for weight in group["params"])
    return on_cpu and not (any(map(group.get, added)) or any(hooks) or any(everywhere) or wrapped)


def flat(tensor: th.Tensor) -> np.ndarray:
    """Return a tensor's numbers as a row: in place, if they lie in order."""
    return tensor.detach().numpy().reshape(-1)


def fast(function: Any) -> Any:
    """Compile a kernel with `FAST`."""
    return compiled(Kernel, function, **FAST)


@fast
def add_gradients(found, first, second=None):
    """Write the sum of one gradient or two to `found`; return the square of its norm."""
    square = 0.0
    for i in range(len(found)):
        gradient = first[i] if second is None else first[i] + second[i]
        found[i] = gradient
        square += gradient * gradient
    return square


@fast
def take_step(gradient, weight, mean, square, shrink, new, kept, newly, rate, root, eps):
    """Shrink the gradient, move the moments by it and the weights by those."""
    for i in range(len(weight)):
        clipped = gradient[i] * shrink
        gradient[i] = clipped
        mean[i] += new * (clipped - mean[i])
        square[i] = kept * square[i] + newly * clipped * clipped
        weight[i] -= rate * mean[i] / (np.sqrt(square[i]) * root + eps)
