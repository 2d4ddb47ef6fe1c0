"""Heuristics and the processes that they play, held against closed forms and known figures."""

import numpy as np
import pytest
from enumerated_bandits import EPISODES, after_trials, close

from mesabench.learning.baiting import (
    TRAIN,
    BaitedArms,
)
from mesabench.learning.delta_rule import RescorlaWagner, best_rate
from mesabench.learning.dependent import DependentBayes
from mesabench.learning.heuristics import UCB, Greedy, Random, Thompson, WinStay
from mesabench.learning.history import play
from mesabench.learning.learner import Learner, draw
from mesabench.learning.optimal import Optimal
from mesabench.learning.processes import (
    DependentArms,
    ElevenArms,
    IndependentArms,
    Process,
    VolatileArms,
)
from mesabench.learning.volatile import VolatileBayes

# Heuristics


@pytest.mark.parametrize(
    ("process", "regret"),
    [
        (IndependentArms(), 100 / 6),
        (DependentArms("uniform"), 25),
        (DependentArms("easy"), 40),
        (DependentArms("medium"), 25),
        (DependentArms("hard"), 10),
        (VolatileArms(0.06), 30),
    ],
)
def test_random_regret(process: Process, regret: float):
    assert close(play(process, Random(), EPISODES).regrets.sum(1), regret)


@pytest.mark.parametrize(
    ("process", "learner", "regret", "tolerance"),
    [
        (IndependentArms(), Optimal(), 1.748, 0),
        (IndependentArms(), Thompson(), 2.80, 0.03),
        (IndependentArms(), UCB(), 4.14, 0.03),
        (IndependentArms(), Greedy(), 2.74, 0.05),
        (DependentArms("uniform"), Thompson(), 2.79, 0.03),
        (DependentArms("uniform"), UCB(), 4.20, 0.03),
        (DependentArms("uniform"), Greedy(), 2.15, 0.05),
        (DependentArms("easy"), DependentBayes("easy"), 0.64, 0.02),
        (DependentArms("hard"), DependentBayes("hard"), 2.32, 0.03),
        (DependentArms("easy"), Thompson(), 2.12, 0.03),
        (DependentArms("hard"), UCB(), 4.87, 0.03),
        (DependentArms("hard"), Greedy(), 4.75, 0.05),
        (VolatileArms(0.005), VolatileBayes(), 2.97, 0.03),
        (VolatileArms(0.06), VolatileBayes(), 11.33, 0.05),
    ],
)
def test_known_regret(process: Process, learner: Learner, regret: float, tolerance: float):
    assert close(play(process, learner, EPISODES).regrets.sum(1), regret, tolerance)


@pytest.mark.parametrize(("arms", "reward"), [(5, 5.8), (10, 5.5), (50, 5.2)])
def test_thompson_on_many_arms(arms: int, reward: float):
    history = play(IndependentArms(arms, trials=10), Thompson(arms), 2000)
    assert close(history.rewards.sum(1), reward, 0.05)


def test_thompson_probabilities_are_those_of_the_draws():
    learner = Thompson(arms=2)
    after_trials(learner, np.array([[0]]), np.array([[1.0]]))
    assert learner.probabilities() == pytest.approx(np.array([[2 / 3, 1 / 3]]))  # ∫ 2x · x dx
    many = Thompson(arms=3)
    choices, rewards = (
        np.array([[0, 1, 1, 2, 0, 2, 2]] * 20_000),
        np.array([[1.0, 0, 1, 0, 1, 1, 0]]),
    )
    after_trials(many, choices, np.repeat(rewards, 20_000, 0))
    drawn = np.bincount(many.choose(), minlength=3) / 20_000
    assert many.probabilities()[0] == pytest.approx(drawn, abs=0.015)
    assert many.probabilities()[0].sum() == pytest.approx(1)


