"""Entries: what they may hold, what is computed from counts, how changes of them are checked."""

import hashlib
import json
from pathlib import Path
from typing import get_args

import jsonschema
import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from leaderboard_entries import an_entry, salted, some_counts

from mesabench.engine.batch import Engine
from mesabench.engine.course import MAX_LEVELS
from mesabench.errors import MesaBenchError
from mesabench.fingerprint import fingerprint
from mesabench.leaderboard.audit_levels import audit
from mesabench.leaderboard.checking import LEARNING, check
from mesabench.leaderboard.counts import Counts
from mesabench.leaderboard.entry import Entry, Invalidation, Method, Status, Verdict
from mesabench.leaderboard.levels import block_of, count_for
from mesabench.leaderboard.reading import (
    MAX_BYTES,
    SCHEMA,
    EntryError,
    entry_text,
    parse_entry,
    read_entry,
    schema_text,
    write_entry,
)
from mesabench.registry import get_task, task_ids
from mesabench.scorers import verdict as verdicts

ENTRY = an_entry(badge="re-evaluated", seeds=2)
PLAIN = json.loads(entry_text(ENTRY))


# The schema


def test_the_published_schema_is_current():
    assert SCHEMA.read_text(encoding="utf-8") == schema_text(), (
        "write leaderboard/schema.json anew: SCHEMA.write_text(schema_text()) of "
        "mesabench.leaderboard.reading"
    )


def test_the_schema_takes_entries_and_nothing_beside():
    validator = jsonschema.Draft202012Validator(json.loads(schema_text()))
    validator.check_schema(validator.schema)
    assert validator.is_valid(PLAIN)
    assert not validator.is_valid(PLAIN | {"rank": 1})
    assert not validator.is_valid(PLAIN | {"slug": "../up"})


def test_verdicts_are_those_of_the_library():
    assert set(get_args(Verdict)) == set(get_args(verdicts.Verdict)) | LEARNING


# Counts


def test_counts_give_the_normalised_return_and_its_error():
    rng = np.random.default_rng(0)
    optimum, random = rng.uniform(1, 3, 5_000), rng.uniform(0, 1, 5_000)
    agent = rng.uniform(0, 1, 5_000) * optimum
    found = Counts.of(agent, optimum, random, {})
    span = optimum.mean() - random.mean()
    assert found.normalised == pytest.approx((agent.mean() - random.mean()) / span)
    draws = rng.integers(len(agent), size=(400, len(agent)))
    a, b, c = (x[draws].mean(1) for x in (agent, optimum, random))
    assert found.standard_error == pytest.approx(((a - c) / (b - c)).std(), rel=0.12)


def test_a_perfect_agent_has_no_error_and_a_split_without_scale_no_figure():
    returns = np.linspace(1, 2, 200)
    perfect = Counts.of(returns, returns, returns / 2, {})
    assert perfect.normalised == pytest.approx(1)
    assert perfect.standard_error == pytest.approx(0, abs=1e-6)
    level = Counts.of(returns, returns, returns, {})
    assert level.normalised is None
    assert level.standard_error is None


@pytest.mark.parametrize(
    ("field", "factor"),
    [("agent", 1.5), ("agent_agent", 0.8), ("agent_optimum", 1.5), ("optimum_random", 1.5)],
)
def test_impossible_moments_are_refused(field, factor):
    plain = some_counts().model_dump()
    with pytest.raises(ValueError, match="no returns have these sums"):
        Counts(**plain | {field: plain[field] * factor})


# Files


def test_entries_are_written_and_read(tmp_path):
    path = write_entry(ENTRY, tmp_path)
    assert path.name == "example-method.json"
    assert read_entry(path) == ENTRY


def test_the_slug_is_the_files_name(tmp_path):
    path = tmp_path / "other.json"
    path.write_text(entry_text(ENTRY))
    with pytest.raises(EntryError, match=r"it is example-method\.json"):
        read_entry(path)


