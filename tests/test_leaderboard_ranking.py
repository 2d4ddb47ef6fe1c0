"""Statistics of the leaderboard: against closed forms, against brute force, and by simulation."""

from typing import Any

import numpy as np
import pytest
from leaderboard_entries import WHEN, an_entry, salted
from scipy import stats

from mesabench.leaderboard.board import Tasks, board, suite_tasks
from mesabench.leaderboard.entry import Invalidation, Method
from mesabench.leaderboard.ranking import SeedValues, mean_over_tasks, ranks, redraw
from mesabench.leaderboard.scores import (
    AgentScore,
    TaskScore,
    capability,
    misaligned,
    scores_of,
    worst_seed,
)
from mesabench.registry import get_task, task_ids

TWO = Tasks(("KeysChests-v0", "RedDoor-v0"), (), ("Bandit-v0",))
RNG = np.random.default_rng


def seeds(values, first=0):
    return SeedValues(tuple(range(first, first + len(values))), np.asarray(values, float))


def standing(entries, tasks=TWO):
    return {row.entry.slug: row for row in board(entries, tasks)}


def changed_status(entry, **changes):
    return entry.model_copy(update={"status": entry.status.model_copy(update=changes)})


# Means over seeds


def test_the_interval_is_students_over_per_seed_means():
    values = RNG(0).normal(size=(3, 7))
    found = mean_over_tasks({str(i): seeds(v) for i, v in enumerate(values)})
    expected = stats.ttest_1samp(values.mean(axis=0), 0).confidence_interval(0.95)
    assert found.mean == pytest.approx(values.mean())
    assert (found.low, found.high) == pytest.approx(tuple(expected))


def test_tasks_with_other_seeds_are_independent_as_in_welchs_test():
    a, b = RNG(1).normal(0, 1, 5), RNG(2).normal(3, 4, 8)
    found = mean_over_tasks({"a": seeds(a), "b": seeds(b, first=50)})
    expected = stats.ttest_ind(a, -b, equal_var=False).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((expected.low / 2, expected.high / 2))


def test_one_seed_has_no_interval_and_equal_seeds_have_one_without_width():
    assert mean_over_tasks({"a": seeds([0.3])}) == (0.3, None, None)
    assert mean_over_tasks({"a": seeds([0.1] * 5), "b": seeds([0.3] * 5)}) == pytest.approx(
        [0.2] * 3
    )


@pytest.mark.parametrize("shared", [True, False])
def test_the_interval_holds_the_true_mean_95_times_in_100(shared):
    held, times, rng = 0, 3000, RNG(3)
    for _ in range(times):
        x = rng.normal(0.5, 0.1, (2, 5))
        found = mean_over_tasks({"a": seeds(x[0]), "b": seeds(x[1], 0 if shared else 9)})
        held += found.low <= 0.5 <= found.high
    # Satterthwaite's degrees of freedom are approximate, and err on the wide side here.
    assert 0.938 <= held / times <= (0.962 if shared else 0.975)


# Ranks


def test_the_draws_lie_where_the_t_interval_does():
    inside, rng = [], RNG(4)
    for i in range(200):
        tasks = {"a": seeds(rng.normal(0, 1, 5)), "b": seeds(rng.normal(0, 3, 5))}
        interval, drawn = mean_over_tasks(tasks), redraw(f"slug-{i}", tasks)
        mean = (drawn["a"] + drawn["b"]) / 2
        inside.append(((interval.low <= mean) & (mean <= interval.high)).mean())
    assert 0.92 <= np.mean(inside) <= 0.98


def test_draws_do_not_depend_on_the_rest_of_an_entry_or_of_the_board():
    one, two = {"a": seeds(range(5))}, {"a": seeds(range(5)), "b": seeds(range(5), first=7)}
    assert (redraw("x", one)["a"] == redraw("x", two)["a"]).all()
    assert (redraw("x", one)["a"] != redraw("y", one)["a"]).any()


def test_a_blocks_tasks_get_the_same_seeds_in_each_draw():
    drawn = redraw("x", {"a": seeds([1, 2, 3, 4, 5]), "b": seeds([-1, -2, -3, -4, -5])})
    assert drawn["a"] + drawn["b"] == pytest.approx(np.zeros(1000))


def test_ranks_are_those_of_brute_force():
    rng = RNG(5)
    scores = rng.integers(0, 6, 9) / 10
    draws = rng.integers(0, 6, (9, 400)) / 10  # many ties
    best = stats.rankdata(-draws, method="min", axis=0)
    worst = stats.rankdata(-draws, method="max", axis=0)
    for i, found in enumerate(ranks(list(scores), list(draws))):
        rank, last = 1 + (scores > scores[i]).sum(), 9 - (scores < scores[i]).sum()
        assert found.rank == rank
        assert found.tied == ((scores == scores[i]).sum() > 1)
        assert found.low == min(rank, np.sort(best[i])[9])  # 2.5 % of 400 is the tenth
        assert found.high == max(last, np.sort(worst[i])[389])


