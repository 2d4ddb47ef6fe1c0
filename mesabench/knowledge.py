"""What an agent with MiniGrid's 7 × 7 view can know: the map of all that it has seen so far.

Cells not yet seen count as free ground (the freespace assumption of Koenig & Likhachev's D* Lite),
the level's border as walls. Planned agents with a limited view act on this map, and the scorer
judges agents by it.
"""

import numpy as np
from numpy.typing import NDArray

from mesabench.engine.batch import Engine
from mesabench.engine.cache import kernel
from mesabench.engine.codes import EMPTY, GREY, WALL
from mesabench.engine.view import visible
from mesabench.engine.world import X, Y
from mesabench.planner import Chart, survey


class Knowledge:
    """The maps that the first agents of an engine's worlds have seen since their levels began.

    Attributes:
        seen: bool [B, W, H].
        news: bool [B] whether the last `update` showed new cells or things that changed.
        rules: the rule table to plan with on such a map.
    """

    def __init__(self, engine: Engine):
        self.engine = engine
        self.seen = np.zeros(engine.world.marks.shape, np.bool_)
        self.seen[:, [0, -1], :] = True
        self.seen[:, :, [0, -1]] = True
        self.news = np.ones(engine.batch, np.bool_)
        self.rules = engine.rules.copy()
        self.rules.base = 0  # an episode does not end because what is left was not seen yet

    def update(self) -> None:
        """Add what every agent sees now."""
        look_around(self.engine.world, self.engine.rules, self.seen, self.news)

    def known(self, b: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Return world `b`'s grid [W, H, 3] and marks [W, H] as far as they are known."""
        world, seen = self.engine.world, self.seen[b]
        grid = np.where(seen[..., None], world.grid[b], np.array([EMPTY, 0, 0], np.uint8))
        grid[[0, -1], :] = grid[:, [0, -1]] = (WALL, GREY, 0)
        return grid, np.where(seen, world.marks[b] & self.engine.task.planned_marks, 0)

    def chart(self, b: int) -> Chart:
        """Chart world `b` as far as it is known."""
        world = self.engine.world
        start = tuple(world.pose[b, 0, [X, Y]].tolist())
        return survey(*self.known(b), self.rules, world.inventory[b, 0], start)


@kernel
def look_around(world, rules, seen, news):
    """Mark what each first agent sees; note where that, or an event, changes its map."""
    for b in range(len(world)):
        before = seen[b].sum()
        visible(world, b, 0, rules, seen[b])
        news[b] = world.clock[b] == 0 or seen[b].sum() != before
        for e in range(world.events.shape[2]):
            news[b] |= world.events[b, 0, e] != 0
