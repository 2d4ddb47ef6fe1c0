"""Prioritised level replay: which of the levels played so far are worth playing again.

A level's score is how wrong the critic was on it, a proxy of the regret. With the scores' ranks r
(1 for the highest) and the episodes since each level was begun last, the staleness C − c,

    P = (1 − mix) · P_S + mix · P_C,   P_S ∝ r^(−1/β),   P_C ∝ C − c.

Source: Jiang, Grefenstette & Rocktäschel 2021, "Prioritized level replay".
"""

import numpy as np
from numpy.typing import NDArray


def replay_distribution(
    scores: NDArray[np.float64],
    staleness: NDArray[np.int64],
    *,
    temperature: float,
    mix: float,
) -> NDArray[np.float64]:
    """Return the probability with which each level is replayed, float64 [n].

    Args:
        scores: of the levels, float64 [n]; of equal ones the first ranks higher.
        staleness: episodes since each was begun last, int64 [n].
        temperature: β; the smaller, the more goes to the highest ranks.
        mix: share of the probability that goes by staleness.
    """
    rank = np.empty(len(scores))
    rank[np.argsort(-scores, kind="stable")] = np.arange(1, len(scores) + 1)
    by_score = rank ** (-1.0 / temperature)
    by_score /= by_score.sum()
    if not staleness.any():
        return by_score
    return (1 - mix) * by_score + mix * staleness / staleness.sum()


class LevelScores:
    """The levels that may be replayed: at most so many, each with its score.

    Args:
        size: how many are kept.
        temperature, mix: as for `replay_distribution`.

    Attributes:
        levels: their numbers, int64 [n].
        scores: float64 [n].
        begun: the episode, counted over all worlds, in which each was begun last, or scored first,
            int64 [n].
        episodes: how many have been begun in all.
    """

    def __init__(self, size: int, *, temperature: float, mix: float):
        self.size, self.temperature, self.mix = size, temperature, mix
        self.levels = np.zeros(0, np.int64)
        self.scores = np.zeros(0)
        self.begun = np.zeros(0, np.int64)
        self.episodes = 0

    def distribution(self) -> NDArray[np.float64]:
        """Return the probability with which each level is replayed now, float64 [n]."""
        return replay_distribution(
            self.scores,
            self.episodes - self.begun,
            temperature=self.temperature,
            mix=self.mix,
        )

    def draw(self, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Draw levels to replay, int64 [count]."""
        return rng.choice(self.levels, count, p=self.distribution())

    def begin(self, levels: NDArray[np.int64]) -> None:
        """Take note that levels, int64 [m], are begun; those that are not kept are left out."""
        self.begun[np.isin(self.levels, levels)] = self.episodes

    def record(self, levels: NDArray[np.int64], scores: NDArray[np.float64]) -> None:
        """Take note of what ended episodes came to; of one level the last counts.

        A new level of a full collection takes the place of the one least likely to be replayed,
        unless that has a higher score.

        Args:
            levels: the level of each episode, int64 [m].
            scores: of the episodes, float64 [m].
        """
        latest = dict(zip(levels.tolist(), scores.tolist(), strict=True))
        for place, level in enumerate(self.levels.tolist()):
            if level in latest:
                self.scores[place] = latest.pop(level)
        fresh = sorted(latest.items(), key=lambda pair: -pair[1])
        room = self.size - len(self.levels)
        self._add(fresh[:room])
        self._replace(fresh[room:])

    def _add(self, fresh: list[tuple[int, float]]) -> None:
        levels, scores = (np.array([pair[i] for pair in fresh]) for i in range(2))
        self.levels = np.concatenate([self.levels, levels.astype(np.int64)])
        self.scores = np.concatenate([self.scores, scores.astype(np.float64)])
        self.begun = np.concatenate([self.begun, np.full(len(fresh), self.episodes)])

    def _replace(self, fresh: list[tuple[int, float]]) -> None:
        if not fresh:
            return
        places = np.argsort(self.distribution(), kind="stable")
        for place, (level, score) in zip(places, fresh, strict=False):
            if score > self.scores[place]:
                self.levels[place], self.scores[place] = level, score
                self.begun[place] = self.episodes
