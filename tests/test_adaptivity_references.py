"""References play the real tasks as they should."""

from collections.abc import Callable

import numpy as np
import pytest
from histories import BANDIT, FEW, observed, played

from mesabench.adaptivity.learner_agent import LearnerAgent
from mesabench.adaptivity.references import BAYES, references_for
from mesabench.errors import AgentError, TaskError
from mesabench.learning import dependent, optimal
from mesabench.learning.baiting import BaitingBayes
from mesabench.learning.dependent import DependentBayes
from mesabench.learning.heuristics import Thompson, WinStay
from mesabench.learning.history import play, policy_along
from mesabench.learning.learner import Learner
from mesabench.learning.optimal import Optimal
from mesabench.learning.processes import IndependentArms
from mesabench.learning.two_step_learners import BayesTwoStep
from mesabench.learning.volatile import VolatileBayes
from mesabench.registry import get_task, task_ids

TASKS = task_ids("learning")


@pytest.mark.parametrize(
    ("task", "split", "name", "expected"),
    [
        (BANDIT, "heldout", BAYES, optimal.optimal_regret(100)),
        (BANDIT, "test", BAYES, dependent.optimal_regret("uniform")),
        (BANDIT, "easy", BAYES, dependent.optimal_regret("easy")),
        (BANDIT, "hard", BAYES, dependent.optimal_regret("hard")),
        (BANDIT, "heldout", "random", 100 / 6),
        ("VolatileBandit-v0", "low", BAYES, 2.97),
        ("VolatileBandit-v0", "test", BAYES, 11.33),
        ("VolatileBandit-v0", "test", "random", 30.0),
        ("Harlow-v0", "test", BAYES, 0.5),
    ],
)
def test_references_have_their_known_regrets_on_the_engine(
    task: str, split: str, name: str, expected: float
) -> None:
    regrets = played(name, task, split).regrets.sum(1)
    error = regrets.std(ddof=1) / len(regrets) ** 0.5
    assert regrets.mean() == pytest.approx(expected, abs=4 * error + 0.01)


@pytest.mark.parametrize(("name", "learner"), [("Thompson", Thompson), ("win-stay", WinStay)])
def test_references_do_on_the_engine_as_they_do_in_the_abstract(
    name: str, learner: Callable[[], Learner]
) -> None:
    real = played(name, BANDIT).regrets.sum(1)
    ideal = play(IndependentArms(), learner(), 4000).regrets.sum(1)
    error = (real.var() / len(real) + ideal.var() / len(ideal)) ** 0.5
    assert abs(real.mean() - ideal.mean()) < 4 * error


@pytest.mark.parametrize(
    ("task", "expected", "error"), [("TwoStep-v0", 70.5, 0.9), ("ElevenArms-v0", 20.55, 0.06)]
)
def test_bayes_has_its_known_reward_on_the_engine(task: str, expected: float, error: float) -> None:
    assert played(BAYES, task).rewards.sum(1).mean() == pytest.approx(expected, abs=error)


@pytest.mark.parametrize(
    ("task", "split", "learner"),
    [
        (BANDIT, "heldout", Optimal()),
        (BANDIT, "test", DependentBayes()),
        ("VolatileBandit-v0", "test", VolatileBayes()),
        ("Baiting-v0", "test", BaitingBayes()),
    ],
)
def test_learners_read_choices_and_rewards_off_observations(
    task: str, split: str, learner: Learner
) -> None:
    history = played(BAYES, task, split, FEW)
    policy = policy_along(learner, history.choices, history.rewards)
    taken = np.take_along_axis(policy, history.choices[..., None], -1)
    assert (taken >= 0.5 - 1e-9).all()


def test_a_two_step_learner_reads_the_state_off_the_screen() -> None:
    history = played(BAYES, "TwoStep-v0", levels=FEW)
    learner = BayesTwoStep()
    learner.begin(FEW, np.random.default_rng(0))
    for t in range(100):
        assert (learner.probabilities()[np.arange(FEW), history.choices[:, t]] >= 0.5).all()
        learner.learn(history.choices[:, t], history.states[:, t], history.rewards[:, t])


def test_who_knows_only_the_training_transitions_is_misled_when_they_are_exchanged() -> None:
    earned = {
        name: played(name, "TwoStep-v0", "test", FEW).rewards.sum(1).mean()
        for name in (BAYES, "Bayes as trained", "random")
    }
    assert earned["Bayes as trained"] < earned["random"] - 15 < earned[BAYES] - 30


@pytest.mark.parametrize("task", TASKS)
def test_every_split_has_its_references(task: str) -> None:
    for split in get_task(task).splits:
        found = references_for(get_task(task), split)
        assert next(iter(found)) == BAYES
        assert "random" in found


def test_learner_agents_refuse_what_they_cannot_play() -> None:
    with pytest.raises(AgentError, match="arms"):
        LearnerAgent(get_task("ElevenArms-v0"), Thompson())
    with pytest.raises(TaskError, match="no trials"):
        references_for(get_task("KeysChests-v0"), "test")
    agent, starts = LearnerAgent(get_task(BANDIT), Thompson()), np.array([True, False])
    with pytest.raises(AgentError, match="begin together"):
        agent(observed(BANDIT, 2), None, starts)
