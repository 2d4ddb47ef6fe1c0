"""The command ``mesabench toss``."""

import random


def toss(seed: int = 0) -> None:
    """Toss a coin.

    Args:
        seed: of the coin.
    """
    print(random.Random(seed).choice(["heads", "tails"]))
