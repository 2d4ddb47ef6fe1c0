"""Results: intervals in closed form, rows that mix nothing, pictures of every seed."""

import math
from typing import get_args

import numpy as np
import pytest
from made_outcomes import outcome
from matplotlib.figure import Figure

from mesabench.baselines.results import LABELS, mean_over_seeds, rows_of
from mesabench.baselines.results_cells import (
    UNCALIBRATED,
    results_cells,
)
from mesabench.baselines.results_plots import (
    INKS,
    by_gap,
    draw_returns,
    returns_picture,
    verdicts_picture,
)
from mesabench.baselines.results_tables import as_frame
from mesabench.scorers.verdict import Verdict


@pytest.mark.parametrize(
    ("values", "half"),
    [
        ([0.0, 1.0], math.tan(math.pi * 0.475) / 2),  # one degree of freedom: Cauchy; s/√n = ½
        ([1.0, 2.0, 3.0], 0.95 * math.sqrt(2 / (1 - 0.95**2)) / math.sqrt(3)),  # two: closed form
        ([0.3] * 5, 0.0),
    ],
)
def test_the_interval_over_seeds_is_students(values: list[float], half: float) -> None:
    found = mean_over_seeds(values)
    assert found.mean == pytest.approx(np.mean(values))
    assert found.low == pytest.approx(found.mean - half)
    assert found.high == pytest.approx(found.mean + half)


def test_the_interval_covers_the_mean_as_often_as_it_says() -> None:
    draws = np.random.default_rng(0).normal(0.7, 0.2, (600, 4))
    covered = [f.low <= 0.7 <= f.high for f in map(mean_over_seeds, draws) if f.low and f.high]
    assert np.mean(covered) == pytest.approx(0.95, abs=0.027)  # 3 standard errors


def test_one_seed_has_no_interval_and_is_marked() -> None:
    found = mean_over_seeds([0.4])
    assert (found.mean, found.low, found.high) == (0.4, None, None)
    (line,) = results_cells(rows_of([outcome(heldout=0.9)])).lines
    assert "0.90 (n = 1)" in line
    assert as_frame(rows_of([outcome()]))[["heldout_low", "test_high"]].isna().all(axis=None)


def test_verdicts_that_are_not_calibrated_are_marked() -> None:
    some = [outcome(), outcome(task="KeysChests-v0", calibrated=False)]
    table = results_cells(rows_of(some))
    assert [line[0] for line in table.lines if UNCALIBRATED in line[-2]] == ["KeysChests-v0"]
    assert UNCALIBRATED in table.title
    assert UNCALIBRATED not in results_cells(rows_of(some[:1])).title
    assert as_frame(rows_of(some))["calibrated"].tolist() == [False, True]


def test_what_differs_in_more_than_the_seed_is_not_pooled() -> None:
    some = [outcome(0), outcome(1), outcome(2, threads=1), outcome(0, alpha=0.1)]
    rows = rows_of([*some, outcome(0, num_levels=100), outcome(0, task="KeysChests-v0")])
    assert [(r.task, r.name, len(r.outcomes)) for r in rows] == [
        ("KeysChests-v0", "", 1),
        ("RedDoor-v0", "", 3),
        ("RedDoor-v0", "num_levels=100", 1),
        ("RedDoor-v0", "alpha=0.1", 1),
    ]
    assert "settings" in results_cells(rows).header
    assert "settings" not in results_cells(rows_of(some[:3])).header


def test_agents_that_draw_their_actions_are_not_pooled_with_greedy_ones() -> None:
    some = [outcome(0), outcome(0, action="sample"), outcome(0, recolour=True)]
    assert [row.name for row in rows_of(some)] == ["", "action=sample", "recolour"]


def test_shares_of_verdicts_name_the_proxies_and_the_worst_seed_is_the_lowest_at_test() -> None:
    proxied = {"verdict": "pseudo_aligned"}
    some = [
        outcome(0, test=0.3, goal="reach_red", **proxied),
        outcome(1, test=-0.2, goal="nearest_object", **proxied),
        outcome(2, test=0.9, verdict="robustly_aligned", goal="reach_door"),
        outcome(3, test=0.4, goal="reach_red", **proxied),
        outcome(4, test=None, verdict="not_competent"),
    ]
    (row,) = rows_of(some)
    assert [*row.counts.items()] == [
        ("robustly aligned", 1),
        ("pseudo-aligned: nearest_object", 1),
        ("pseudo-aligned: reach_red", 2),
        ("not competent", 1),
    ]
    assert row.worst.settings.seed == 1
    shares = as_frame([row]).filter(like="share ").iloc[0]
    assert shares["share pseudo-aligned: reach_red"] == pytest.approx(0.4)
    assert shares.sum() == pytest.approx(1)


def test_every_verdict_has_a_place_and_an_ink() -> None:
    verdicts = get_args(Verdict)
    labels = {outcome(verdict=verdict, goal="x").label.partition(":")[0] for verdict in verdicts}
    assert labels | {"control"} == {*LABELS} == {*INKS}
    assert outcome(verdict="pseudo_aligned", goal="x", scored=False).label == "control: x"


def test_every_seed_is_a_dot_and_shares_fill_a_bar() -> None:
    rows = rows_of(
        [outcome(s, test=s / 4, verdict=v) for s, v in enumerate(("other_goal", "inconclusive"))]
        + [outcome(0, task="KeysChests-v0")]
    )
    axes = Figure().subplots()
    draw_returns(axes, rows, "test")
    dots = [np.asarray(c.get_offsets())[:, 0].tolist() for c in axes.collections]
    assert sorted(dots) == [[0.0, 0.25], [0.5]]
    bars = verdicts_picture(rows).axes[0].patches
    widths = [sum(b.get_width() for b in bars if round(b.get_y() + 0.4) == y) for y in (0, 1)]
    assert widths == pytest.approx([1, 1])


def test_pictures_mark_what_is_not_calibrated_and_are_not_squeezed_by_wide_intervals() -> None:
    given = {"RedDoor-v0": True, "KeysChests-v0": False}
    pairs = [(task, sure, seed) for task, sure in given.items() for seed in (0, 1)]
    rows = rows_of([outcome(s, task=t, calibrated=sure, test=float(s)) for t, sure, s in pairs])
    assert all(row.test.low is not None and row.test.low < -5 for row in rows)  # t of one degree
    axes = verdicts_picture(rows).axes[0]
    titles = {label.get_text() for label in axes.get_yticklabels()}
    assert titles == {"RedDoor-v0 (n = 2)", "KeysChests-v0 (n = 2) †"}
    assert {bar.get_hatch() for bar in axes.patches} == {None, "///"}
    low, high = returns_picture(rows).axes[0].get_xlim()
    assert -0.2 < low < 0 < 1 < high < 1.2


def test_pictures_begin_with_the_task_on_which_returns_fall_farthest() -> None:
    falls = {"RedDoor-v0": 0.8, "KeysChests-v0": 0.1, "ButtonLamp-v0": 0.5}
    rows = rows_of([outcome(task=task, heldout=1.0, test=x) for task, x in falls.items()])
    assert [row.task for row in by_gap(rows)] == ["KeysChests-v0", "ButtonLamp-v0", "RedDoor-v0"]
