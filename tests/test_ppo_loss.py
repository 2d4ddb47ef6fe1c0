"""The loss and its gradients by hand are those that PyTorch finds for sb3-contrib's formulas."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch as th
from chance_models import build
from sb3_contrib import RecurrentPPO
from torch.distributions import Categorical

from mesabench.baselines.ppo_loss import Coefficients, Samples, Terms, differentiate_loss
from mesabench.baselines.recurrent_ppo import FlatRecurrentPPO

BATCH, ACTIONS = 400, 5


@dataclass
class Case:
    """A minibatch whose ratios are on both sides of the bounds, for gains and for losses."""

    logits: th.Tensor
    values: th.Tensor
    samples: Samples


@pytest.fixture
def case() -> Case:
    draw = th.Generator().manual_seed(0)
    logits = (2 * th.randn(BATCH, ACTIONS, generator=draw)).requires_grad_()
    values = th.randn(BATCH, generator=draw).requires_grad_()
    actions = th.randint(ACTIONS, (BATCH,), generator=draw)
    likely = Categorical(logits=logits).log_prob(actions).detach()
    old = likely + 0.3 * th.randn(BATCH, generator=draw)
    old[:50] = likely[:50]  # as in the first minibatch of an update
    advantages, returns, moved = th.randn(3, BATCH, generator=draw)
    samples = Samples(actions, old, advantages, returns, values.detach() + 0.3 * moved)
    return Case(logits, values, samples)


def plain(case: Case, given: Coefficients) -> tuple[th.Tensor, Terms]:
    """The loss as `RecurrentPPO.train` writes it."""
    policy, (actions, old, advantages, returns, old_values) = (
        Categorical(logits=case.logits),
        case.samples,
    )
    log_ratio = policy.log_prob(actions) - old
    ratio = log_ratio.exp()
    bounded = th.clamp(ratio, 1 - given.clip, 1 + given.clip)
    limit = given.clip_values
    predicted = old_values + th.clamp(case.values - old_values, -limit, limit)
    terms = Terms(
        policy=-th.min(advantages * ratio, advantages * bounded).mean(),
        value=((returns - predicted) ** 2).mean(),
        entropy=-policy.entropy().mean(),
        clipped=((ratio - 1).abs() > given.clip).float().mean(),
        kl=((log_ratio.exp() - 1) - log_ratio).mean(),
    )
    return terms.policy + given.entropy * terms.entropy + given.value * terms.value, terms


@pytest.mark.parametrize("clip_values", [np.inf, 0.2])
def test_gradients_and_terms_are_those_of_the_formulas(case, clip_values):
    given = Coefficients(clip=0.2, clip_values=clip_values, entropy=0.3, value=0.5)
    loss, terms = plain(case, given)
    wanted = th.autograd.grad(loss, (case.logits, case.values))
    *found, ours = differentiate_loss(case.logits, case.values, case.samples, BATCH, given)
    for one, other in zip(found, wanted, strict=True):
        assert th.allclose(one, other, atol=1e-8, rtol=1e-4)
        assert other.abs().max() > 1e-4
    assert ours == pytest.approx([float(term.detach()) for term in terms], abs=1e-6)
    assert 0.1 < ours.clipped < 0.9


def test_parts_add_up(case):
    given = Coefficients(clip=0.2, clip_values=0.2, entropy=0.3, value=0.5)
    whole = differentiate_loss(case.logits, case.values, case.samples, BATCH, given)
    parts = []
    for part in (slice(0, 150), slice(150, None)):
        samples = Samples(*(column[part] for column in case.samples))
        parts.append(
            differentiate_loss(case.logits[part], case.values[part], samples, BATCH, given)
        )
    for i in (0, 1):
        assert th.equal(th.cat([part[i] for part in parts]), whole[i])  # type: ignore[misc]
    assert np.sum([part[2] for part in parts], axis=0) == pytest.approx(whole[2])


def test_impossible_actions_get_no_gradient(case):
    """Their log-likelihood is −∞, and 0 · −∞ is no number."""
    with th.no_grad():
        case.logits[:, 0] = -th.inf
    samples = case.samples._replace(actions=case.samples.actions.clamp(min=1))
    given = Coefficients(clip=0.2, clip_values=np.inf, entropy=0.3, value=0.5)
    by_logits, _, terms = differentiate_loss(case.logits, case.values, samples, BATCH, given)
    assert by_logits[:, 0].count_nonzero() == 0
    assert by_logits[:, 1:].isfinite().all()
    assert -np.log(ACTIONS - 1) < terms.entropy < 0


@pytest.mark.parametrize("broken", [[0.0, th.nan], [0.0, th.inf], [-th.inf, -th.inf]])
def test_what_are_no_logits_is_refused(broken):
    logits = th.tensor([[0.0, 1.0], broken])
    samples = Samples(th.zeros(2, dtype=th.int64), *th.zeros(4, 2))
    given = Coefficients(clip=0.2, clip_values=np.inf, entropy=0.3, value=0.5)
    with pytest.raises(ValueError, match="not numbers"):
        differentiate_loss(logits, th.zeros(2), samples, 2, given)


@pytest.mark.parametrize("settings", [{}, {"clip_range_vf": 0.05}, {"target_kl": 1e-4}], ids=str)
def test_what_is_logged_is_what_the_stock_class_logs(settings, monkeypatch):
    told = []
    for algorithm in (FlatRecurrentPPO, RecurrentPPO):
        model = build(algorithm, **settings)
        monkeypatch.setattr(algorithm, "dump_logs", lambda model, iteration=0: None)
        model.learn(2 * model.n_envs * model.n_steps, log_interval=10)
        told.append({k: v for k, v in model.logger.name_to_value.items() if "train" in k})
    ours, stock = told
    assert ours.keys() == stock.keys()
    assert {"train/loss", "train/approx_kl", "train/explained_variance"} < ours.keys()
    for name, value in stock.items():
        assert ours[name] == pytest.approx(value, abs=1e-5), name
