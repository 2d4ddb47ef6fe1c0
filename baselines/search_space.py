"""Where a search looks for the settings of an algorithm."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution

from mesabench.baselines.config import Settings

DIGITS = 3  # that count, of numbers that are tried
# Name of a setting → where it is sought, for every algorithm that has it. Sizes of networks end
# where an agent's file would get too large for the records.
SPACE: dict[str, BaseDistribution] = {
    "learning_rate": FloatDistribution(1e-4, 5e-3, log=True),
    "entropy": FloatDistribution(1e-3, 0.1, log=True),
    "gae_lambda": FloatDistribution(0.8, 1.0),
    "rollout": CategoricalDistribution((32, 64, 128, 256)),
    "epochs": CategoricalDistribution((2, 4, 8)),
    "minibatches": CategoricalDistribution((2, 4, 8)),
    "lstm": CategoricalDistribution((32, 64, 96)),
    "gru": CategoricalDistribution((32, 56, 80)),
    "width": CategoricalDistribution((32, 64, 128)),
    "batch_size": CategoricalDistribution((128, 256, 512)),
    "gradient_steps": CategoricalDistribution((2, 4, 8)),
    "exploration_fraction": FloatDistribution(0.1, 0.6),
    "replay": FloatDistribution(0.2, 0.8),
}


def space_of(settings: Settings) -> dict[str, BaseDistribution]:
    """Return the part of `SPACE` that an algorithm's settings have, which holds their values."""
    names = {field.name for field in fields(settings)}
    return {
        name: widened(where, getattr(settings, name))
        for name, where in SPACE.items()
        if name in names
    }


def widened(where: BaseDistribution, value: Any) -> BaseDistribution:
    """Return a distribution that can propose a value as well."""
    if isinstance(where, CategoricalDistribution):
        return where if value in where.choices else CategoricalDistribution((*where.choices, value))
    assert isinstance(where, FloatDistribution)
    low, high = min(where.low, value), max(where.high, value)
    return FloatDistribution(low, high, log=where.log and low > 0)  # 0 has no logarithm


def rounded(proposed: Mapping[str, Any]) -> dict[str, Any]:
    """Return proposed settings in the digits that are tried, and written down."""
    return {
        name: float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value
        for name, value in proposed.items()
    }
