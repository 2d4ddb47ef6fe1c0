"""The leaderboard's tables: CSV, JSON, LaTeX and BibTeX, from hostile entries too."""

import csv
import io
import json
import re

import pytest
from boards import TASKS, method, some_entries
from hypothesis import given, settings
from hypothesis import strategies as st
from leaderboard_entries import an_entry

from mesabench.leaderboard.board import board
from mesabench.leaderboard.tables import as_bibtex, as_csv, as_latex, json_text
from mesabench.leaderboard.tex import bibtex_of, escaped, key_of, parse


@pytest.fixture(scope="module")
def rows():
    return board(some_entries(), TASKS)


def test_no_cell_of_the_csv_is_a_formula(rows):
    names = ["=HYPERLINK(1)", "+1", "-1", "@SUM(A1)", "\uff1d1", "plain, with comma"]
    entries = [an_entry(f"e-{i}", TASKS.ranked, method=method(n)) for i, n in enumerate(names)]
    lines = list(csv.DictReader(io.StringIO(as_csv(board(entries, TASKS), TASKS))))
    assert {line["method"] for line in lines} == {*(f"'{n}" for n in names[:5]), names[5]}
    first = next(csv.DictReader(io.StringIO(as_csv(rows, TASKS))))
    assert float(first["test_low"]) < float(first["test_mean"]) < float(first["test_high"])
    assert (first["rank"], first["rank_low"]) == ("1", "1")


def test_the_json_has_every_seed_and_says_what_is_missing(rows):
    found = {e["slug"]: e for e in json.loads(json_text(rows, TASKS))["entries"]}
    by_task = found["gamma"]["by_task"]
    assert list(by_task) == ["RedDoor-v0"]
    tests = [seed["test"] for seed in by_task["RedDoor-v0"]["seeds"]]
    assert sum(tests) / 5 == pytest.approx(found["gamma"]["test"]["mean"])
    assert found["gamma"]["rank"] is None


def test_the_latex_table_has_as_many_cells_in_each_line_and_no_foreign_command(rows):
    tex = as_latex(rows, TASKS)
    lines = [line for line in tex.splitlines() if line.endswith(r"\\")]
    cells = {len(re.findall(r"(?<!\\)&", line)) for line in lines}
    assert cells == {9}
    assert set(re.findall(r"\\[A-Za-z]+", tex)) <= {
        *(r"\begin", r"\end", r"\toprule", r"\midrule", r"\bottomrule", r"\cite"),
        *(r"\textasciitilde", r"\textasciicircum", r"\textbackslash"),
    }
    assert "Too good" not in tex


@given(st.text(max_size=60))
@settings(max_examples=150, deadline=None)
def test_escaped_latex_has_no_special_character_left(words):
    bare = re.sub(
        r"\\(textbackslash|textasciitilde|textasciicircum)\{\}|\\[{}$&#%_]", "", escaped(words)
    )
    assert not re.search(r"[\\{}$&#%_~^\x00-\x1f]", bare)


PLAIN = an_entry()
HARM = re.compile(
    r"\\(input|include|write|immediate|openout|def|let|catcode|csname|usepackage|read)|\^\^|@preamble"
    r"|@string|@comment",
    re.IGNORECASE,
)
CRUEL = [
    r"@misc{a, title = {\input{/etc/passwd}}}",
    r"@misc{a, title = {\immediate\write18{rm -rf}}}",
    r"@misc{a, title = {^^5cinput{x} ^^^^005cwrite18{y}}}",
    r'@preamble{"\input{x}"} @misc{a, title = {b}}',
    r'@string{x = "\def\a{b}"} @misc{a, title = x # "y"}',
    "@misc{a, title = {open}, note = {} } } @misc{b, title = {c}}",
    "@misc{a, title = {100% of it\n\\end{document}}}",
    r"@misc{x} @comment{y}",
    r"@evil{a, title = {b}}",
    r"@misc{a, title = {\i\nput{x} \^^69nput{y} \let\x\y}}",
    "",
]


@pytest.mark.parametrize("bibtex", CRUEL)
def test_no_bibtex_acts_on_others(bibtex):
    assert_tame(bibtex_of(an_entry(method=method("Name", bibtex=bibtex))))


pieces = st.sampled_from(
    [*'@{}"#%\\^,= \n', "misc", "title", "^^5c", "\\input", "{x}", "\\'e", "\\\\"]
)


@given(st.lists(pieces, max_size=25).map("".join))
@settings(max_examples=150, deadline=None)
def test_no_mangled_bibtex_acts_on_others(value):
    entry = PLAIN
    changed = entry.method.model_copy(
        update={"bibtex": f"@misc{{a, title = {{{value}}}, year = 1}}"}
    )
    assert_tame(bibtex_of(entry.model_copy(update={"method": changed})))


def assert_tame(found):
    assert key_of(found) == "example-method"
    assert parse(found) is not None
    assert not HARM.search(found)
    assert found.count("{") == found.count("}")
    assert not re.search(r"(?<!\\)%", found)


def test_what_authors_write_in_bibtex_is_kept():
    bibtex = r"""@inproceedings{goedel2026, title = {{\"U}ber $\alpha_1$ \& {RL}}, month = jan,
        author = {G{\"o}del, K. and Erd\H{o}s, P.}, year = "2026", url = {https://a.org/x_1}}"""
    found = parse(bibtex_of(an_entry(method=method("Name", bibtex=bibtex))))
    assert found is not None
    assert found[0] == "inproceedings"
    assert dict(found[1]) == {
        "title": r"{\"U}ber $\alpha_1$ \& {RL}",
        "month": "jan",
        "author": r"G{\"o}del, K. and Erd\H{o}s, P.",
        "year": "2026",
        "url": "https://a.org/x_1",
    }


def test_references_have_every_key_once_and_those_of_the_table(rows):
    clash = board([an_entry("mesabench", TASKS.ranked)], TASKS)
    for some in (rows, clash):
        keys = re.findall(r"^@\w+\{([^,]+),", as_bibtex(some), re.MULTILINE)
        assert len(keys) == len(set(keys))
        assert set(re.findall(r"\\cite\{([^}]+)\}", as_latex(some, TASKS))) <= set(keys)
        assert "mesabench" in keys