def test_links_devices_and_long_files_are_not_read(tmp_path):
    link = tmp_path / "example-method.json"
    link.symlink_to("/etc/passwd")
    long = tmp_path / "long.json"
    long.write_bytes(bytes(MAX_BYTES + 1))
    for path in (link, long, tmp_path, tmp_path / "none.json"):
        with pytest.raises(EntryError):
            read_entry(path)
    with pytest.raises(EntryError):
        read_entry("/dev/zero")


def changed(path, value):
    """The entry as plain data with one place changed; `...` removes it."""
    plain = json.loads(json.dumps(PLAIN))
    *way, last = path.split(".")
    place = plain
    for part in way:
        place = place[int(part) if part.isdigit() else part]
    last = int(last) if isinstance(place, list) else last
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return plain


WRONG = {
    "unknown field": ("rank", 1, "rank"),
    "missing field": ("method.licence", ..., "licence"),
    "version": ("schema_version", 2, "schema_version"),
    "slug": ("slug", "../../etc/cron", "slug"),
    "slug with a line end": ("slug", "good\n", "slug"),
    "script in a link": ("method.urls.0", "javascript:alert(1)", "urls.0"),
    "quote in a link": ("method.urls.0", 'https://e.org/"onload="x', "urls.0"),
    "path as an agent's place": ("agents.0.url", "baselines/agents/../../etc/passwd", "url"),
    "absolute path": ("agents.0.url", "/etc/passwd", "url"),
    "no authors": ("method.authors", [], "authors"),
    "endless text": ("method.description", "x" * 5000, "description"),
    "control characters": ("method.name", "a\x1b[31m", "name"),
    "number as text": ("training.steps", "1000", "steps"),
    "fraction": ("training.steps", 1.5, "steps"),
    "number as truth": ("training.saw_test", 1, "saw_test"),
    "track": ("training.saw_test", True, "zero_shot"),
    "no agents": ("agents", [], "agents"),
    "hash": ("agents.0.sha256", "F" * 64, "sha256"),
    "verdict": ("agents.0.verdict", "aligned", "verdict"),
    "probability": ("agents.0.probability", 1.1, "probability"),
    "episodes": ("agents.0.splits.test.episodes", 0, "episodes"),
    "infinite": ("agents.0.splits.test.agent", 1e400, "JSON|finite|agent"),
    "negative events": ("agents.0.splits.test.events.key", -1, "events"),
    "tampered sum": ("agents.0.splits.test.agent", 900.0, "no returns"),
    "seed twice": ("agents.1.seed", 0, "seed 0"),
    "file twice": ("agents.1.sha256", PLAIN["agents"][0]["sha256"], "file"),
    "badge": ("salted", [], "salted"),
    "stranger in a salted run": ("salted.0.agents.0.sha256", "0" * 64, "no agent of the entry"),
    "date": ("status.provenance.0.date", "yesterday", "date"),
    "supersedes itself": ("status.supersedes", "example-method", "itself"),
}


@pytest.mark.parametrize(("path", "value", "named"), WRONG.values(), ids=WRONG)
def test_wrong_entries_are_refused_by_name(path, value, named):
    with pytest.raises(EntryError, match=named):
        parse_entry(json.dumps(changed(path, value)))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[" * 100_000,
        '{"slug": "a", "slug": "b"}',
        '{"slug": NaN}',
        '{"slug": "\\ud800"}',
        "\ufeff{}",
        b"\xff\xfe",
        b"\x80\x04.",
    ],
)
def test_what_is_no_json_of_ours_is_refused(text):
    with pytest.raises(EntryError):
        parse_entry(text)


def read_or_refused(text) -> None:
    try:
        found = parse_entry(text)
    except MesaBenchError as error:
        assert str(error).isprintable()  # noqa: PT017
    else:
        assert parse_entry(entry_text(found)) == found


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4)
    ),
    max_leaves=12,
)
QUICK = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def places(value, way=()):
    yield way
    items = value.items() if isinstance(value, dict) else ()
    items = enumerate(value) if isinstance(value, list) else items
    for key, inner in items:
        yield from places(inner, (*way, key))


PLACES = [way for way in places(PLAIN) if way]


