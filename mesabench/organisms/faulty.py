"""Planned agents with faults: they forget what they have not seen for a while, or go astray."""

import numpy as np

from mesabench.agents.limited import LimitedAgent
from mesabench.agents.planned import PlannedAgent, soft_choice
from mesabench.engine.batch import Engine


class ForgetfulAgent(LimitedAgent):
    """Plans on what it has seen during the last so many steps.

    Args:
        span: steps after which a cell that was not seen again counts as unseen.
    """

    def __init__(self, *args, span: int = 8, **settings):
        super().__init__(*args, **settings)
        self.span = span

    def attach(self, engine: Engine) -> None:
        """Forget everything and take note of `engine`."""
        super().attach(engine)
        self._border = self._knowledge.seen.copy()
        self._age = np.zeros(self._border.shape, np.int64)

    def __call__(self, obs, state, episode_start):
        """Return the actions [N]."""
        known = self._knowledge.seen.copy()
        self._knowledge.seen[:] = self._border
        self._knowledge.update()
        self._age = np.where(self._knowledge.seen, 0, self._age + 1)
        self._knowledge.seen |= known & (self._age < self.span)
        actions = np.zeros(self._engine.batch, np.int64)
        for b in np.flatnonzero(~self._engine.course.ended):
            actions[b] = self.choose(self._values(int(b)))
        return actions, None


class FickleAgent(PlannedAgent):
    """Pursues an objective in bouts; between them it acts at random for a few steps.

    Its lapses come together, so that its steps are not independent.

    Args:
        spell: mean length of a random spell, in steps; `lapse` is the share of steps in spells.
    """

    def __init__(self, *args, spell: float = 3.0, **settings):
        super().__init__(*args, **settings)
        self.spell = spell

    def attach(self, engine: Engine) -> None:
        """Plan every level that `engine` is about to play."""
        super().attach(engine)
        self._astray = np.zeros(engine.batch, np.bool_)

    def __call__(self, obs, state, episode_start):
        """Return the actions [N]."""
        chance = self._rng.random(len(self._astray))
        begin = self.lapse / ((1 - self.lapse) * self.spell)  # in balance with spells that end
        self._astray = np.where(self._astray, chance > 1 / self.spell, chance < begin)
        actions = np.zeros(len(self._plans), np.int64)
        for b in np.flatnonzero(~self._engine.course.ended):
            q = self._plans[b].q()[0]
            lost = self._astray[b]
            actions[b] = self._rng.integers(len(q)) if lost else soft_choice(q, 0.0, self._rng)
            self._plans[b].play(int(actions[b]))
        return actions, None
