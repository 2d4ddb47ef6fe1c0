"""Learners of the two-step task, held against known figures."""

import numpy as np
import pytest
from enumerated_bandits import (
    EPISODES,
    close,
)

from mesabench.learning.two_step import TwoStep, TwoStepHistory, play_two_step, stay_probabilities
from mesabench.learning.two_step_learners import (
    BayesTwoStep,
    ModelBased,
    ModelFree,
    RandomTwoStep,
)


def test_bayes_in_the_two_step_task():
    history = play_two_step(TwoStep(), BayesTwoStep(), EPISODES)
    stay = stay_probabilities(history)
    assert stay == pytest.approx((1.00, 0.67, 0.66, 1.00), abs=0.015)
    assert stay.model_based == pytest.approx(0.67, abs=0.02)
    assert stay.model_free == pytest.approx(0.01, abs=0.025)
    assert close(history.rewards.sum(1), 70.5, 0.05)


def test_two_step_without_learning_pays_half():
    history = play_two_step(TwoStep(), RandomTwoStep(), EPISODES)
    assert close(history.rewards.sum(1), 50)
    assert stay_probabilities(history) == pytest.approx((0.5,) * 4, abs=0.02)
    assert (history.states == history.choices).mean() == pytest.approx(0.8, abs=0.005)


def test_model_free_learner_credits_the_choice_and_model_based_the_state():
    choices, states = np.array([0, 0]), np.array([0, 1])
    free, based = ModelFree(0.5, trace=1.0), ModelBased(0.5)
    for learner in (free, based):
        learner.begin(2, np.random.default_rng(0))
        learner.learn(choices, states, np.ones(2))
    assert free.probabilities().tolist() == [[1, 0], [1, 0]]
    assert based.probabilities().tolist() == [[1, 0], [0, 1]]


@pytest.mark.parametrize(("trace", "credit"), [(0.0, 0.5), (0.5, 0.5625), (1.0, 0.625)])
def test_trace_tells_how_much_reaches_the_choice_at_once(trace: float, credit: float):
    learner = ModelFree(0.25, trace)
    learner.begin(1, np.random.default_rng(0))
    learner.learn(np.array([1]), np.array([1]), np.array([1.0]))
    assert learner.choice_values.tolist() == [[0.5, credit]]
    assert learner.state_values.tolist() == [[0.5, 0.625]]


def test_no_model_free_learner_reaches_what_is_asked_of_agents():
    for rate, beta, forgetting in ((0.4, 8.0, 0.0), (0.2, np.inf, 0.0), (0.2, np.inf, 0.05)):
        learner = ModelFree(rate, 1.0, beta, forgetting)
        history = play_two_step(TwoStep(), learner, 2000)
        stay = stay_probabilities(history)
        assert history.rewards.sum(1).mean() < 68
        assert stay.model_based < 0.55
        assert stay.model_free > 0.1


def test_closest_model_free_learner_has_the_known_figures():
    history = play_two_step(TwoStep(), ModelFree(0.4, 1.0, 8.0), EPISODES)
    stay = stay_probabilities(history)
    assert stay.model_based == pytest.approx(0.27, abs=0.04)
    assert stay.model_free == pytest.approx(0.54, abs=0.045)
    assert close(history.rewards.sum(1), 64.7, 0.1)


def test_stay_probabilities_by_hand():
    history = TwoStepHistory(
        choices=np.array([[0, 0, 1, 1, 1, 0]]),
        states=np.array([[0, 1, 1, 1, 0, 0]]),
        rewards=np.array([[1.0, 1, 0, 1, 0, 0]]),
    )
    # Stays after (R, C), (N, C) and (R, C); goes after (R, U) and (N, U).
    stay = stay_probabilities(history)
    assert stay == (1, 0, 1, 0)
    assert (stay.model_based, stay.model_free) == (0, 0)
