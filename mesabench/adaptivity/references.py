"""Which reference learners stand beside an agent on each split of a task.

``Bayes`` is the optimal learner that knows the split's own distribution (near-optimal for baited
arms); ``Bayes as trained`` is the optimal learner of the training distribution, where that is
another one: what an agent can have that learned its task and nothing else.
"""

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np

from mesabench.adaptivity.learner_agent import LearnerAgent, OtherState, PairAgent
from mesabench.agents.kinds import Agent
from mesabench.errors import TaskError
from mesabench.learning.baiting import TEST, BaitedArms, BaitingBayes
from mesabench.learning.delta_rule import RescorlaWagner, best_rate
from mesabench.learning.dependent import DependentBayes
from mesabench.learning.heuristics import UCB, Greedy, Random, Thompson, WinStay
from mesabench.learning.informative import InformativeFirst
from mesabench.learning.learner import Learner
from mesabench.learning.optimal import Optimal
from mesabench.learning.processes import (
    DependentArms,
    IndependentArms,
    Prior,
    Process,
    VolatileArms,
)
from mesabench.learning.two_step import TwoStep, TwoStepLearner
from mesabench.learning.two_step_learners import BayesTwoStep, ModelBased, ModelFree, RandomTwoStep
from mesabench.learning.volatile import VolatileBayes
from mesabench.task import Task
from mesabench.trials import Trials

BAYES, TRAINED, RANDOM, FIXED = "Bayes", "Bayes as trained", "random", "fixed rate"
CONTROL = "fixed rate .5"  # whose fitted rate must not differ between calm and volatile episodes
PRIORS: tuple[Prior | None, ...] = (None, "uniform", "easy", "medium", "hard")  # by the task's knob
RATES = tuple(np.round(np.arange(0.05, 1.0, 0.1), 2).tolist())
HAZARDS = {0: (0.005, 0.06), 1: (0.005,), 2: (0.06,)}  # by the task's knob
TUNED = 300  # episodes on which the best fixed rate is sought
Learners = dict[str, Callable[[], Learner | TwoStepLearner]]
Factory = Callable[[], Agent]


def references_for(task: Task, split: str, seed: int = 0) -> dict[str, Factory]:
    """Return makers of the agents that stand beside one on a split; ``Bayes`` comes first.

    Args:
        task: a task with trials.
        split: name of the split.
        seed: of the agents' choices.

    Raises:
        TaskError: the task has no trials.
    """
    trials, level = trials_of(task), task.level(split)
    if trials.experiment == "pairs":
        found: dict[str, Factory] = {BAYES: partial(PairAgent, seed)}
        learners: Learners = {"win-stay by side": WinStay, RANDOM: Random}
    else:
        found, learners = {}, LEARNERS[trials.experiment](trials, level)
    return found | {n: partial(make_agent, task, make, seed) for n, make in learners.items()}


def trials_of(task: Task) -> Trials:
    """Return a task's trials.

    Raises:
        TaskError: it has none.
    """
    if task.trials is None:
        raise TaskError(f"{task.id} has no trials: it is not about learning within an episode")
    return task.trials


def make_agent(
    task: Task, learner: Callable[[], Learner | TwoStepLearner], seed: int
) -> LearnerAgent:
    """Return a learner as an agent of the task."""
    return LearnerAgent(task, learner(), seed)


def bandit(trials: Trials, level: Any) -> Learners:
    """Return learners of two steady arms."""
    prior = PRIORS[level.prior]
    optimal = partial(optimal_learner, trials.count)
    own: Learners = {BAYES: optimal}
    if prior is not None:
        own = {BAYES: partial(DependentBayes, prior), TRAINED: optimal}
    rest: Learners = {"Thompson": Thompson, "UCB": UCB, "greedy": Greedy, "win-stay": WinStay}
    return own | rest | {FIXED: partial(fixed_rate, "bandit", level.prior), RANDOM: Random}


def volatile(trials: Trials, level: Any) -> Learners:
    """Return learners of two arms that swap; Bayes knows both chances of a swap."""
    return {
        BAYES: VolatileBayes,
        "Thompson": Thompson,
        "UCB": UCB,
        "greedy": Greedy,
        "win-stay": WinStay,
        FIXED: partial(fixed_rate, "volatile", level.volatility),
        CONTROL: partial(RescorlaWagner, 0.5, 5.0, symmetric=True),
        RANDOM: Random,
    }


def two_step(trials: Trials, level: Any) -> Learners:
    """Return learners of the two-step task; the model-based one learns what the states pay."""
    common, reversal = level.common / 100, level.reversals / 1000
    likely = max(common, 1 - common)
    made: dict[str, Callable[[], TwoStepLearner]] = {
        BAYES: partial(BayesTwoStep, TwoStep(likely, reversal=reversal)),
        "model-based": partial(ModelBased, 0.6, 20.0, likely),
    }
    based: Learners = {n: partial(turned, m) if common < 0.5 else m for n, m in made.items()}
    if common != TwoStep.common or reversal != TwoStep.reversal:
        based[TRAINED] = BayesTwoStep
    return based | {"model-free": partial(ModelFree, 0.4, 1.0, 8.0), RANDOM: RandomTwoStep}


def turned(make: Callable[[], TwoStepLearner]) -> OtherState:
    """Return a two-step learner that takes each choice to lead to the other state."""
    return OtherState(make())


def informative(trials: Trials, level: Any) -> Learners:
    """Return learners of eleven arms."""
    return {
        BAYES: partial(InformativeFirst, trials.count),
        "greedy": partial(RescorlaWagner, 1.0, arms=trials.arms),
        "win-stay": partial(WinStay, trials.arms, 1.0),
        RANDOM: partial(Random, trials.arms),
    }


def baited(trials: Trials, level: Any) -> Learners:
    """Return learners of baited arms; ``Bayes`` is near-optimal."""
    return {
        BAYES: partial(BaitingBayes, trials.count),
        "greedy": Greedy,
        "win-stay": WinStay,
        FIXED: partial(fixed_rate, "baited", level.gaps),
        RANDOM: Random,
    }


LEARNERS: dict[str, Callable[..., Learners]] = {
    "bandit": bandit,
    "volatile": volatile,
    "two_step": two_step,
    "informative": informative,
    "baited": baited,
}


@cache
def optimal_learner(count: int) -> Optimal:
    """Return the optimal learner of independent arms; agents copy it, its tables are shared."""
    return Optimal(count)


@cache
def fixed_rate(experiment: str, knob: int) -> RescorlaWagner:
    """Return the Rescorla-Wagner learner with the rate that is best on the split.

    Where one arm pays as the other does not, it learns of both arms from either.

    Args:
        experiment: of the task.
        knob: the task's knob that says which of its distributions it is.
    """
    both = experiment == "volatile" or (experiment == "bandit" and PRIORS[knob] is not None)
    make = partial(RescorlaWagner, symmetric=both)
    return make(best_rate(make, process(experiment, knob), RATES, TUNED))


def process(experiment: str, knob: int) -> Process:
    """Return the abstract process that a split is of."""
    if experiment == "volatile":
        return VolatileArms(0.5 * sum(HAZARDS[knob][:1]) + 0.5 * sum(HAZARDS[knob][-1:]))
    if experiment == "baited":
        return BaitedArms(TEST)
    prior = PRIORS[knob]
    return IndependentArms() if prior is None else DependentArms(prior)