def test_ucb_returns_to_a_loser_when_its_bound_says():
    # √ln t ≥ 1 + √(ln t / (t - 2)) holds from t = 11 on.
    learner = UCB()
    learner.begin(1, np.random.default_rng(0))
    learner.learn(np.array([0]), np.array([1.0]))
    assert learner.choose() == [1]
    learner.learn(np.array([1]), np.array([0.0]))
    chosen = []
    for _ in range(9):
        chosen += learner.choose().tolist()
        learner.learn(np.array(chosen[-1:]), np.array([1.0]))
    assert chosen == [0] * 8 + [1]


def test_win_stay_lose_shift():
    learner = WinStay(arms=3)
    after_trials(learner, np.array([[1], [1]]), np.array([[1.0], [0.0]]))
    assert learner.probabilities().tolist() == [[0, 1, 0], [0.5, 0, 0.5]]


@pytest.mark.parametrize(("symmetric", "other"), [(False, 0.5), (True, 0.4)])
def test_delta_rule_moves_values_by_a_share_of_the_surprise(symmetric: bool, other: float):
    learner = RescorlaWagner(0.2, 5.0, symmetric=symmetric)
    after_trials(learner, np.array([[1]]), np.array([[1.0]]))
    assert learner.values.tolist() == [[other, 0.6]]
    chance = 1 / (1 + np.exp(-5 * (0.6 - other)))
    assert learner.probabilities()[0, 1] == pytest.approx(chance)


def test_best_rate_is_the_one_with_least_regret():
    learners = {0.1: Random(), 0.2: DependentBayes(), 0.3: WinStay()}
    assert best_rate(learners.__getitem__, DependentArms(), [0.1, 0.2, 0.3], 200) == 0.2


def test_draws_follow_the_probabilities():
    chances = np.array([0.2, 0.0, 0.5, 0.3])
    drawn = draw(np.tile(chances, (20_000, 1)), np.random.default_rng(0))
    assert np.bincount(drawn, minlength=4) / 20_000 == pytest.approx(chances, abs=0.015)


# Processes


def test_a_seed_gives_the_same_history():
    one, two = (play(VolatileArms(0.06), Thompson(), 50, seed=3) for _ in range(2))
    other = play(VolatileArms(0.06), Thompson(), 50, seed=4)
    assert (one.choices == two.choices).all()
    assert (one.choices != other.choices).any()


def test_rewards_and_swaps_come_at_their_rates():
    process = VolatileArms(0.06)
    process.begin(20_000, np.random.default_rng(0))
    before, choices = process.means, np.zeros(20_000, int)
    paid = process.pay(choices)
    assert np.sort(before, 1) == pytest.approx(np.tile([0.2, 0.8], (20_000, 1)))
    assert before.sum(1) == pytest.approx(1)
    assert paid[before[:, 0] > 0.5].mean() == pytest.approx(0.8, abs=0.02)
    assert (process.means != before).any(1).mean() == pytest.approx(0.06, abs=0.008)


def test_eleven_arms():
    process = ElevenArms()
    process.begin(20_000, np.random.default_rng(0))
    target = process.means[:, :10].argmax(1)
    assert np.bincount(target) / 20_000 == pytest.approx(0.1, abs=0.01)
    assert (np.sort(process.means[:, :10]) == [1] * 9 + [5]).all()
    assert process.pay(np.full(20_000, 10)) == pytest.approx((target + 1) / 10)


def test_baited_arms_pay_more_the_longer_they_wait():
    process = BaitedArms(TRAIN)
    process.begin(5000, np.random.default_rng(0))
    left = process.base[:, 0]
    assert process.means == pytest.approx(np.stack([left, 0.5 - left], 1))
    assert not (((left > 0.1) & (left < 0.2)) | ((left > 0.3) & (left < 0.4))).any()
    for _ in range(2):
        process.pay(np.zeros(5000, int))
    assert process.means[:, 0] == pytest.approx(left)
    assert process.means[:, 1] == pytest.approx(1 - (0.5 + left) ** 3)