@QUICK
@given(st.sampled_from(PLACES), JSON)
def test_any_value_in_any_place_is_read_or_refused(way, value):
    plain = json.loads(json.dumps(PLAIN))
    place = plain
    for part in way[:-1]:
        place = place[part]
    place[way[-1]] = value
    read_or_refused(json.dumps(plain))


@QUICK
@given(st.dictionaries(st.sampled_from([*PLAIN, "other"]), JSON))
def test_any_object_is_read_or_refused(value):
    read_or_refused(json.dumps(value))


@QUICK
@given(st.binary(max_size=200), st.integers(0, len(entry_text(ENTRY)) - 1))
def test_any_bytes_are_read_or_refused(data, at):
    text = entry_text(ENTRY).encode()
    read_or_refused(data)
    read_or_refused(text[:at] + data + text[at + len(data) :])


# Which levels


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


# Changes


def sound(slug="example-method", task="KeysChests-v0", **changes) -> Entry:
    """An entry whose every figure can be."""
    found = get_task(task)
    entry = an_entry(slug=slug, tasks=(task,), seeds=2, test=0.9)
    splits = {
        name: some_counts(0.95, count_for(found, 1000), seed=n, events=found.events)
        for n, name in enumerate(found.splits)
        if name != "train"
    }
    agents = tuple(
        agent.model_copy(
            update={
                "fingerprint": fingerprint(found),
                "splits": splits,
                "verdict": "robustly_aligned",
                "objective": found.base.name,
            }
        )
        for agent in entry.agents
    )
    return Entry(**dict(entry) | {"agents": agents} | changes)


@pytest.fixture
def folders(tmp_path):
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    write_entry(sound("old-method"), old)
    return old, new


def test_a_sound_new_entry_passes(folders):
    old, new = folders
    assert check([write_entry(sound(), new)], old) == []


@pytest.mark.parametrize("planner", ["touch", "states"])
def test_tasks_of_either_planner_can_have_sound_entries(tmp_path, planner):
    task = next(name for name in task_ids() if get_task(name).planner == planner)
    path = write_entry(sound(task=task), tmp_path)
    assert check([path], tmp_path / "none") == []


def with_agent(entry, **changes):
    first, *rest = entry.agents
    return Entry(**dict(entry) | {"agents": (first.model_copy(update=changes), *rest)})


def test_impossible_figures_are_named(folders):
    old, new = folders
    entry = sound()
    splits = entry.agents[0].splits
    better = some_counts(1.2, 1000, events=get_task("KeysChests-v0").events)
    cases = {
        "more than is possible": with_agent(entry, splits=splits | {"test": better}),
        "splits test; expected": with_agent(entry, splits={"test": splits["test"]}),
        "fingerprint": with_agent(entry, fingerprint="0" * 16),
        "expected collect_keys": with_agent(entry, verdict="pseudo_aligned"),
        "not one of its track": with_agent(entry, verdict="history_conditioned"),
        "events": with_agent(entry, splits=splits | {"test": some_counts(0.9, 1000, events=())}),
        "episodes": with_agent(
            entry, splits={n: some_counts(0.9, 200, events=better.events) for n in splits}
        ),
        "below 0.8": with_agent(
            entry, splits=splits | {"heldout": some_counts(0.5, 1000, events=better.events)}
        ),
        "unknown task": with_agent(entry, task="KeysChest-v0"),
    }
    for words, wrong in cases.items():
        found = check([write_entry(wrong, new)], old)
        assert any(words in problem for problem in found), (words, found)


def test_nobody_edits_an_entry(folders):
    old, new = folders
    entry = read_entry(old / "old-method.json")
    method = Method(**dict(entry.method) | {"name": "Mine now"})
    path = write_entry(Entry(**dict(entry) | {"method": method}), new)
    assert "there already" in check([path], old)[0]
    assert "method changed" in check([path], old, maintainer=True)[0]


def test_an_entry_is_not_removed(folders):
    old, new = folders
    assert "is removed" in check([new / "old-method.json"], old)[0]
    assert "no such file" in check([new / "never-there.json"], old)[0]


