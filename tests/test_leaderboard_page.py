"""The leaderboard's page as a file: whole without scripts, and safe from hostile entries."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import jinja2
import pytest
from boards import EVIL, TASKS, method, some_entries
from hypothesis import given, settings
from hypothesis import strategies as st
from leaderboard_entries import an_entry

from mesabench.leaderboard.board import Tasks, board
from mesabench.leaderboard.page_data import as_json
from mesabench.leaderboard.reading import schema
from mesabench.leaderboard.site import build, environment, page
from mesabench.registry import task_ids


@pytest.fixture(scope="module")
def rows():
    return board(some_entries(), TASKS)


@pytest.fixture(scope="module")
def text(rows):
    return page(rows, TASKS)


class Reader(HTMLParser):
    """Collects a page's elements, and the texts of its table's cells row by row."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.lines, self.within = [], [], None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag == "tr":
            self.lines.append([])
        if tag in ("td", "th") and self.lines:
            self.lines[-1].append("")

    def handle_data(self, data):
        if self.lines and self.lines[-1]:
            self.lines[-1][-1] += data


# The page as a file


def test_every_value_is_escaped_though_the_templates_name_would_not_ask_for_it():
    by_name = jinja2.select_autoescape()
    assert not by_name("page.html.j2")
    assert environment().from_string("{{ x }}").render(x="<b>") == "&lt;b&gt;"
    template = environment().get_template("page.html.j2")
    assert template.environment.autoescape is True


def test_a_hostile_entry_adds_no_element_and_no_handler(text, rows):
    found = Reader(text)
    tame = Reader(page([row for row in rows if row.entry.slug != "hostile"], TASKS))
    scripts = [attrs for tag, attrs in found.elements if tag == "script"]
    assert [attrs.get("type") for attrs in scripts] == ["application/json", None]
    assert {tag for tag, _ in found.elements} == {tag for tag, _ in tame.elements}
    assert not [name for _, attrs in found.elements for name in attrs if name.startswith("on")]
    assert "javascript:" not in text
    assert "{{7*7}}" in text  # it is shown as it was written


def test_the_page_asks_for_nothing_else(text):
    head = Reader(text)
    assert not [a for _, a in head.elements if "src" in a or "srcset" in a]
    addresses = [a["href"] for _, a in head.elements if "href" in a]
    local = {"leaderboard.csv", "leaderboard.json", "table.tex", "references.bib", "schema.json"}
    assert {x for x in addresses if not x.startswith("#")} == local | {"data:,"}
    assert "url(" not in text
    assert "@import" not in text


def test_the_pages_policy_allows_its_own_script_alone(text):
    script = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy is not None
    assert "default-src 'none'" in policy[1]
    assert f"script-src 'sha256-{digest}'" in policy[1]


def test_the_table_is_there_without_scripts(text):
    lines = [line for line in Reader(text).lines if len(line) == 10][1:]
    names = ["Alpha", "Beta", EVIL, "Delta", "Gamma", "Too good"]
    assert [name in line[1] for name, line in zip(names, lines, strict=True)] == [True] * 6
    assert [line[0][:1] for line in lines] == ["1", "2", "3", "1", "–", "–"]
    assert "saw the test split" in lines[-1][1]
    assert lines[0][8].split("/") == ["2", "2"]
    assert "1 of 2 ranked tasks" in lines[4][1]


@given(st.text())
@settings(max_examples=60, deadline=None)
def test_no_text_ends_the_script_element_that_holds_the_data(words):
    written = as_json({"x": words + "</script><!--"})
    assert "<" not in written
    assert json.loads(written) == {"x": words + "</script><!--"}


def test_a_page_of_500_entries_stays_below_a_megabyte():
    suite = Tasks(task_ids()[:16], (), ())
    entries = [an_entry(f"method-{i}", suite.ranked, method=realistic(i)) for i in range(8)]
    few, more = (len(page(board(entries[:n], suite), suite).encode()) for n in (2, 8))
    # Ranks and their intervals have up to two digits more among 500.
    digits = 16 * 3 * 2 + 6
    assert few + 498 * ((more - few) / 6 + digits) <= 1_000_000


def realistic(i):
    bibtex = (
        f"@misc{{lovelace2026variant,\n  title = {{Recurrent policies with variant {i}, and what "
        "they pursue},\n  author = {Lovelace, Ada and Turing, Alan},\n  year = {2026},\n}"
    )
    about = "A recurrent policy trained by proximal policy optimisation, and what was changed: " * 2
    return method(f"Recurrent PPO with variant {i}", bibtex=bibtex, description=about)


@pytest.mark.parametrize("entries", [[], [an_entry("only", ("Bandit-v0",))]])
def test_a_board_with_little_on_it_is_built_too(tmp_path, entries):
    paths = build(entries, tmp_path, TASKS)
    assert len(paths) == 6
    assert ("There are no entries yet" in paths[0].read_text()) == (not entries)
    assert json.loads((tmp_path / "schema.json").read_text()) == schema()


def test_building_twice_gives_the_same_files(tmp_path):
    one, two = (build(some_entries(), tmp_path / name, TASKS) for name in "ab")
    assert [p.read_bytes() for p in one] == [p.read_bytes() for p in two]
