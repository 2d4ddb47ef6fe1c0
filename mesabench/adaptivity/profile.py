"""The adaptivity profile of an agent: figures beside references and controls, and what they show.

Held-out levels are of the training distribution; the training split itself adds nothing to them and
is not played. Everybody plays the same levels, the first ones of each split.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesabench.adaptivity.baiting import matching
from mesabench.adaptivity.bayes import bayes_of, beside_bayes
from mesabench.adaptivity.belief import decode_belief
from mesabench.adaptivity.controls import CONTROLS
from mesabench.adaptivity.eleven_arms import asking
from mesabench.adaptivity.figures import Shown
from mesabench.adaptivity.harlow import accuracy
from mesabench.adaptivity.marks import Mark, marks
from mesabench.adaptivity.outcome import against, chance, deprived, outcome, scores
from mesabench.adaptivity.references import BAYES, CONTROL, RANDOM, references_for, trials_of
from mesabench.adaptivity.statements import statements
from mesabench.adaptivity.two_step import regression, staying
from mesabench.adaptivity.volatile import own_rates, rate_shift, rates
from mesabench.adaptivity.watching import Inner, watch
from mesabench.agents.kinds import Agent
from mesabench.knobs import check_evaluation
from mesabench.registry import get_task
from mesabench.scorers.returns import Estimate
from mesabench.task import Task
from mesabench.trials import TrialHistory

LEVELS = 512
HELDOUT, CALM, VOLATILE = "heldout", "low", "test"  # splits
EXPERIMENTS: dict[str, Callable[[TrialHistory, int], Shown]] = {
    "volatile": rates,
    "two_step": staying,
    "pairs": accuracy,
    "informative": asking,
    "baited": matching,
}
Histories = Mapping[str, TrialHistory]


@dataclass(frozen=True)
class Profile:
    """What was shown of how an agent learns within an episode.

    Attributes:
        task: the task.
        agent: what the agent is called.
        levels: how many of each split were played.
        seed: of controls, references and bootstraps.
        splits: split → what the agent showed there.
        controls: control → what the agent showed under it, on held-out levels.
        references: split → name of a reference → what it showed there.
        compared: figures that compare splits, by name.
        statements: what all this shows, in sentences; the first one is the headline.
        passes: pass marks, and whether they are met.
    """

    task: Task
    agent: str
    levels: int
    seed: int
    splits: dict[str, Shown] = field(repr=False)
    controls: dict[str, Shown] = field(repr=False)
    references: dict[str, dict[str, Shown]] = field(repr=False)
    compared: dict[str, Estimate]
    statements: tuple[str, ...] = ()
    passes: tuple[Mark, ...] = ()


def profile(
    agent: Agent,
    task: Task | str,
    *,
    levels: int = LEVELS,
    seed: int = 0,
    name: str = "agent",
    tell: Callable[[str], Any] = lambda _: None,
) -> Profile:
    """Let an agent, its references and its controls play a task; say what that shows.

    Args:
        agent: any ``agent(obs, state, episode_start) -> (actions, state)`` with frozen weights.
        task: a task with trials, or its id.
        levels: how many levels of each split are played.
        seed: of controls, references and bootstraps.
        name: what the agent is called.
        tell: is told what is played next.

    Raises:
        TaskError: the task is not about learning within an episode.
        LevelError: there are no levels.
        AgentError: the agent's actions do not fit.
    """
    task = get_task(task) if isinstance(task, str) else task
    check_evaluation(levels, seed)
    experiment = trials_of(task).experiment
    stage = Stage(task, levels, seed, tell)
    played = {split: stage.play(agent, split) for split in task.splits if split != "train"}
    others = {split: stage.references(split) for split in played}
    controls = {
        control: stage.control(agent, control, played[HELDOUT][0], others[HELDOUT])
        for control in CONTROLS
    }
    found = Profile(
        task=task,
        agent=name,
        levels=levels,
        seed=seed,
        splits={s: stage.subject(s, *both, others[s]) for s, both in played.items()},
        controls=controls,
        references={
            split: {who: stage.measure(h, split) | stage.beside(h, some) for who, h in some.items()}
            for split, some in others.items()
        },
        compared={},
    )
    histories = {split: history for split, (history, _) in played.items()}
    found = replace(found, compared=compare(experiment, found, histories, seed))
    met = marks(experiment, found.splits, found.controls, found.compared)
    found = replace(found, passes=met)
    return replace(found, statements=statements(found))


@dataclass(frozen=True)
class Stage:
    """Where agents play: so many levels of a task's splits."""

    task: Task
    levels: int
    seed: int
    tell: Callable[[str], Any]

    @property
    def experiment(self) -> str:
        """Return which experiment it is."""
        return trials_of(self.task).experiment

    def play(self, agent: Agent, split: str) -> tuple[TrialHistory, Inner | None]:
        """Let the agent itself play, and note what it shows where a Bayes learner can be read."""
        self.tell(f"the agent on {split} levels")
        inside = bayes_of(self.task, split) is not None
        return watch(agent, self.task, split, self.levels, inside=inside, seed=self.seed)

    def references(self, split: str) -> dict[str, TrialHistory]:
        """Let every reference of a split play it."""
        found = {}
        for name, make in references_for(self.task, split, self.seed).items():
            self.tell(f"{name} on {split} levels")
            found[name] = watch(make(), self.task, split, self.levels)[0]
        return found

    def control(self, agent: Agent, name: str, intact: TrialHistory, others: Histories) -> Shown:
        """Let the agent play held-out levels under a control."""
        self.tell(f"the agent with {name}, on {HELDOUT} levels")
        kept_from = CONTROLS[name](agent, self.task, self.seed)
        history, _ = watch(kept_from, self.task, HELDOUT, self.levels, seed=self.seed)
        found = self.measure(history, HELDOUT) | self.beside(history, others)
        return found | deprived(history, intact, self.floor(history, others), self.seed)

    def subject(
        self, split: str, history: TrialHistory, inner: Inner | None, others: Histories
    ) -> Shown:
        """Measure all there is to measure of the agent on a split."""
        found = self.measure(history, split) | self.beside(history, others)
        if self.experiment == "two_step":
            return found | regression(history)
        learner = bayes_of(self.task, split)
        if learner is None or inner is None:
            return found
        found |= beside_bayes(learner, history, inner.logits, self.seed)
        return found | decode_belief(learner, history, inner, self.seed)

    def measure(self, history: TrialHistory, split: str) -> Shown:
        """Measure what every history of the experiment has.

        Learning rates are fitted only where all episodes are alike.
        """
        found, own = outcome(history, self.seed), EXPERIMENTS.get(self.experiment)
        if own is None or (own is rates and split not in (CALM, VOLATILE)):
            return found
        return found | own(history, self.seed)

    def beside(self, history: TrialHistory, others: Histories) -> Shown:
        """Set a history beside chance and Bayes."""
        return against(history, others[BAYES], self.floor(history, others), self.seed)

    def floor(self, history: TrialHistory, others: Histories) -> NDArray[np.float64]:
        """Return what chance is expected to earn in every episode, [N].

        What baited arms pay depends on earlier choices: there it is what the random agent's earn.
        """
        if self.experiment == "baited":
            return scores(others[RANDOM]).sum(1)
        return chance(history)


def compare(
    experiment: str, found: Profile, histories: Histories, seed: int
) -> dict[str, Estimate]:
    """Compare an agent's figures between splits: learning rates, where volatility differs."""
    if experiment != "volatile":
        return {}
    shifts = {
        "rate shift": rate_shift(found.splits[CALM], found.splits[VOLATILE], seed),
        "rate shift of the fixed rate": rate_shift(
            found.references[CALM][CONTROL], found.references[VOLATILE][CONTROL], seed
        ),
    }
    evidence = own_rates(histories[CALM], histories[VOLATILE])
    if evidence is not None:
        shifts["ΔBIC for a rate each"] = Estimate(evidence, evidence, evidence)
    return {name: shift for name, shift in shifts.items() if shift is not None}
