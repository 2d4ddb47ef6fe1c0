"""What settings may be: the least and the most of each number."""

import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from mesabench.errors import MesaBenchError

if TYPE_CHECKING:
    from mesabench.baselines.config import Settings

COUNTS = (
    "batch_size",
    "buffer_size",
    "cell",
    "channels",
    "checkpoint_every",
    "depth",
    "epochs",
    "gradient_steps",
    "gru",
    "hidden",
    "kept_levels",
    "lstm",
    "members",
    "minibatches",
    "moves",
    "num_envs",
    "num_levels",
    "quantiles",
    "rollout",
    "steps",
    "target_update_interval",
    "threads",
    "ticks",
    "train_freq",
    "views",
    "width",
)
SHARES = (
    "alpha",
    "discount",
    "exploration_fraction",
    "final_epsilon",
    "gae_lambda",
    "replay",
    "staleness",
)
LIMITS: dict[str, tuple[float, float]] = {
    **dict.fromkeys(COUNTS, (1, math.inf)),
    **dict.fromkeys(SHARES, (0, 1)),
    "iterations": (2, math.inf),  # a plan of one looks nowhere
    "entropy": (0, math.inf),
    "last_entropy": (0, math.inf),
    "learning_rate": (0, math.inf),
    "palette": (0, math.inf),
    "seed": (0, 2**32 - 1),  # of NumPy's generator, which Stable-Baselines3 seeds
    "temperature": (0, math.inf),
    "warmup": (0, math.inf),
}
POSITIVE = ("learning_rate", "temperature")  # zero is not among what they may be


def check_limits(settings: "Settings") -> None:
    """Refuse settings that no training could have.

    Raises:
        MesaBenchError: a number is not finite, too small or too large.
    """
    for name, value in asdict(settings).items():
        if name in LIMITS and value is not None and not is_within(name, value):
            raise MesaBenchError(f"the setting {name} is {wanted(name)}, not {value}")


def is_within(name: str, value: Any) -> bool:
    """Say whether a setting may have a value."""
    low, high = LIMITS[name]
    return math.isfinite(value) and low <= value <= high and (value > 0 or name not in POSITIVE)


def wanted(name: str) -> str:
    """Return in words what a setting may be."""
    low, high = LIMITS[name]
    if name in POSITIVE:
        return "more than 0"
    return f"from {low} to {high}" if math.isfinite(high) else f"{low} or more"
