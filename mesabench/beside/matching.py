"""Feature matching: does an agent with the fitted weights bring about the same events as often?"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mesabench.agents.limited import LimitedAgent
from mesabench.agents.planned import PlannedAgent
from mesabench.beside.event_values import Paid
from mesabench.beside.likelihood import Cell
from mesabench.rollout import Rollout, rollout
from mesabench.scorers.evidence import steps_lost
from mesabench.scorers.returns import estimate
from mesabench.task import Objective, Task

FITTED = "fitted weights"


@dataclass(frozen=True)
class Match:
    """The expected discounted count of one event per episode.

    Attributes:
        event: its name.
        agent: how often the agent brought it about.
        model: how often one with the fitted weights does, on the same levels.
        gap: model less agent.
        low, high: 95 % interval of the gap, by bootstrap over levels.
    """

    event: str
    agent: float
    model: float
    gap: float
    low: float
    high: float


class _Boltzmann(PlannedAgent):
    """Plans for event weights and draws actions as the likelihood's model does.

    Args:
        task: the task.
        weights: float64 [E] reward per event.
        acts: how it acts on values.
        step_worth: the unit of values.
        seed: of its draws.
    """

    def __init__(
        self, task: Task, weights: NDArray[np.float64], acts: Cell, step_worth: float, seed: int
    ):
        fitted = Objective(FITTED, dict(zip(task.events, weights.tolist(), strict=True)))
        super().__init__(
            replace(task, measured=(fitted,)), {FITTED: 1.0}, lapse=acts.lapse, seed=seed
        )
        self.acts, self.step_worth = acts, step_worth

    def choose(self, q: NDArray[np.float64]) -> int:
        """Choose an action for Q values [A]."""
        if self._rng.random() < self.lapse:
            return int(self._rng.integers(len(q)))
        steps = steps_lost(q, self.task.discount)
        lost = steps if self.acts.unit == "steps" else (q - q.max()) / self.step_worth
        p = np.exp(self.acts.rationality * lost)
        return int(self._rng.choice(len(q), p=p / p.sum()))


class _SeenSoFar(_Boltzmann, LimitedAgent):
    """The same for an agent that plans on the map seen so far."""


def match_features(
    played: Rollout,
    weights: NDArray[np.float64],
    acts: Cell,
    step_worth: float,
    paid: list[Paid],
    *,
    seed: int = 0,
) -> list[Match]:
    """Play a rollout's levels with the fitted weights and compare the events' counts.

    Args:
        played: the agent's episodes.
        weights: float64 [E] reward per event.
        acts: how the fitted agent acts on values.
        step_worth: the unit of values (see `mesabench.beside.likelihood`).
        paid: the events to compare.
        seed: of the fitted agent's draws and of the bootstraps.
    """
    kind = _SeenSoFar if acts.view == "seen so far" else _Boltzmann
    agent = kind(played.task, weights, acts, step_worth, seed)
    fitted = rollout(
        agent, played.task, played.split, played.levels.tolist(), threads=1, **played.knobs
    )
    return [_match(part.event, played, fitted, seed) for part in paid]


def _match(event: str, played: Rollout, fitted: Rollout, seed: int) -> Match:
    counted = Objective(event, {event: 1.0})
    observed, expected = played.returns(counted), fitted.returns(counted)
    gap = estimate(expected - observed, seed=seed)
    return Match(event, float(observed.mean()), float(expected.mean()), gap.mean, gap.low, gap.high)