def test_entries_far_apart_have_certain_ranks():
    draws = [redraw(str(i), {"a": seeds(RNG(i).normal(i, 0.05, 5))})["a"] for i in range(6)]
    found = ranks([draw.mean() for draw in draws], draws)
    assert [r[:4] for r in found] == [(6 - i, 6 - i, 6 - i, False) for i in range(6)]


def test_equals_share_a_rank_and_its_interval():
    same = seeds([0.1, 0.2, 0.3, 0.4, 0.5])
    draws = [np.full(1000, 0.9), np.full(1000, 0.3), np.full(1000, 0.3)]
    first, second, third = ranks([0.9, 0.3, 0.3 + 1e-13], draws)
    assert (first.rank, first.low, first.high, first.tied) == (1, 1, 1, False)
    assert second == third
    assert (second.rank, second.low, second.high, second.tied) == (2, 2, 3, True)
    found = ranks([0.3] * 3, [redraw(name, {"a": same})["a"] for name in "xyz"])
    assert {r[:4] for r in found} == {(1, 1, 3, True)}


def test_rank_intervals_hold_the_true_ranks():
    means = 0.5 + 0.06 * np.arange(6)  # true ranks 6 to 1; seeds scatter by more than the gaps
    held, rng = [], RNG(6)
    for trial in range(120):
        x = [seeds(rng.normal(mean, 0.1, 5)) for mean in means]
        draws = [redraw(f"{trial}-{i}", {"a": v})["a"] for i, v in enumerate(x)]
        found = ranks([v.values.mean() for v in x], draws)
        held += [r.low <= 6 - i <= r.high for i, r in enumerate(found)]
    assert np.mean(held) >= 0.95


def test_nobody_is_ranked_where_there_is_nobody():
    assert ranks([], []) == []
    assert board([], TWO) == []


# Figures of an entry


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 11, 80])
def test_capability_is_the_interquartile_mean(n):
    values = RNG(n).normal(size=n)
    agents = [agent_score(heldout=x) for x in values]
    halves = [TaskScore(tuple(agents[::2])), TaskScore(tuple(agents[1::2]))]
    assert capability(halves) == pytest.approx(stats.trim_mean(values, 0.25))


def agent_score(verdict="robustly_aligned", test=0.5, heldout=0.9, seed=0):
    return AgentScore(seed, test, heldout, verdict, False)


def test_misaligned_are_those_after_something_else_among_the_capable():
    verdicts = ["pseudo_aligned", "other_goal", "inconclusive", "no_generalisation"]
    task = TaskScore(tuple(map(agent_score, [*verdicts, "robustly_aligned", "not_competent"])))
    assert misaligned([task]) == (2, 5)
    assert misaligned([TaskScore((agent_score("not_competent"),))]).value is None


def test_the_worst_seed_is_the_mean_of_each_tasks_lowest():
    one = TaskScore((agent_score(test=0.2), agent_score(test=0.9)))
    two = TaskScore((agent_score(test=0.6), agent_score(test=0.4)))
    assert worst_seed([one, two]) == pytest.approx(0.3)
    assert worst_seed([]) is None


def test_figures_come_from_counts_and_from_the_last_salted_run():
    entry = an_entry()
    first = entry.agents[0]
    for split in ("test", "heldout"):
        counts = first.splits[split]
        expected = (counts.agent - counts.random) / (counts.optimum - counts.random)
        assert getattr(scores_of(entry)["KeysChests-v0"].agents[0], split) == pytest.approx(
            expected
        )
    runs = (salted(entry.agents, "one", shift=-0.2), salted(entry.agents[:3], "two", shift=-0.4))
    found = scores_of(entry.model_copy(update={"salted": runs}))["KeysChests-v0"].agents
    new = {(a.sha256): a.splits["test"].normalised for run in runs for a in run.agents}
    assert [a.test for a in found] == [new[agent.sha256] for agent in entry.agents]
    assert all(a.salted for a in found)


# Who is ranked


def test_the_ranked_tasks_are_those_whose_verdicts_count():
    found = suite_tasks()
    assert set(found.ranked) == {n for n in task_ids() if get_task(n).scored}
    assert set(found.all) == set(task_ids(None))


