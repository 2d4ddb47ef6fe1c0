"""Baited arms: the longer an arm is left alone, the likelier it pays; and good play of them.

An arm a that was last chosen n trials before pays with chance p(a) = 1 - (1 - p0(a))^(n(a) + 1),
and the base chances of the two arms add up to one half. Animals then match: the share of their
choices of an arm follows its share of the rewards (Herrnstein 1961; Tsutsui et al.).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mesabench.learning.history import History
from mesabench.learning.learner import Learner, greedily
from mesabench.learning.processes import Process

#: What the base chances of the two arms add up to.
TOTAL = 0.5
#: Base chances of the first arm in training; the gaps between are held out for the test.
TRAIN = ((0.0, 0.1), (0.2, 0.3), (0.4, 0.5))
TEST = ((0.0, 0.5),)


def chance(base: np.ndarray, waited: np.ndarray) -> np.ndarray:
    """Return the chance that an arm pays that was left alone for a number of trials."""
    return 1 - (1 - base) ** (waited + 1)


@dataclass
class BaitedArms(Process):
    """Two baited arms.

    Attributes:
        intervals: of equal length; the first arm's base chance is drawn from one of them.
        trials: length of an episode.
        base: the base chances, float64 [N, 2].
        waited: trials since each arm was chosen, int64 [N, 2]; 0 at the first trial.
    """

    intervals: Sequence[tuple[float, float]] = TEST
    trials: int = 100

    def first(self, episodes: int) -> np.ndarray:
        """Draw the base chances."""
        low, high = np.array(self.intervals)[
            self.rng.integers(len(self.intervals), size=episodes)
        ].T
        first = low + (high - low) * self.rng.random(episodes)
        self.base = np.stack([first, TOTAL - first], 1)
        self.waited = np.zeros((episodes, 2), int)
        return chance(self.base, self.waited)

    def proceed(self, choices: np.ndarray) -> np.ndarray:
        """Let the arm wait that was not chosen."""
        self.waited = wait(self.waited, choices)
        return chance(self.base, self.waited)


def wait(waited: np.ndarray, choices: np.ndarray) -> np.ndarray:
    """Return how long each arm was left alone after one more trial: int64 [N, 2]."""
    return np.where(choices[:, None] == np.arange(2), 0, waited + 1)


def action_values(bases: np.ndarray, trials: int) -> np.ndarray:
    """Return what each choice is worth to the end of the episode, where the base chances are known.

    The state is which arm was chosen last and for how long the other was left alone: rewards do
    not change it, so backward induction is exact.

    Args:
        bases: base chance of the first arm, float64 [G].
        trials: length of the episode.

    Returns:
        float64 [trials, G, 2 (last arm), trials (other's wait), 2 (choice)].
    """
    base = np.stack([bases, TOTAL - bases], 1)
    values = np.zeros((trials, len(bases), 2, trials, 2))
    ahead = np.zeros((len(bases), 2, trials + 1))
    for t in reversed(range(trials)):
        for last in range(2):
            other = 1 - last
            values[t, :, last, :, last] = base[:, last, None] + ahead[:, last, 1:]
            paid = chance(base[:, other, None], np.arange(trials))
            values[t, :, last, :, other] = paid + ahead[:, other, 1, None]
        # Nothing waits for longer than the trials that went by: the edge is never asked for.
        ahead = np.pad(values[t].max(-1), ((0, 0), (0, 0), (0, 1)), mode="edge")
    return values


class BaitingBayes(Learner):
    """A near-optimal learner: it takes the choice worth most on average over its belief.

    The belief is exact: a posterior of the first arm's base chance on a grid, uniform at first.
    Choices are valued as if the chance would be known from the next trial on (QMDP, Littman et
    al. 1995), which leaves out what is gained by exploring. `known_return` bounds what that costs.

    Args:
        trials: length of an episode.
        cells: size of the grid over [0, .5].
    """

    def __init__(self, trials: int = 100, cells: int = 25):
        self.grid = (np.arange(cells) + 0.5) / cells * TOTAL
        self.table = action_values(self.grid, trials)

    def begin(self, episodes: int, rng: np.random.Generator) -> None:
        """Believe any base chance alike."""
        super().begin(episodes, rng)
        self.belief = np.full((episodes, len(self.grid)), 1 / len(self.grid))
        self.waited = np.zeros((episodes, 2), int)
        self.trial = 0

    def learn(self, choices: np.ndarray, rewards: np.ndarray) -> None:
        """Weigh the belief by what it said of the reward."""
        base = np.where(choices[:, None] == 0, self.grid, TOTAL - self.grid)
        paid = chance(base, self.waited[np.arange(self.episodes), choices][:, None])
        self.belief *= np.where(rewards[:, None] > 0, paid, 1 - paid)
        self.belief /= self.belief.sum(1, keepdims=True)
        self.waited = wait(self.waited, choices)
        self.trial += 1

    def probabilities(self) -> np.ndarray:
        """Return the choice worth most."""
        last = self.waited.argmin(1)  # at the first trial both arms are alike, and either will do
        table = self.table[self.trial][:, last, self.waited.max(1)]
        return greedily(np.einsum("ng,gna->na", self.belief, table))


def known_return(trials: int, cells: int = 200) -> float:
    """Return the best expected reward of an episode if base chances from U[0, .5] are known."""
    grid = (np.arange(cells) + 0.5) / cells * TOTAL
    return float(action_values(grid, trials)[0, :, 0, 0].max(-1).mean())


def matching_slope(history: History) -> float:
    """Return the slope of the share of choices over the share of rewards, across episodes.

    Least squares over episodes with any reward, shares of the first arm; 1 is perfect matching,
    below 1 undermatching.
    """
    first = history.choices == 0
    earned = history.rewards.sum(1)
    kept = earned > 0
    rewards = (history.rewards * first).sum(1)[kept] / earned[kept]
    return float(np.polyfit(rewards, first.mean(1)[kept], 1)[0])
