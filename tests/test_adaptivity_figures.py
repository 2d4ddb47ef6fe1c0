"""Figures of adaptivity, held against theory and planted answers."""

import numpy as np
import pytest
from histories import as_trials, played, two_steps

from mesabench.adaptivity.baiting import matching
from mesabench.adaptivity.figures import Resampling
from mesabench.adaptivity.harlow import accuracy
from mesabench.adaptivity.marks import around, at_least, at_most
from mesabench.adaptivity.outcome import outcome
from mesabench.adaptivity.references import BAYES
from mesabench.adaptivity.strokes import spread
from mesabench.adaptivity.two_step import kinds_of, logistic, regression, staying
from mesabench.adaptivity.volatile import own_rates, rate_shift, rates
from mesabench.learning.baiting import BaitedArms, BaitingBayes, matching_slope
from mesabench.learning.delta_rule import RescorlaWagner
from mesabench.learning.history import play
from mesabench.learning.learner import Learner
from mesabench.learning.processes import VolatileArms
from mesabench.learning.two_step_learners import ModelFree
from mesabench.learning.volatile import VolatileBayes
from mesabench.trials import TrialHistory


def test_intervals_of_means_and_ratios_are_those_of_theory() -> None:
    rng = np.random.default_rng(0)
    values, draws = rng.normal(5, 2, 400), Resampling(400)
    found = draws.mean(values)
    assert found.mean == pytest.approx(values.mean())
    assert found.high - found.low == pytest.approx(2 * 1.96 * 2 / 20, rel=0.15)
    ratio = draws.ratio(3 * values, values)
    assert (ratio.mean, ratio.low, ratio.high) == pytest.approx((3, 3, 3))


def test_forfeited_trials_cost_what_the_best_arm_pays() -> None:
    means = np.broadcast_to([0.2, 0.7], (10, 20, 2))
    history = TrialHistory(
        np.full((10, 20), -1), np.zeros((10, 20)), means, np.zeros((10, 20), np.int64)
    )
    found = outcome(history).figures
    assert found["regret"].mean == pytest.approx(14)
    assert found["forfeited"].mean == 1


def test_learning_rates_follow_volatility_for_bayes_and_not_for_a_fixed_rate() -> None:
    def shown(learner: Learner) -> tuple[float, float]:
        calm, fast = (as_trials(play(VolatileArms(h), learner, 100), np.zeros((100, 100, 2)))
                      for h in (0.005, 0.06))  # fmt: skip
        shift = rate_shift(rates(calm), rates(fast))
        assert shift is not None
        evidence = own_rates(calm, fast)
        assert evidence is not None
        return shift.mean, evidence

    shift, evidence = shown(VolatileBayes())
    assert shift > 0.05
    assert evidence > 10
    shift, evidence = shown(RescorlaWagner(0.5, 5.0, symmetric=True))
    assert abs(shift) < 0.03
    assert evidence < 10


@pytest.mark.parametrize(("split", "common"), [("heldout", True), ("test", False)])
def test_bayes_stays_by_the_transition_on_the_real_task(split: str, *, common: bool) -> None:
    history = played(BAYES, "TwoStep-v0", split)
    found = (staying(history) | regression(history)).figures
    for name, value in {"RC": 1.0, "RU": 0.67, "NC": 0.66, "NU": 1.0, "MB": 0.67}.items():
        assert found[name].mean == pytest.approx(value, abs=0.05), name
    assert abs(found["MF"].mean) < 0.06
    assert found["MB weight"].low > 0
    usual = kinds_of(history)[..., [0, 2]].any(-1)
    np.testing.assert_array_equal(usual, (history.states == history.choices) == common)


def test_a_model_free_learner_stays_by_reward() -> None:
    history = two_steps(ModelFree(0.4, 1.0, 8.0), 300)
    found = (staying(history) | regression(history)).figures
    assert found["MF"].low > 0.4
    assert found["MB"].high < 0.4
    assert found["MF weight"].low > 3 * abs(found["MB weight"].mean)


def test_the_regression_finds_planted_weights() -> None:
    rng = np.random.default_rng(1)
    x = rng.integers(-1, 2, (20_000, 6)).astype(float)
    planted = np.array([1.5, -1.0, 0.0, 0.5, 0.0, 2.0])
    y = (rng.random(20_000) < 1 / (1 + np.exp(-x @ planted))).astype(float)
    weights, cover = logistic(x, y, np.arange(20_000) // 50)
    assert (np.abs(weights - planted) < 4 * np.sqrt(np.diag(cover))).all()
    assert np.sqrt(np.diag(cover)).max() < 0.05


def test_the_regression_has_an_answer_where_choices_have_no_noise() -> None:
    x = np.repeat([[1.0, 0.0], [-1.0, 1.0]], 50, 0)
    weights, cover = logistic(x, np.repeat([1.0, 0.0], 50), np.arange(100))
    assert np.isfinite(weights).all()
    assert np.isfinite(cover).all()
    assert weights[0] > 2


def test_harlow_is_learnt_in_one_trial_by_who_remembers_objects_not_sides() -> None:
    by_object = accuracy(played(BAYES, "Harlow-v0", "test")).figures
    assert by_object["trial 1"].low < 0.5 < by_object["trial 1"].high
    assert by_object["trial 2"].mean == by_object["trials 3–6"].mean == 1
    by_side = accuracy(played("win-stay by side", "Harlow-v0", "test")).figures
    assert by_side["trials 3–6"].high < 0.6


def test_matching_slopes_are_those_of_the_learners() -> None:
    process = BaitedArms()
    history = play(process, BaitingBayes(), 300)
    found = matching(as_trials(history, np.broadcast_to(process.base[:, None], (300, 100, 2))))
    assert found.figures["matching slope"].mean == pytest.approx(matching_slope(history))
    log_base = np.array(found.samples["log ratio of base chances"])
    log_choices = np.array(found.samples["log ratio of choices"])
    assert np.corrcoef(log_base, log_choices)[0, 1] > 0.8


def test_who_takes_one_arm_only_matches_rewards_and_overmatches_base_chances() -> None:
    found = {name: matching(played(name, "Baiting-v0", "test")).figures for name in
             (BAYES, "greedy", "random")}  # fmt: skip
    assert found["greedy"]["matching slope"].low > 0.9
    assert found["greedy"]["slope over base chances"].low > 1.15
    assert 0.95 < found[BAYES]["slope over base chances"].mean < 1.05
    assert found["random"]["slope over base chances"].high < 0.05


def test_marks_are_met_by_the_figure_and_bands_by_the_interval() -> None:
    found = Resampling(100).mean(np.random.default_rng(0).normal(3.0, 1.0, 100))
    assert at_most("x", found, found.mean).passed
    assert not at_most("x", found, 2.5).passed
    assert at_least("x", found, 2.5).passed
    assert not at_least("x", found, 3.5).passed
    assert around("x", found, found.high + 0.1, 0.2).passed
    assert not around("x", found, found.high + 0.3, 0.2).passed
    assert not at_most("x", None, 1.0).passed
    assert not around("x", None, 1.0, 1.0).passed


def test_names_of_curves_are_moved_apart_and_keep_their_order() -> None:
    places = spread([0.0, 0.01, 0.02, 5.0, 9.9, 10.0], 1.0, 0.0, 10.0)
    assert np.diff(places).min() >= 1 - 1e-3
    assert min(places) >= 0
    assert max(places) <= 10
