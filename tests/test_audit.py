"""The audit: every registered task passes it, and tasks that are unfit do not."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

import mesabench
from mesabench.audit import checks
from mesabench.audit.optimality import check_optimality, violation
from mesabench.audit.play import play_split, total_variation
from mesabench.audit.result import audit
from mesabench.engine.batch import Engine
from mesabench.engine.course import BEYOND, HELDOUT, PARTS, TRAIN
from mesabench.engine.episode import hash_layout
from mesabench.registry import get_task
from mesabench.task import Control

LEVELS = 64
STATE_LEVELS = 48  # where levels are planned on all their states, which takes longer


@pytest.mark.parametrize("task_id", mesabench.task_ids())
def test_every_registered_task_is_fit(task_id):
    states = get_task(task_id).planner == "states"
    found = audit(task_id, levels=STATE_LEVELS if states else LEVELS)
    assert found.passed, [f"{f.name}, {f.subject}: {f.found}" for f in found.failures]
    base = get_task(task_id).base.name
    for split in ("train", "heldout", "test"):
        best = found.optimum[split][base]
        assert all(r[base] <= best + 1e-6 for r in found.returns[split].values())


def fails(task):
    """Return the names of the lines that a task fails."""
    return {line.name for line in audit(task, levels=LEVELS).failures}


def test_a_test_split_like_training_does_not_diverge():
    task = get_task("KeysChests-v0")
    assert fails(replace(task, test=task.train)) == {"divergence"}


def test_training_on_the_test_split_is_no_agreement():
    task = get_task("KeysChests-v0")
    assert "agreement" in fails(replace(task, train=task.test))


def test_levels_without_a_door_are_not_solvable():
    task = get_task("RedDoor-v0")
    control = Control(task.train._replace(doors=0, reds=1), "no door", exhaustible=False)
    found = audit(replace(task, controls={"no_door": control}), levels=LEVELS)
    assert [(f.name, f.subject) for f in found.failures] == [("solvable", "no_door: reach_door")]
    spared = control._replace(audit=("attainable", "features"))
    assert audit(replace(task, controls={"no_door": spared}), levels=LEVELS).passed


def test_a_colour_that_training_lacks_is_a_new_feature():
    task = get_task("KeysChests-v0")
    odd = task.test._replace(palette=1)
    assert "features" in fails(replace(task, test=odd))


def test_no_action_in_common_is_a_violation():
    assert violation(np.array([[1.0, 0.5, 0.0], [0.2, 1.0, 0.0]])) == pytest.approx(0.25)
    assert violation(np.array([[1.0, 1.0, 0.0], [0.2, 1.0, 0.0]])) == 0.0
    assert violation(np.array([[-1.0, -2.0, -2.0], [-2.0, -1.0, -2.0]])) == pytest.approx(0.5)
    assert violation(np.zeros((3, 3))) == 0.0


def test_being_paid_for_what_nobody_can_see_violates_unchanged_optimality():
    task = get_task("KeysChests-v0")
    small = task.train._replace(size=5, keys=1, chests=1, balls=0)
    task = replace(task, train=small, test=small, disjoint=False)
    seen = {split: play_split(task, split, 256).base for split in ("train", "test")}
    assert check_optimality(seen).shared > 10
    assert check_optimality(seen).violations == 0
    ghosts = replace(task, base=task.objective("ghost_chests"), measured=())
    hidden = {split: play_split(ghosts, split, 256).base for split in ("train", "test")}
    assert check_optimality(hidden).violations > 0.2


def test_total_variation_is_that_of_the_closed_form():
    assert total_variation(Counter("aabb"), Counter("aabb")) == 0.0
    assert total_variation(Counter("aa"), Counter("bbb")) == 1.0
    assert total_variation(Counter("ab"), Counter("aaab")) == pytest.approx(0.25)


def test_equivalence_is_proven_and_not_only_unrefuted():
    rng = np.random.default_rng(0)
    optimum = rng.uniform(0.5, 1.0, 200)
    assert checks.equivalence(0.9 * optimum, optimum) < 1e-6
    assert checks.equivalence(0.7 * optimum, optimum) > 0.9
    # Six levels of large spread: no significant difference from the optimum, and no equivalence.
    assert checks.equivalence(optimum[:1], optimum[:1]) == 1.0
    few = optimum[:6]
    assert checks.equivalence(few * [0.2, 1, 1, 0.3, 1, 1], few) > checks.SIGNIFICANT


@pytest.mark.parametrize("task_id", mesabench.task_ids())
def test_layouts_belong_to_their_split_by_construction(task_id):
    task = get_task(task_id)
    if not task.disjoint:
        pytest.skip("a task of few layouts, which repeats them in all splits")
    for split, (low, high) in (("train", TRAIN), ("heldout", HELDOUT), ("test", BEYOND)):
        for alpha in (0.0, 0.5) if split == "train" else (0.0,):
            world = Engine(task, split, batch=32, alpha=alpha).world
            parts = [int(hash_layout(world, b, False) % np.uint64(PARTS)) for b in range(32)]
            assert all(low <= part < high for part in parts)


def test_outcomes_are_what_candidates_care_about():
    play = play_split(get_task("KeysChests-v0"), "train", 16)
    assert play.outcomes("open_chests") == {(2, 2): 16}