def test_only_complete_entries_are_ranked_overall_and_nothing_is_imputed():
    entries = [
        an_entry("full", TWO.ranked, test=0.4),
        an_entry("better", TWO.ranked, test=0.9),
        an_entry("one-task", TWO.ranked[:1], test=0.99),
        an_entry("few-seeds", TWO.ranked, seeds=4, test=0.99),
    ]
    found = standing(entries)
    assert [(s, r.rank and r.rank.rank) for s, r in found.items()][:2] == [
        ("better", 1),
        ("full", 2),
    ]
    assert found["full"].rank.among == 2
    one, few = found["one-task"], found["few-seeds"]
    assert (one.state, one.rank, one.why) == ("unranked", None, "1 of 2 ranked tasks")
    assert (few.state, few.rank) == ("unranked", None)
    assert "fewer than 5 seeds" in few.why
    assert one.test.mean == pytest.approx(scores_of(entries[2])["KeysChests-v0"].test.values.mean())
    assert list(one.tasks) == ["KeysChests-v0"]
    # On the task that it has, it is ranked; with four seeds, nowhere.
    assert one.tasks["KeysChests-v0"].rank[:3] == (1, 1, 1)
    assert one.tasks["KeysChests-v0"].rank.among == 3
    assert all(task.rank is None for task in few.tasks.values())


def test_tracks_are_ranked_apart():
    found = standing(
        [
            an_entry("aa", TWO.ranked, test=0.5),
            an_entry("bb", TWO.ranked, test=0.9, track="open"),
        ]
    )
    assert {row.rank.rank for row in found.values()} == {1}
    assert {row.rank.among for row in found.values()} == {1}


def test_invalidated_and_superseded_entries_take_no_place():
    old, new = an_entry("old", TWO.ranked, test=0.9), an_entry("new", TWO.ranked, test=0.6)
    bad = an_entry("bad", TWO.ranked, test=0.99)
    entries = [
        old,
        changed_status(new, supersedes="old"),
        changed_status(bad, invalidated=Invalidation(date=WHEN, reason="saw the test split")),
    ]
    found = standing(entries)
    assert [row.state for row in found.values()] == ["ranked", "superseded", "invalidated"]
    assert found["new"].rank[:3] == (1, 1, 1)
    assert found["old"].why == "superseded by new"
    assert "saw the test split" in found["bad"].why
    assert all(t.rank is None for s in ("old", "bad") for t in found[s].tasks.values())


def test_nobody_supersedes_a_strangers_entry_and_an_invalid_one_supersedes_nothing():
    old, new = an_entry("old", TWO.ranked), an_entry("new", TWO.ranked)
    claim = changed_status(new, supersedes="old")
    stranger = Method(**claim.method.model_dump() | {"authors": ("Somebody Else",)})
    assert standing([old, claim.model_copy(update={"method": stranger})])["old"].state == "ranked"
    wrong = changed_status(claim, invalidated=Invalidation(date=WHEN, reason="wrong"))
    assert standing([old, wrong])["old"].state == "ranked"
    assert standing([old, claim])["old"].state == "superseded"


def test_entries_that_supersede_each_other_do_not_all_fall_off():
    names = ("aa", "bb", "cc")
    for circle in (("aa",), names[:2], names):
        entries = [
            changed_status(an_entry(slug, TWO.ranked), supersedes=circle[(k + 1) % len(circle)])
            for k, slug in enumerate(circle)
        ]
        states = [row.state for row in standing(entries).values()]
        assert states.count("ranked") == 1
        assert states.count("superseded") == len(circle) - 1


def test_salted_figures_decide_the_rank():
    lucky = an_entry("lucky", TWO.ranked, test=0.8)
    solid = an_entry("solid", TWO.ranked, test=0.6)
    assert standing([lucky, solid])["lucky"].rank.rank == 1
    again = lucky.model_copy(update={"salted": (salted(lucky.agents, shift=-0.5),)})
    assert standing([again, solid])["lucky"].rank.rank == 2


def test_learning_tasks_are_a_column_of_their_own():
    means: Any = {**dict.fromkeys(TWO.ranked, 0.5), "Bandit-v0": 0.9}
    both = standing([an_entry("both", tuple(means), test=means)])["both"]
    assert both.test.mean == pytest.approx(0.5, abs=0.06)
    assert both.adaptivity.mean == pytest.approx(0.9, abs=0.06)
    only = standing([an_entry("only", ("Bandit-v0",), test=0.9)])["only"]
    assert (only.test, only.covered, only.state) == (None, 0, "unranked")


def test_tasks_that_the_suite_does_not_have_count_for_nothing():
    row = standing([an_entry("new", (*TWO.ranked, "Later-v3"), test=0.5)])["new"]
    assert (row.unknown, row.state) == (("Later-v3",), "ranked")
    assert "Later-v3" not in row.tasks
