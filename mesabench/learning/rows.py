"""The figures that the reference learners must reach, and the experiments that measure them.

Regrets and rewards are per episode. *exact* figures come from closed forms, dynamic programming or
quadrature and leave no tolerance but for rounding. *simulated* figures were once computed by other
code of ours, *published* ones are those of the experiments' authors.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Literal

from mesabench.learning import dependent, optimal
from mesabench.learning.baiting import TEST, BaitedArms, BaitingBayes
from mesabench.learning.delta_rule import RescorlaWagner
from mesabench.learning.dependent import DependentBayes
from mesabench.learning.heuristics import UCB, Greedy, Random, Thompson
from mesabench.learning.informative import InformativeFirst
from mesabench.learning.measuring import (
    Experiment,
    bandit,
    exact,
    fitted_rates,
    matching,
    two_step,
)
from mesabench.learning.processes import (
    DependentArms,
    ElevenArms,
    IndependentArms,
    Prior,
    VolatileArms,
)
from mesabench.learning.two_step_learners import BayesTwoStep, ModelFree, RandomTwoStep
from mesabench.learning.volatile import VolatileBayes

#: Figures are printed to a thousandth.
ROUNDING = 0.0005
Source = Literal["exact", "simulated", "published"]


@dataclass(frozen=True)
class Row:
    """A figure to reach.

    Attributes:
        task: what the learner acts in.
        learner: who acts.
        quantity: what is measured.
        expected: the reference figure.
        tolerance: how far off a measurement may be, beside its own error.
        source: where the reference figure comes from.
        experiment: measures it, perhaps among others.
    """

    task: str
    learner: str
    quantity: str
    expected: float
    tolerance: float
    source: Source
    experiment: Experiment


def reference_rows() -> tuple[Row, ...]:
    """Return all rows."""
    return (*bandit_rows(), *exact_rows(), *volatile_rows(), *two_step_rows(), *other_rows())


def bandit_rows() -> Iterator[Row]:
    """Return regrets of 100 trials with two arms."""
    tasks = {"independent": IndependentArms} | {
        f"dependent, {prior}": partial(DependentArms, prior)
        for prior in ("uniform", "easy", "hard")
    }
    learners = {"Thompson": Thompson, "UCB": UCB, "greedy": Greedy}
    simulated = {
        "independent": (2.80, 4.14, 2.74),
        "dependent, uniform": (2.79, 4.20, 2.15),
        "dependent, easy": (2.12, 3.93, 0.64),
        "dependent, hard": (4.11, 4.87, 4.75),
    }
    chance = dict(zip(tasks, (100 / 6, 25.0, 40.0, 10.0), strict=True))
    best = {"independent": 1.748, "dependent, uniform": 1.221}
    best |= {"dependent, easy": 0.625, "dependent, hard": 2.312}
    for task, make in tasks.items():
        yield Row(task, "random", "regret", chance[task], ROUNDING, "exact", bandit(make, Random))
        bayes = optimal.Optimal if task == "independent" else DependentBayes
        yield Row(task, "Bayes", "regret", best[task], ROUNDING, "exact", bandit(make, bayes))
        for (name, learner), figure in zip(learners.items(), simulated[task], strict=True):
            run = bandit(make, learner)
            yield Row(task, name, "regret", figure, max(0.05, 0.02 * figure), "simulated", run)


def exact_rows() -> Iterator[Row]:
    """Return what needs no episodes."""
    for horizon, figure in {10: 0.645, 30: 1.080, 50: 1.337, 100: 1.748}.items():
        run = exact("regret", partial(optimal.optimal_regret, horizon))
        task = f"independent, {horizon} trials"
        yield Row(task, "Bayes, exactly", "regret", figure, ROUNDING, "exact", run)
    # Simulated before there was the closed form, and up to .03 off it.
    simulated: dict[Prior, float] = {"uniform": 1.19, "easy": 0.64, "hard": 2.32}
    for prior, figure in simulated.items():
        run = exact("regret", partial(dependent.optimal_regret, prior))
        yield Row(f"dependent, {prior}", "Bayes, exactly", "regret", figure, 0.04, "simulated", run)


def volatile_rows() -> Iterator[Row]:
    """Return regrets of arms that swap, and the learning rates fitted to two learners."""
    for name, hazard, regret, rate, control in (
        ("low", 0.005, 2.97, 0.174, 0.494),
        ("high", 0.06, 11.33, 0.250, 0.499),
    ):
        task = f"volatile, {name}"
        arms = partial(VolatileArms, hazard)
        yield Row(task, "random", "regret", 30.0, ROUNDING, "exact", bandit(arms, Random))
        run = bandit(arms, VolatileBayes)
        yield Row(task, "Bayes", "regret", regret, 0.02 * regret, "simulated", run)
        run = fitted_rates(hazard, VolatileBayes)
        yield Row(task, "Bayes", "fitted rate", rate, 0.01, "simulated", run)
        fixed = partial(RescorlaWagner, 0.5, 5.0, symmetric=True)
        run = fitted_rates(hazard, fixed)
        yield Row(task, "fixed rate .5", "fitted rate", control, 0.01, "simulated", run)


def two_step_rows() -> Iterator[Row]:
    """Return stay probabilities, indices and rewards of the two-step task."""
    run = two_step(BayesTwoStep)
    bayes = {"RC": 1.0, "RU": 0.67, "NC": 0.66, "NU": 1.0, "MB": 0.67, "MF": 0.01}
    for quantity, figure in bayes.items():
        yield Row("two-step", "Bayes", quantity, figure, 0.015, "simulated", run)
    yield Row("two-step", "Bayes", "reward", 70.5, 0.2, "simulated", run)
    # Which settings gave these figures is not recorded; none that we tried gives all three, and
    # these come closest. Greedier and forgetful ones earn more (up to 66.8), with MB about .2.
    run = two_step(partial(ModelFree, 0.4, 1.0, 8.0))
    for quantity, figure, tolerance in (("MB", 0.27, 0.04), ("MF", 0.54, 0.04)):
        yield Row("two-step", "model-free", quantity, figure, tolerance, "simulated", run)
    yield Row("two-step", "model-free", "reward", 64.7, 0.3, "simulated", run)
    run = two_step(RandomTwoStep)
    yield Row("two-step", "random", "reward", 50.0, ROUNDING, "exact", run)


def other_rows() -> Iterator[Row]:
    """Return figures of eleven arms, of baited arms and of many arms."""
    run = bandit(ElevenArms, InformativeFirst)
    yield Row("eleven arms", "Bayes", "reward", 20.55, ROUNDING, "exact", run)
    run = bandit(ElevenArms, partial(Random, 11))
    yield Row("eleven arms", "random", "reward", 5 * 14.55 / 11, ROUNDING, "exact", run)
    run = matching(partial(BaitedArms, TEST), BaitingBayes)
    yield Row("baiting", "near Bayes", "matching slope", 0.95, 0.15, "published", run)
    rewards = {10: (5.8, 5.5, 5.2), 100: (74.4, 76.8, 64.5), 500: (400.0, 431.0, 426.0)}
    for trials, figures in rewards.items():
        for arms, figure in zip((5, 10, 50), figures, strict=True):
            process = partial(IndependentArms, arms, trials)
            run = bandit(process, partial(Thompson, arms), share=100 if trials == 500 else 10)
            task = f"{arms} arms, {trials} trials"
            yield Row(task, "Thompson", "reward", figure, 0.02 * figure, "simulated", run)
