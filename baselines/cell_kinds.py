"""The kinds of cells in sight: a view holds few of those that the codes of a cell could spell.

What a cell adds to the features depends on its place and its kind, which is an object, a colour and
a state together; tasks show 4 to 23 of the 264 kinds.
"""

import numpy as np
import torch as th

from mesabench.engine.cache import kernel
from mesabench.engine.codes import NUM_COLOURS, NUM_OBJECTS

NUM_STATES = 4  # door states, and the directions of other agents
CODES = NUM_OBJECTS + NUM_COLOURS + NUM_STATES  # of a cell, each by itself
KINDS = NUM_OBJECTS * NUM_COLOURS * NUM_STATES


class Kinds:
    """The kinds of cells that occurred, numbered as they did so.

    Attributes:
        count: how many there are.
    """

    def __init__(self) -> None:
        self.count = 0
        self._number = np.full(KINDS, -1, np.int16)
        self._codes = th.zeros(KINDS, CODES)

    @property
    def codes(self) -> th.Tensor:
        """The codes of each kind, one-hot, float32 [kinds, `CODES`]."""
        return self._codes[: self.count]

    def find(self, image: th.Tensor) -> th.Tensor:
        """Number the kinds in a batch of views, beside those that are known.

        Args:
            image: object, colour and state of each cell in turn, any dtype, [B, 3 · cells] on the
                CPU. The space allows codes that no level holds: those count as the nearest that
                one does.

        Returns:
            The number of each cell's kind, int16 [B, cells].
        """
        kinds = th.empty(len(image), image.shape[1] // 3, dtype=th.int16)
        given = image.detach().numpy(), self._number, self._codes.numpy(), kinds.numpy()
        self.count = number_kinds(*given, self.count)
        return kinds


@kernel
def number_kinds(image, number, codes, found, count):
    """Number kinds from `count` on; write their codes and those of cells; return their count."""
    batch, cells = found.shape
    for b in range(batch):
        for cell in range(cells):
            thing = max(0, min(int(image[b, 3 * cell]), NUM_OBJECTS - 1))
            colour = max(0, min(int(image[b, 3 * cell + 1]), NUM_COLOURS - 1))
            state = max(0, min(int(image[b, 3 * cell + 2]), NUM_STATES - 1))
            kind = (thing * NUM_COLOURS + colour) * NUM_STATES + state
            if number[kind] < 0:
                number[kind] = count
                codes[count, thing] = 1.0
                codes[count, NUM_OBJECTS + colour] = 1.0
                codes[count, NUM_OBJECTS + NUM_COLOURS + state] = 1.0
                count += 1
            found[b, cell] = number[kind]
    return count
