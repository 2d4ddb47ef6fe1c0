"""Optimal learners of two arms and their beliefs, held against enumeration and closed forms."""

import itertools

import numpy as np
import pytest
from enumerated_bandits import (
    after_trials,
    independent,
    mirrored,
    some_trials,
    volatile,
)

from mesabench.learning import dependent, optimal
from mesabench.learning.baiting import (
    BaitingBayes,
)
from mesabench.learning.dependent import DependentBayes
from mesabench.learning.heuristics import Greedy, Random, Thompson
from mesabench.learning.learner import LearningError
from mesabench.learning.optimal import Optimal
from mesabench.learning.processes import (
    Prior,
)
from mesabench.learning.two_step_learners import (
    BayesTwoStep,
)
from mesabench.learning.volatile import VolatileBayes

# Optimal learners of two arms


@pytest.mark.parametrize("horizon", [1, 2, 3, 4])
def test_dynamic_programming_is_the_best_of_all_rules(horizon: int):
    best = independent().best(horizon)
    assert optimal.optimal_regret(horizon) == pytest.approx(horizon * 2 / 3 - best, abs=1e-12)


@pytest.mark.parametrize(
    ("horizon", "regret"), [(10, 0.645), (30, 1.080), (50, 1.337), (100, 1.748)]
)
def test_least_regret_of_independent_arms(horizon: int, regret: float):
    assert optimal.optimal_regret(horizon) == pytest.approx(regret, abs=0.0005)


@pytest.mark.parametrize("horizon", [2, 5])
def test_the_table_earns_what_was_planned(horizon: int):
    earned = independent().earned(Optimal(horizon), horizon)
    assert horizon * 2 / 3 - earned == pytest.approx(optimal.optimal_regret(horizon), abs=1e-12)


def test_greedy_and_thompson_earn_less_than_the_table():
    arms, best = independent(), independent().best(5)
    assert arms.earned(Random(), 5) == pytest.approx(2.5)
    assert 2.5 < arms.earned(Thompson(), 5) < arms.earned(Greedy(), 5) < best - 1e-4


def test_the_table_says_where_it_ends():
    learner = Optimal(2)
    after_trials(learner, *some_trials(3, 2))
    with pytest.raises(LearningError, match="2 trials"):
        learner.probabilities()


@pytest.mark.parametrize("prior", ["uniform", "easy", "medium", "hard"])
def test_greedy_filter_of_dependent_arms_is_the_best_of_all_rules(prior: Prior):
    arms = mirrored(prior)
    best = arms.best(5)
    assert arms.earned(DependentBayes(prior), 5) == pytest.approx(best, abs=1e-12)
    better = arms.prior @ arms.pays.max(1) if prior != "uniform" else 0.75  # no polynomial
    assert dependent.optimal_regret(prior, 5) == pytest.approx(5 * better - best, abs=1e-12)


def test_least_regret_of_dependent_arms():
    # Simulated before: 1.19, .64 and 2.32, off by no more than that had of errors.
    assert dependent.optimal_regret("uniform") == pytest.approx(1.19, abs=0.035)
    assert dependent.optimal_regret("easy") == pytest.approx(0.64, abs=0.02)
    assert dependent.optimal_regret("hard") == pytest.approx(2.32, abs=0.03)


@pytest.mark.parametrize("hazards", [(0.06,), (0.005, 0.06), (0.01, 0.1, 0.3)])
def test_volatile_filter_is_the_best_of_all_rules(hazards: tuple[float, ...]):
    arms = volatile(hazards)
    assert arms.earned(VolatileBayes(hazards), 5) == pytest.approx(arms.best(5), abs=1e-12)


# Beliefs


def test_posterior_mean_is_the_integral():
    choices, rewards = some_trials(20, 6)
    for prior in ("uniform", "easy", "hard"):
        arms, learner = mirrored(prior), DependentBayes(prior)
        after_trials(learner, choices, rewards)
        for n in range(20):
            weights = arms.prior
            for arm, reward in zip(choices[n], rewards[n], strict=True):
                weights = arms.after(weights, arm, int(reward))
            expected = weights @ arms.pays[:, 0] / weights.sum()
            assert learner.posterior_mean()[n] == pytest.approx(expected)


def test_coin_flips_have_laplaces_rule():
    learner = Greedy(arms=1)
    flips = np.array([[1.0, 0, 1, 1, 0]])
    after_trials(learner, np.zeros((1, 5), int), flips)
    assert learner.posterior_means().item() == pytest.approx((3 + 1) / (5 + 2))


def test_volatile_belief_sums_over_hidden_paths():
    choices, rewards = some_trials(5, 6)
    learner, hazards = VolatileBayes(), (0.005, 0.06)
    after_trials(learner, choices, rewards)
    for n in range(5):
        joint = np.zeros((2, 2))
        for i, path in itertools.product((0, 1), itertools.product((0, 1), repeat=7)):
            swaps = np.diff(path) != 0
            chance = np.prod(np.where(swaps, hazards[i], 1 - hazards[i]))
            paid = np.where(choices[n] == path[:-1], 0.8, 0.2)
            joint[i, path[-1]] += chance * np.prod(np.where(rewards[n] > 0, paid, 1 - paid))
        assert learner.belief[n] == pytest.approx(joint / joint.sum())


def test_two_step_belief_sums_over_hidden_paths():
    choices, rewards = some_trials(5, 6)
    states = some_trials(5, 6, seed=1)[0]
    learner = BayesTwoStep()
    learner.begin(5, np.random.default_rng(0))
    for t in range(6):
        learner.learn(choices[:, t], states[:, t], rewards[:, t])
    for n in range(5):
        joint = np.zeros(2)
        for path in itertools.product((0, 1), repeat=7):
            chance = np.prod(np.where(np.diff(path) != 0, 0.025, 0.975))
            paid = np.where(states[n] == path[:-1], 0.9, 0.1)
            joint[path[-1]] += chance * np.prod(np.where(rewards[n] > 0, paid, 1 - paid))
        assert learner.second[n] == pytest.approx(joint[1] / joint.sum())


def test_baiting_belief_weighs_every_trial():
    choices, rewards = some_trials(5, 8)
    learner = BaitingBayes(trials=9)
    after_trials(learner, choices, rewards)
    for n in range(5):
        weights = np.ones(len(learner.grid))
        for t, arm in enumerate(choices[n]):
            before = [s for s in range(t) if choices[n, s] == arm]
            alone = t - 1 - before[-1] if before else t
            base = learner.grid if arm == 0 else 0.5 - learner.grid
            unpaid = (1 - base) ** (alone + 1)
            weights *= 1 - unpaid if rewards[n, t] else unpaid
        assert learner.belief[n] == pytest.approx(weights / weights.sum())
