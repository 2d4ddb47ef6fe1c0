"""Actions are drawn, and judged, as PyTorch's `Categorical` does it."""

import pytest
import torch as th
from torch.distributions import Categorical

from mesabench.baselines.categorical import LeanCategorical

SHAPES = [(1, 2), (5, 3), (400, 7)]


def a_pair(
    shape: tuple[int, int], scale: float = 3.0
) -> tuple[LeanCategorical, Categorical, th.Tensor]:
    generator = th.Generator().manual_seed(shape[0])
    logits = (scale * th.randn(shape, generator=generator)).requires_grad_()
    return LeanCategorical(shape[1]).proba_distribution(logits), Categorical(logits=logits), logits


@pytest.mark.parametrize("shape", SHAPES)
def test_likelihoods_entropies_and_their_gradients_are_those_of_pytorch(shape):
    lean, plain, logits = a_pair(shape)
    actions = th.arange(shape[0]) % shape[1]
    for ours, theirs in (
        (lean.log_prob(actions), plain.log_prob(actions)),
        (lean.entropy(), plain.entropy()),
    ):
        assert th.allclose(ours, theirs, atol=1e-5)
        found, expected = (
            th.autograd.grad(x.sum(), logits, retain_graph=True) for x in (ours, theirs)
        )
        assert th.allclose(found[0], expected[0], atol=1e-5)
        assert expected[0].abs().max() > 1e-3
    assert th.equal(lean.mode(), plain.probs.argmax(1))


@pytest.mark.parametrize("shape", SHAPES)
def test_equal_seeds_draw_equal_actions(shape):
    lean, plain, _ = a_pair(shape)
    drawn = []
    for distribution in (lean, plain):
        th.manual_seed(1)
        drawn.append(th.stack([distribution.sample() for _ in range(50)]))
    assert th.equal(*drawn)
    assert len(drawn[0].unique()) > 1


def test_impossible_actions_have_no_part_in_the_entropy():
    """Their log-likelihood is −∞, and 0 · −∞ is no number."""
    lean = LeanCategorical(3).proba_distribution(th.tensor([[0.0, 0.0, -th.inf]]))
    assert th.allclose(lean.entropy(), th.tensor(2.0).log())


@pytest.mark.parametrize("row", [[0.0, th.nan], [0.0, th.inf], [-th.inf, -th.inf]])
def test_what_are_no_logits_is_refused_as_pytorch_refuses_it(row):
    broken = th.tensor([[0.0, 1.0], row])
    with pytest.raises(ValueError, match="Categorical"):
        Categorical(logits=broken)
    with pytest.raises(ValueError, match="not numbers"):
        LeanCategorical(2).proba_distribution(broken)
