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
from mesabench.rollout import Rollout
from mesabench.scorers.irl import resample
from mesabench.scorers.returns import Estimate
from mesabench.scorers.ridge import PENALTIES, Ridge
from mesabench.scorers.sampling import Sample, gather, shuffle, unfit
from mesabench.scorers.whereabouts import SIDES, whereabouts

SHUFFLES = 5


@dataclass(frozen=True)
class Probe:
    """How well a probe tells on which side an objective's nearest target lies.

    Attributes:
        accuracy: of the probe from the agent's state.
        control: of the same probe for shuffled labels, mean of `SHUFFLES` shuffles.
        selectivity: accuracy − control.
        sight: accuracy of a probe from the current observation.
        both: accuracy of a probe from the observation and the agent's state.
        memory: both − sight.
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
    shuffled = [(shuffle(fit, rng), shuffle(test, rng)) for _ in range(SHUFFLES)]
    true = [(fit.label, test.label)]
    right, penalty = hits(fit, test, true, fit.inner, test.inner)
    chance, _ = hits(fit, test, shuffled, fit.inner, test.inner)
    sight, _ = hits(fit, test, true, fit.sight, test.sight)
    known, asked = (np.concatenate([half.inner, half.sight], 1) for half in (fit, test))
    both, _ = hits(fit, test, true, known, asked)
    columns = np.stack([right, chance, right - chance, sight, both, both - sight], 1)
    return Probe(
        *shares(columns, test.level, seed),
        majority=float(np.bincount(test.label).max() / len(test.label)),
        states=len(test.label),
        penalty=penalty,
    )


def hits(
    fit: Sample,
    test: Sample,
    labels: list[tuple[NDArray[np.int64], NDArray[np.int64]]],
    known: NDArray,
    asked: NDArray,
) -> tuple[NDArray[np.float64], float]:
    """Return how often [M] each test state is told right, and the last penalty chosen.

    Args:
        fit: the first half.
        test: the second half.
        labels: pairs of labels to fit and to test; hits are averaged over them.
        known: features of the first half.
        asked: features of the second half.
    """
    validation = fit.level % 4 == 0
    some, every = Ridge(known[~validation]), Ridge(known)
    right, best = np.zeros(len(test.label)), 0.0
    for given, wanted in labels:
        scores = [
            np.mean(
                some.predict(given[~validation], len(SIDES), known[validation], penalty)
                == given[validation]
            )
            for penalty in PENALTIES
        ]
        best = float(PENALTIES[np.argmax(scores)])
        right += every.predict(given, len(SIDES), asked, best) == wanted
    return right / len(labels), best


def shares(
    columns: NDArray[np.float64], level: NDArray[np.int64], seed: int
) -> tuple[Estimate, ...]:
    """Return the mean of each column [M, n] over states, with bootstrap intervals over levels."""
    place = np.unique(level, return_inverse=True)[1]
    levels = int(place.max()) + 1
    sums, counts = np.zeros((levels, columns.shape[1])), np.bincount(place)
    np.add.at(sums, place, columns)
    drawn = resample(levels, seed)
    low, high = np.quantile((drawn @ sums) / (drawn @ counts)[:, None], (0.025, 0.975), axis=0)
    mean = columns.mean(0)
    return tuple(Estimate(*map(float, part)) for part in zip(mean, low, high, strict=True))
