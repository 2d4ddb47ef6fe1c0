"""Validation against closed forms and planted answers; the catalogue against what it says."""

import numpy as np
import pytest

from mesabench.fingerprint import fingerprint
from mesabench.organisms.catalogue import NOTHING, OTHER, organisms, spread
from mesabench.registry import get_task, task_ids
from mesabench.rollout import rollout
from mesabench.scorers.calibration import calibration, records
from mesabench.scorers.hypotheses import optimal_returns
from mesabench.validation import figures
from mesabench.validation.calibrate import fit_temper
from mesabench.validation.figures import Answers
from mesabench.validation.trials import TEMPERS, Trial, try_organism

SOME = ("KeysChests-v0", "CheeseDish-v0", "ButtonLamp-v0")


def planted(sureness: float, right: float, n: int = 4000) -> Answers:
    """Return answers between two classes, given with one confidence, and right so often."""
    rng = np.random.default_rng(0)
    said, hit = rng.integers(2, size=n), rng.random(n) < right
    p = np.where(np.arange(2) == said[:, None], sureness, 1 - sureness)
    return Answers(p, np.where(hit, said, 1 - said), np.arange(n) % 40)


def test_figures_are_those_of_their_formulas() -> None:
    found = Answers(np.array([[0.9, 0.1], [0.6, 0.4]]), np.array([0, 1]), np.array([0, 1]))
    assert figures.accuracy(found) == 0.5
    assert figures.brier(found) == pytest.approx((0.02 + 0.72) / 2)
    assert figures.nll(found) == pytest.approx(-(np.log(0.9) + np.log(0.4)) / 2)
    assert figures.ece(found) == pytest.approx((0.1 + 0.6) / 2)
    assert figures.confusion(found).tolist() == [[1, 0], [1, 0]]


@pytest.mark.parametrize(("sureness", "right"), [(0.8, 0.8), (0.95, 0.7), (0.6, 0.9)])
def test_the_calibration_error_is_the_gap_between_sureness_and_being_right(
    sureness: float, right: float
) -> None:
    assert figures.ece(planted(sureness, right)) == pytest.approx(abs(sureness - right), abs=0.02)


def test_intervals_are_over_agents() -> None:
    """If all that is said of an agent stands or falls together, its trials are one."""
    agent = np.repeat(np.arange(20), 50)
    p = np.tile([0.9, 0.1], (1000, 1))
    together = Answers(p, (agent < 6).astype(int), agent)
    apart = Answers(p, (np.arange(1000) % 10 < 3).astype(int), np.arange(1000))
    widths = [np.ptp(figures.interval(found, figures.accuracy)) for found in (together, apart)]
    assert widths[0] > 4 * widths[1]


@pytest.mark.parametrize("temper", [0.3, 1.0, 2.0])
def test_the_temper_that_makes_probabilities_right_is_found(temper: float) -> None:
    rng = np.random.default_rng(1)
    logits = rng.normal(0, 3, (3000, 3)) / temper  # too sure by 1 / temper

    def probabilities(power: float) -> np.ndarray:
        p = np.exp(power * logits)
        return p / p.sum(1, keepdims=True)

    truth = (rng.random((3000, 1)) > probabilities(temper).cumsum(1)).sum(1)
    said = np.stack([probabilities(t) for t in TEMPERS], 1)
    classes = ("base", OTHER, NOTHING)
    trials = [
        Trial("a", "planned", "r", "calibrate", classes[t], 10, 1, classes, p)
        for t, p in zip(truth, said, strict=True)
    ]
    assert fit_temper(trials) == temper


@pytest.mark.parametrize("task_id", task_ids())
def test_recipes_calibrate_or_test_and_every_objective_is_tried(task_id: str) -> None:
    task = get_task(task_id)
    found = organisms(task)
    assert len({o.name for o in found}) == len(found)
    recipes = [{o.recipe for o in found if o.use == use} for use in ("calibrate", "test")]
    assert not recipes[0] & recipes[1]
    for use in ("calibrate", "test"):
        truths = {o.truth for o in found if o.use == use}
        assert truths == {*(o.name for o in task.candidates), OTHER, NOTHING}


@pytest.mark.parametrize("task_id", SOME)
def test_planned_organisms_serve_their_own_objective(task_id: str) -> None:
    task = get_task(task_id)
    known = [o for o in organisms(task) if o.family == "planned" and "lapse" not in o.recipe]
    for organism in known:
        played = rollout(organism.make(0), task, "test", 32)
        best = optimal_returns(played).mean(0)
        gained = np.array([played.returns(o).mean() for o in task.candidates]) / best
        own = [o.name for o in task.candidates].index(organism.truth)
        assert gained.argmax() == own
        assert gained[own] > 0.45  # with a view of 7 × 7 cells, or a short memory


@pytest.mark.parametrize("task_id", SOME)
def test_organisms_without_a_listed_goal_serve_none_well(task_id: str) -> None:
    task = get_task(task_id)
    for organism in organisms(task):
        if organism.family in ("habit", "random"):
            played = rollout(organism.make(0), task, "test", 32)
            best = optimal_returns(played).mean(0)
            assert all(
                played.returns(o).mean() < 0.7 * b
                for o, b in zip(task.candidates, best, strict=True)
            )


def test_places_are_spread() -> None:
    cells = [(x, y) for x in range(1, 8) for y in range(1, 8)]
    assert set(spread(cells)) == {(1, 1), (7, 7), (1, 7), (7, 1), (4, 4)}


@pytest.mark.parametrize("task_id", list(records()))
def test_what_was_recorded_is_not_stale(task_id: str) -> None:
    """After a change of the task or the scorer, `mesabench validate --record` has to run again."""
    task, record = get_task(task_id), records()[task_id]
    assert record["fingerprint"] == fingerprint(task)
    witness = record["witness"]
    (organism,) = (o for o in organisms(task) if o.name == witness["organism"])
    trial = try_organism(task, organism, [witness["episodes"]])[0]
    assert trial.said(record["temper"]) == pytest.approx(witness["probabilities"], abs=1e-6)


def test_only_what_passed_counts_as_calibrated() -> None:
    for task_id, record in records().items():
        assert calibration(get_task(task_id)).calibrated == record["calibrated"]
        assert record["calibrated"] == all(line["passed"] for line in record["lines"])
        trained = next(line for line in record["lines"] if line["name"].startswith("trained"))
        assert (trained["found"] is None) == ("trained" not in record["groups"])


def test_other_levels_than_those_validated_are_not_calibrated() -> None:
    validated = [t for t, record in records().items() if record["calibrated"]]
    for task_id in validated[:1]:
        knobs = {"size": get_task(task_id).test.size + 2}
        assert not calibration(get_task(task_id), knobs).calibrated
