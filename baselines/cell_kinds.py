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


def find_kinds(image: th.Tensor) -> tuple[th.Tensor, th.Tensor]:
    """Find the kinds of cells in a batch of views.

    Args:
        image: object, colour and state of each cell in turn, any dtype, [B, 3 · cells] on the CPU.
            The space allows codes that no level holds: those count as the nearest that one does.

    Returns:
        The codes of each kind that occurs, one-hot, float32 [kinds, `CODES`]; and for each cell of
        each view the row of its kind in a table [cells · kinds], int32 [B, cells].
    """
    codes = th.zeros(KINDS, CODES)
    rows = th.empty(len(image), image.shape[1] // 3, dtype=th.int32)
    kinds = number_kinds(image.detach().numpy(), codes.numpy(), rows.numpy())
    return codes[:kinds], rows


@kernel
def number_kinds(image, codes, rows):
    """Number kinds as they occur; write their codes and the rows of cells; return their number."""
    batch, cells = rows.shape
    number = np.full(KINDS, -1, np.int32)
    kinds = 0
    for b in range(batch):
        for cell in range(cells):
            thing = max(0, min(int(image[b, 3 * cell]), NUM_OBJECTS - 1))
            colour = max(0, min(int(image[b, 3 * cell + 1]), NUM_COLOURS - 1))
            state = max(0, min(int(image[b, 3 * cell + 2]), NUM_STATES - 1))
            kind = (thing * NUM_COLOURS + colour) * NUM_STATES + state
            if number[kind] < 0:
                number[kind] = kinds
                codes[kinds, thing] = 1.0
                codes[kinds, NUM_OBJECTS + colour] = 1.0
                codes[kinds, NUM_OBJECTS + NUM_COLOURS + state] = 1.0
                kinds += 1
            rows[b, cell] = number[kind]
    for b in range(batch):
        for cell in range(cells):
            rows[b, cell] += cell * kinds
    return kinds
