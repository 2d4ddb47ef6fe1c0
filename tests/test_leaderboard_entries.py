"""Entries: what they may hold, and what is computed from counts."""

import json
from typing import get_args

import jsonschema
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from leaderboard_entries import an_entry, some_counts

from mesabench.errors import MesaBenchError
from mesabench.leaderboard.checking import LEARNING
from mesabench.leaderboard.counts import Counts
from mesabench.leaderboard.entry import Verdict
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
