"""Steps on gradients that come in parts are PyTorch's: summed, clipped, stepped along."""

from collections.abc import Callable

import pytest
import torch as th
from torch import nn

from mesabench.baselines.clipped_steps import ClippedSteps, is_plain_adam

Kind = Callable[[list[nn.Parameter]], th.optim.Optimizer]
KINDS: dict[str, Kind] = {
    "adam": lambda weights: th.optim.Adam(weights, lr=1e-2, eps=1e-5),
    "fused adam": lambda weights: th.optim.Adam(weights, lr=1e-2, eps=1e-5, fused=True),
    "amsgrad": lambda weights: th.optim.Adam(weights, lr=1e-2, amsgrad=True),
    "decay": lambda weights: th.optim.AdamW(weights, lr=1e-2),
    "sgd": lambda weights: th.optim.SGD(weights, lr=1e-2, momentum=0.9),
}
SHAPES = [(5, 3), (7,), (1,), (2, 3, 4)]


def make_weights() -> list[nn.Parameter]:
    draw = th.Generator().manual_seed(0)
    return [nn.Parameter(th.randn(shape, generator=draw)) for shape in SHAPES]


def make_parts(step: int, parts: int) -> list[list[th.Tensor | None]]:
    """Gradients that are clipped at some steps; of one weight there is none at the fourth.

    Some are pieces of others, so that their numbers do not lie one after the other.
    """
    draw, scale = th.Generator().manual_seed(step), 0.01 if step % 2 else 1.0
    found: list[list[th.Tensor | None]] = []
    for _ in range(parts):
        whole = [scale * th.randn(*shape[:-1], shape[-1] + 1, generator=draw) for shape in SHAPES]
        found.append([gradient[..., :-1] for gradient in whole])
        if step == 4:
            found[-1][1] = None
    return found


def step_as_pytorch(weights: list[nn.Parameter], optimizer: th.optim.Optimizer, parts) -> None:
    for weight, *gradients in zip(weights, *parts, strict=True):
        weight.grad = None if gradients[0] is None else th.stack(gradients).sum(0)
    th.nn.utils.clip_grad_norm_(weights, 0.5)
    optimizer.step()


@pytest.mark.parametrize("parts", [1, 2])
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_steps_are_those_of_pytorch(kind, parts):
    ours, theirs = make_weights(), make_weights()
    own, plain = kind(ours), kind(theirs)
    take = ClippedSteps(own, ours, 0.5)
    for step in range(12):
        given = make_parts(step, parts)
        take(given)
        step_as_pytorch(theirs, plain, given)
        own.param_groups[0]["lr"] = plain.param_groups[0]["lr"] = 1e-2 / (step + 1)
        assert bool(take._arrays) == (step not in (0, 4) and is_plain_adam(own))
        if step == 8:  # as after an update: the moments are found where they are
            take = ClippedSteps(own, ours, 0.5)
    for one, other in zip(ours, theirs, strict=True):
        assert th.allclose(one, other, rtol=0, atol=1e-6)
        assert one.grad is not None
        assert other.grad is not None
        assert th.allclose(one.grad, other.grad, rtol=0, atol=1e-6)
    for kept, wanted in zip(own.state.values(), plain.state.values(), strict=True):
        assert kept.keys() == wanted.keys()
        for name in kept:
            if wanted[name] is not None:
                assert th.allclose(kept[name], wanted[name], rtol=0, atol=1e-6)


def test_adam_is_told_from_what_is_not_quite_it():
    fast = {name for name, kind in KINDS.items() if is_plain_adam(kind(make_weights()))}
    assert fast == {"adam", "fused adam"}
    hooked = KINDS["adam"](make_weights())
    hooked.register_step_post_hook(lambda *given: None)
    assert not is_plain_adam(hooked)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_one_tensor_may_be_the_gradient_of_two_weights(kind):
    """It is clipped once."""
    ours, theirs = ([nn.Parameter(th.zeros(3)) for _ in range(2)] for _ in range(2))
    take, plain = ClippedSteps(kind(ours), ours, 0.5), kind(theirs)
    for step in range(3):
        shared = th.full((3,), step + 1.0)
        take([[shared, shared]])
        step_as_pytorch(theirs, plain, [[shared.clone(), shared.clone()]])
    for one, other in zip(ours, theirs, strict=True):
        assert th.allclose(one, other, rtol=0, atol=1e-6)


def test_a_weight_that_one_part_does_not_depend_on_moves_by_the_other():
    for parts in ([[None], [th.ones(3)]], [[th.ones(3)], [None]]):
        weights = [nn.Parameter(th.zeros(3))]
        ClippedSteps(th.optim.SGD(weights, lr=1.0), weights, 100.0)(parts)
        assert weights[0].tolist() == [-1.0, -1.0, -1.0]


def test_what_is_no_number_spreads_as_in_pytorch():
    ours, theirs = make_weights(), make_weights()
    take, plain = ClippedSteps(KINDS["adam"](ours), ours, 0.5), KINDS["adam"](theirs)
    for step in range(3):
        given = make_parts(step, 2)
        if step == 2:
            broken = given[0][0]
            assert broken is not None
            broken[0, 0] = th.nan
        take(given)
        step_as_pytorch(theirs, plain, given)
    for one, other in zip(ours, theirs, strict=True):
        assert other.isnan().all()
        assert one.isnan().all()