def test_only_maintainers_raise_badges_and_invalidate(folders):
    old, new = folders
    entry = read_entry(old / "old-method.json")
    run = salted(entry.agents).model_copy(update={"agents": ()})
    agents = tuple(
        one.model_copy(update={"splits": agent.splits})
        for one, agent in zip(salted(entry.agents).agents, entry.agents, strict=True)
    )
    run = run.model_copy(update={"agents": agents})
    status = Status(**dict(entry.status) | {"badge": "re-evaluated"})
    path = write_entry(Entry(**dict(entry) | {"status": status, "salted": (run,)}), new)
    assert check([path], old, maintainer=True) == []
    assert check([path], old) != []
    assert "has the badge submitted" in check([path], new / "nothing")[0]
    gone = Invalidation(date=run.date, reason="the agents saw test levels")
    path = write_entry(
        Entry(**dict(entry) | {"status": Status(**dict(entry.status) | {"invalidated": gone})}), new
    )
    assert check([path], old, maintainer=True) == []
    assert check([path], old) != []


def test_an_entry_supersedes_its_authors_own(folders):
    old, new = folders
    status = Status(**dict(sound().status) | {"supersedes": "old-method"})
    assert check([write_entry(sound(status=status), new)], old) == []
    other = Method(**dict(sound().method) | {"authors": ("Somebody Else",)})
    problem = check([write_entry(sound(status=status, method=other), new)], old)
    assert "shares no author" in problem[0]
    nobody = Status(**dict(status) | {"supersedes": "unheard-of"})
    assert "does not exist" in check([write_entry(sound(status=nobody), new)], old)[0]


def test_entries_do_not_supersede_each_other_in_a_circle(folders):
    old, new = folders
    (before,) = (read_entry(path) for path in old.glob("old-method.json"))
    back = Status(**dict(before.status) | {"supersedes": sound().slug})
    write_entry(Entry(**dict(before) | {"status": back}), old)
    claim = Status(**dict(sound().status) | {"supersedes": "old-method"})
    problem = check([write_entry(sound(status=claim), new)], old)
    assert "which supersedes it" in problem[0]
    write_entry(sound(), old)
    changed = write_entry(Entry(**dict(sound()) | {"status": claim}), new)
    assert "which supersedes it" in check([changed], old, maintainer=True)[0]


def test_a_file_that_is_no_entry_is_a_problem(tmp_path):
    for name, data in {"page.html": b"<script>", "two.json": b"{}", "three.json": b"\xff"}.items():
        (tmp_path / name).write_bytes(data)
        assert len(check([tmp_path / name], None)) == 1


def test_the_workflow_reads_and_runs_nothing_of_a_pull_request():
    root = Path(__file__).parent.parent
    flow = yaml.safe_load((root / ".github" / "workflows" / "entries.yml").read_text())
    (job,) = flow["jobs"].values()
    assert list(flow[True]) == ["pull_request"]  # YAML takes the key "on" for a truth value
    assert flow["permissions"] == {"contents": "read"}
    assert "permissions" not in job
    checkouts = [step["with"] for step in job["steps"] if "checkout" in step.get("uses", "")]
    assert not any(options["persist-credentials"] for options in checkouts)
    commands = [step["run"] for step in job["steps"] if "run" in step]
    assert not any("${{" in command for command in commands)  # a title is no command
    (install,) = (command for command in commands if "pip install" in command)
    assert "./base" in install
    assert "./change" not in install


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


ENTRIES = sorted((Path(__file__).parent.parent / "leaderboard" / "entries").glob("*.json"))


@pytest.mark.parametrize("path", ENTRIES, ids=lambda path: path.stem)
def test_entries_of_the_repository_are_sound_and_about_todays_tasks(path: Path) -> None:
    assert check([path]) == []
    root = path.parent.parent.parent
    for agent in read_entry(path).agents:
        assert agent.fingerprint == fingerprint(get_task(agent.task)), agent.task
        if agent.url is not None and not agent.url.startswith("http"):
            assert hashlib.sha256((root / agent.url).read_bytes()).hexdigest() == agent.sha256


def test_there_is_an_entry_of_our_own() -> None:
    assert "recurrent-ppo" in [path.stem for path in ENTRIES]
