"""Learning rates that are fitted to choices: planted ones are found."""

import numpy as np
import pytest
from enumerated_bandits import some_trials

from mesabench.learning.delta_rule import RescorlaWagner
from mesabench.learning.history import play, policy_along
from mesabench.learning.learner import Learner
from mesabench.learning.processes import (
    VolatileArms,
)
from mesabench.learning.rates import (
    Trials,
    block_rates,
    evidence_for_own_rates,
    fit,
    log_likelihood,
)
from mesabench.learning.volatile import VolatileBayes


def fitted_trials(learner: Learner, hazard: float, episodes: int = 200) -> Trials:
    history = play(VolatileArms(hazard), learner, episodes, seed=1)
    return Trials(history.choices, history.rewards)


def test_likelihood_is_the_product_of_the_policies_chances():
    choices, rewards = some_trials(4, 12)
    policy = policy_along(RescorlaWagner(0.3, 4.0, symmetric=True), choices, rewards)
    chances = np.take_along_axis(policy, choices[:, :, None], 2)
    expected = np.log(chances).sum()
    assert log_likelihood(Trials(choices, rewards), 0.3, 4.0) == pytest.approx(expected)


@pytest.mark.parametrize("rate", [0.15, 0.4, 0.75])
def test_fit_recovers_a_planted_rate(rate: float):
    trials = fitted_trials(RescorlaWagner(rate, 5.0, symmetric=True), 0.03)
    found = fit([trials])
    assert found.rate == pytest.approx(rate, abs=0.03)
    assert found.inverse_temperatures[0] == pytest.approx(5, rel=0.1)


def test_bayes_learns_faster_where_arms_swap_often_and_a_fixed_rate_does_not():
    hazards = (0.005, 0.06)
    bayes = [fitted_trials(VolatileBayes(), h) for h in hazards]
    fixed = [fitted_trials(RescorlaWagner(0.5, 5.0, symmetric=True), h) for h in hazards]
    low, high = (block_rates(trials) for trials in bayes)
    assert len(low) == 20
    assert low.mean() == pytest.approx(0.174, abs=0.012)
    assert high.mean() == pytest.approx(0.250, abs=0.02)
    assert np.median(high) - np.median(low) >= 0.05
    slow, fast = (block_rates(trials) for trials in fixed)
    assert slow.mean() == pytest.approx(0.494, abs=0.02)
    assert fast.mean() == pytest.approx(0.499, abs=0.02)
    assert abs(np.median(fast) - np.median(slow)) <= 0.02
    assert evidence_for_own_rates(bayes) > 10
    assert evidence_for_own_rates(fixed) < 0


def test_blocks_drop_what_is_left_over():
    blocks = Trials(*some_trials(25, 3)).blocks(10)
    assert [len(b.choices) for b in blocks] == [10, 10]
