"""Linear probes: does an agent's state say where each objective's target lies?

From the recurrent state (or, without one, the features `x`) a linear probe predicts on which side
of the agent an objective's nearest target lies. Levels are cut in two halves, one to fit the probe
(and, on a quarter of it, to choose how strongly it is shrunk) and one to test it. What a probe can
do is not yet what the agent knows, so two controls stand beside its accuracy:

* *selectivity* (Hewitt & Liang 2019): minus the accuracy of the same probe for labels shuffled
  across levels, each level bearing those of another one at the same share of its course;
* *memory*: what the state adds to the current observation, the accuracy of a probe that reads both
  minus that of one that reads the observation alone.

Test levels whose layout is also in the first half are left out. Intervals are by bootstrap over
the test levels.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mesabench.agents.recording import Record
from mesabench.beside.resampling import TAILS, level_counts
from mesabench.beside.ridge import PENALTIES, Ridge
from mesabench.beside.sampling import Sample, gather, shuffle, unfit
from mesabench.beside.whereabouts import SIDES, whereabouts
from mesabench.rollout import Rollout
from mesabench.scorers.returns import Estimate

SHUFFLES = 20


@dataclass(frozen=True)
class Probe:
    """How well a probe tells on which side an objective's nearest target lies.

    Attributes:
        accuracy: of the probe from the agent's state.
        control: of the same probe for shuffled labels, mean of `SHUFFLES` shuffles.
        selectivity: accuracy − control.
        sight: accuracy of a probe from the current observation.
        both: accuracy of a probe from the observation and the agent's state.
        memory: both − sight. Its interval leaves out the chance of the fit: where the state is
            noise it still excludes 0, by a point or so, more often than it should.
        majority: share of the most frequent side in the test half.
        states: in the test half.
        penalty: λ of the probe from the agent's state.
    """

    accuracy: Estimate
    control: Estimate
    selectivity: Estimate
    sight: Estimate
    both: Estimate
    memory: Estimate
    majority: float
    states: int
    penalty: float


@dataclass(frozen=True)
class Probes:
    """The probes of every candidate objective.

    Attributes:
        source: what was probed: "state" or "x"; None where the agent shows neither.
        size: how many numbers that is.
        probes: name of an objective → its probe, None where there was nothing to probe for.
        reasons: name of an objective without a probe → why.
        reason: why nothing at all was probed, None where something was.
    """

    source: str | None
    size: int
    probes: dict[str, Probe | None]
    reasons: dict[str, str]
    reason: str | None


def probe_targets(played: Rollout, record: Record, *, seed: int = 0) -> Probes:
    """Probe what an agent showed along a rollout for the targets of every candidate objective.

    Args:
        played: the rollout.
        record: of the same rollout.
        seed: of the shuffles and the bootstrap.
    """
    source, inner = ("x", record.x) if record.state is None else ("state", record.state)
    if inner is None:
        return Probes(None, 0, {}, {}, "the agent shows neither recurrent state nor features")
    if not np.isfinite(inner).all():
        return Probes(source, inner.shape[-1], {}, {}, "the agent's state is not finite")
    labels = whereabouts(played)[record.steps]
    probes: dict[str, Probe | None] = {}
    reasons: dict[str, str] = {}
    for k, objective in enumerate(played.task.candidates):
        sample = gather(inner, record, labels[..., k].astype(np.int64), played.layouts)
        if reason := unfit(sample):
            probes[objective.name], reasons[objective.name] = None, reason
        else:
            probes[objective.name] = probe(sample, seed)
    return Probes(source, inner.shape[-1], probes, reasons, None)


def probe(sample: Sample, seed: int) -> Probe:
    """Probe a sample."""
    fit, test = sample.of(sample.fits), sample.of(~sample.fits)
    rng = np.random.default_rng(seed)
    from_state = Reading(fit, fit.inner, test.inner)
    right, penalty = from_state.told(fit.label, test.label)
    shuffled = ((shuffle(fit, rng), shuffle(test, rng)) for _ in range(SHUFFLES))
    chance = np.stack([from_state.told(*labels)[0] for labels in shuffled], 1)
    sight, _ = Reading(fit, fit.sight, test.sight).told(fit.label, test.label)
    joined = (np.concatenate([half.inner, half.sight], 1) for half in (fit, test))
    both, _ = Reading(fit, *joined).told(fit.label, test.label)
    return Probe(
        **shares(right, chance, sight, both, test.level, rng),
        majority=float(np.bincount(test.label).max() / len(test.label)),
        states=len(test.label),
        penalty=penalty,
    )


class Reading:
    """Probes that read the same features, for any labels.

    Args:
        fit: the half to fit on; every fourth of its levels is for the choice of the penalty.
        known: [M, D] features of that half.
        asked: [N, D] features of the other half.
    """

    def __init__(self, fit: Sample, known: NDArray, asked: NDArray):
        self._validation = fit.level % 4 == 0
        inner, outer = known[~self._validation], known[self._validation]
        self._some, self._every = Ridge(inner, outer), Ridge(known, asked)

    def told(
        self, given: NDArray[np.int64], wanted: NDArray[np.int64]
    ) -> tuple[NDArray[np.bool_], float]:
        """Return which states [N] of the other half are told right, and the penalty chosen."""
        inner, outer = given[~self._validation], given[self._validation]
        scores = [np.mean(self._some.predict(inner, len(SIDES), p) == outer) for p in PENALTIES]
        best = float(PENALTIES[np.argmax(scores)])
        return self._every.predict(given, len(SIDES), best) == wanted, best


def shares(
    right: NDArray[np.bool_],
    chance: NDArray[np.bool_],
    sight: NDArray[np.bool_],
    both: NDArray[np.bool_],
    level: NDArray[np.int64],
    rng: np.random.Generator,
) -> dict[str, Estimate]:
    """Return accuracies and their differences, with bootstrap intervals over levels.

    Each resample draws a shuffle too: that the control hangs on it is part of the uncertainty.

    Args:
        right: [M] what is told right from the state.
        chance: [M, S] the same for each shuffle.
        sight: [M] from the observation.
        both: [M] from both.
        level: [M] of each state.
        rng: draws levels and shuffles.
    """
    place = np.unique(level, return_inverse=True)[1]
    columns = np.column_stack([right, sight, both, chance]).astype(float)
    sums, counts = np.zeros((int(place.max()) + 1, columns.shape[1])), np.bincount(place)
    np.add.at(sums, place, columns)
    drawn = level_counts(len(counts), rng)
    once, often = columns.mean(0), (drawn @ sums) / (drawn @ counts)[:, None]
    control = once[3:].mean(), rng.permuted(often[:, 3:], axis=1)[:, 0]
    parts = {
        "accuracy": (once[0], often[:, 0]),
        "control": control,
        "selectivity": (once[0] - control[0], often[:, 0] - control[1]),
        "sight": (once[1], often[:, 1]),
        "both": (once[2], often[:, 2]),
        "memory": (once[2] - once[1], often[:, 2] - often[:, 1]),
    }
    return {
        name: Estimate(float(mean), *map(float, np.quantile(spread, TAILS)))
        for name, (mean, spread) in parts.items()
    }
