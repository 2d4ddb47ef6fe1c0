"""Learners of eleven arms and of baited ones, held against enumeration."""

import itertools

import numpy as np
import pytest
from enumerated_bandits import (
    EPISODES,
    close,
)

from mesabench.learning.baiting import (
    BaitedArms,
    BaitingBayes,
    action_values,
    known_return,
    matching_slope,
)
from mesabench.learning.heuristics import Random
from mesabench.learning.history import History, play, policy_along
from mesabench.learning.informative import InformativeFirst
from mesabench.learning.processes import (
    ElevenArms,
)


def best_return(left: int, trials: int) -> tuple[float, float]:
    """Return what asking and trying are worth, with so many arms left that may be the target."""
    if trials == 0 or left == 0:
        return 0.0, 0.0
    asking = 5.5 / 10 + 5 * (trials - 1)
    later = max(best_return(left - 1, trials - 1))
    trying = (5 * trials + (left - 1) * (1 + later)) / left
    return asking, trying


@pytest.mark.parametrize("trials", range(1, 6))
def test_asking_is_worth_it_until_the_last_trial(trials: int):
    asking, trying = best_return(10, trials)
    assert (asking > trying) == (trials > 1)
    learner = InformativeFirst(trials)
    learner.begin(1, np.random.default_rng(0))
    assert learner.probabilities()[0, 10] == (trials > 1)
    assert best_return(10, 5)[0] == pytest.approx(20.55)


def test_eleven_arms_optimum():
    history = play(ElevenArms(), InformativeFirst(), EPISODES)
    assert (history.choices[:, 0] == 10).all()
    assert close(history.rewards.sum(1), 20.55)


def test_eleven_arms_from_any_history():
    choices, rewards = np.array([[2, 10, 3], [2, 4, 5]]), np.array([[1, 0.7, 1], [1, 5, 1.0]])
    policy = policy_along(InformativeFirst(), choices, rewards)
    assert policy.argmax(2).tolist() == [[10, 10, 6], [10, 10, 4]]


@pytest.mark.parametrize("base", [0.0, 0.1, 0.25, 0.4])
def test_baited_values_are_the_best_of_all_sequences(base: float):
    best = 0.0
    for choices in itertools.product((0, 1), repeat=6):
        total, alone = 0.0, [0, 0]
        for arm in choices:
            total += 1 - (1 - (base, 0.5 - base)[arm]) ** (alone[arm] + 1)
            alone[1 - arm] += 1
            alone[arm] = 0
        best = max(best, total)
    values = action_values(np.array([base]), 6)
    assert values[0, 0, 0, 0].max() == pytest.approx(best)


def test_baiting_learner_is_near_the_best_and_matches():
    history = play(BaitedArms(), BaitingBayes(), 2000)
    earned, best = history.rewards.sum(1), known_return(100)
    assert 0.97 * best < earned.mean() < best + 4 * earned.std() / 2000**0.5
    assert 0.8 < matching_slope(history) < 1.1
    assert abs(matching_slope(play(BaitedArms(), Random(), 2000))) < 0.1


def test_matching_slope_of_a_history_by_hand():
    choices = np.array([[0, 0, 1, 1], [0, 0, 0, 1], [0, 1, 1, 1]])
    perfect = History(choices, np.ones((3, 4)), np.zeros((3, 4)))
    assert matching_slope(perfect) == pytest.approx(1)
    # Shares of rewards 1/2, 1, 0 beside shares of choices 1/2, 3/4, 1/4.
    rewards = np.array([[1.0, 0, 1, 0], [1, 1, 1, 0], [0, 1, 0, 1]])
    assert matching_slope(History(choices, rewards, rewards)) == pytest.approx(0.5)
