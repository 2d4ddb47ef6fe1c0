"""On which levels an entry is judged, and whether its agents have trained on them."""

import numpy as np
import pytest

from mesabench.engine.batch import Engine
from mesabench.engine.course import MAX_LEVELS
from mesabench.leaderboard.audit_levels import audit
from mesabench.leaderboard.levels import block_of, count_for
from mesabench.leaderboard.reading import (
    EntryError,
)
from mesabench.registry import get_task


def test_levels_follow_from_the_hash_and_the_salt():
    one = block_of("0.1.0", "KeysChests-v0", "ab" * 32, 1000)
    assert one == block_of("0.1.0", "KeysChests-v0", "ab" * 32, 1000)
    others = [
        block_of("0.1.1", "KeysChests-v0", "ab" * 32, 1000),
        block_of("0.1.0", "RedDoor-v0", "ab" * 32, 1000),
        block_of("0.1.0", "KeysChests-v0", "ac" * 32, 1000),
        block_of("0.1.0", "KeysChests-v0", "ab" * 32, 1000, "salt"),
    ]
    assert len({block.first for block in (one, *others)}) == 5
    assert len(one.numbers) == len(set(one.numbers)) == 1000


def test_blocks_lie_within_the_range_of_levels_and_cover_it():
    firsts = np.array([block_of("1", "T-v0", str(n), 1000).first for n in range(2000)])
    assert firsts.min() >= 0
    assert firsts.max() + 1000 <= MAX_LEVELS
    counts, _ = np.histogram(firsts, bins=4, range=(0, MAX_LEVELS))
    assert abs(counts - 500).max() < 5 * np.sqrt(500 * 0.75)


@pytest.mark.parametrize("wanted", [0, 127, 10_001])
def test_number_of_levels(wanted):
    with pytest.raises(EntryError, match="levels go from 128 to 10,000"):
        count_for(get_task("KeysChests-v0"), wanted)


# Layouts


def layouts(split, count):
    engine = Engine(get_task("KeysChests-v0"), split, batch=count, seed=None, autoreset=False)
    engine.reset(levels=np.arange(count))
    return [f"{one:016x}" for one in engine.course.layout.tolist()]


def test_layouts_of_training_and_of_test_are_told_apart(tmp_path):
    log = tmp_path / "layouts.txt"
    log.write_text("\n".join(layouts("train", 200)))
    assert audit(log, "KeysChests-v0", 1500).common == ()
    log.write_text("\n".join(layouts("train", 200) + layouts("test", 30)))
    found = audit(log, "KeysChests-v0", 1500)
    assert [f"{one:016x}" for one in found.common] == sorted(set(layouts("test", 30)))
    assert found.sentence.startswith(f"30 of {found.logged}")


def test_logs_of_monitors_are_found_in_a_run(tmp_path):
    rows = [f"1.0,12,0.5,{one}" for one in layouts("test", 5)]
    log = ['#{"t_start": 0.0, "env_id": "None"}', "r,l,t,layout", *rows]
    (tmp_path / "monitor.csv").write_text("\n".join(log))
    (tmp_path / "progress.csv").write_text("time,reward\n1,2\n")
    assert len(audit(tmp_path, "KeysChests-v0", 100).common) == 5


def test_logs_that_hold_nothing_say_what_was_expected(tmp_path):
    with pytest.raises(EntryError, match="info_keywords"):
        audit(tmp_path, "KeysChests-v0", 100)
    log = tmp_path / "layouts.txt"
    log.write_text("0123456789abcdef\nabc\n")
    with pytest.raises(EntryError, match="line 2: expected a layout's 16 hexadecimal digits"):
        audit(log, "KeysChests-v0", 100)
