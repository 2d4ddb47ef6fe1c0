"""The leaderboard's page and tables: read as files, as hostile entries, and in a real browser."""

import base64
import csv
import hashlib
import io
import json
import re
import shutil
from html.parser import HTMLParser
from importlib.metadata import version
from pathlib import Path

import jinja2
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from leaderboard_entries import WHEN, an_entry

from mesabench.cli import main
from mesabench.errors import MesaBenchError, TaskError
from mesabench.leaderboard.board import Tasks, board, read_entries
from mesabench.leaderboard.cite import citation, sources, suite_bibtex
from mesabench.leaderboard.entry import Invalidation, Method, Step, Training
from mesabench.leaderboard.page_data import as_json
from mesabench.leaderboard.reading import schema, write_entry
from mesabench.leaderboard.site import build, environment, page
from mesabench.leaderboard.snapshots import freeze
from mesabench.leaderboard.tables import as_bibtex, as_csv, as_latex, json_text
from mesabench.leaderboard.tex import bibtex_of, escaped, key_of, parse
from mesabench.registry import get_task, task_ids

ROOT = Path(__file__).parents[1]
TASKS = Tasks(("KeysChests-v0", "RedDoor-v0"), ("DeceptiveToy-v0",), ("Bandit-v0",))
EVIL = "<script>hacked=1</script><img src=x onerror=hacked=2>\"'><b onclick='hacked=3'>{{7*7}}</b>"
NO_BROWSER = "no chromium and chromedriver on this machine (Debian: chromium, chromium-driver)"


def method(name, **changes):
    fields = {
        "name": name,
        "authors": ("Ada Lovelace", "Alan Turing"),
        "description": "What it does.",
        "bibtex": f"@misc{{any, title = {{About {name}}}, year = 2026}}",
        "licence": "MIT",
        "urls": ("https://example.org/method",),
    }
    return Method(**fields | changes)


def hostile_entry():
    """Return an entry with markup, LaTeX and formulas wherever the schema allows a text."""
    step = Step(date=WHEN, what=EVIL, by=EVIL, note=EVIL)
    entry = an_entry("hostile", TASKS.ranked, test=0.4)
    evil = method(EVIL, authors=(EVIL, "=1+1"), description=EVIL, bibtex=EVIL, licence=EVIL)
    status = entry.status.model_copy(update={"provenance": (step,)})
    training = Training(split=EVIL, steps=1, recipe=EVIL, hardware=EVIL, saw_test=False)
    made = entry.model_copy(update={"method": evil, "status": status, "training": training})
    # No schema allows this address: the page does not rely on the schema alone.
    urls = ("javascript:hacked=4", "https://example.org/fine")
    return made.model_copy(update={"method": evil.model_copy(update={"urls": urls})})


def some_entries():
    bad = an_entry("bad", TASKS.ranked, test=0.99, method=method("Too good"))
    invalid = Invalidation(date=WHEN, reason="saw the test split")
    everything = (*TASKS.all,)
    return [
        an_entry("alpha", everything, test=0.9, method=method("Alpha"), badge="re-evaluated"),
        an_entry("beta", TASKS.ranked, test=0.6, method=method("Beta")),
        an_entry("gamma", TASKS.ranked[1:], test=0.7, method=method("Gamma")),
        an_entry("delta", TASKS.ranked, test=0.8, method=method("Delta"), track="open"),
        bad.model_copy(update={"status": bad.status.model_copy(update={"invalidated": invalid})}),
        hostile_entry(),
    ]


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


# Tables


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


# Citing, and snapshots


def test_the_suite_is_cited_alike_everywhere():
    written = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    found = parse(suite_bibtex())
    assert found is not None
    fields = {name: value.strip("{}") for name, value in found[1]}
    assert fields == {
        "title": written["title"],
        "author": written["authors"][0]["name"],
        "year": str(written["date-released"])[:4],
        "version": str(written["version"]),
    }
    assert fields["version"] == version("mesabench")
    readme = re.search(r"```bibtex\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert readme is not None
    assert parse(readme[1]) == found


def test_every_task_says_whom_to_cite_and_is_cited_once(capsys):
    main(["cite"])
    everything = capsys.readouterr().out
    for name in task_ids(None):
        key = key_of(get_task(name).bibtex)
        assert everything.count(f"{{{key},") == 1
    main(["cite", "KeysChests-v0"])
    assert capsys.readouterr().out.strip() == citation("KeysChests-v0")
    assert list(sources(["KeysChests-v0"])) == ["barnett2019simple"]
    with pytest.raises(TaskError, match="did you mean 'KeysChests-v0'"):
        citation("KeyChests-v0")


def test_a_snapshot_pins_entries_and_is_never_written_again(tmp_path):
    entries, folder = tmp_path / "entries", tmp_path / "snapshots"
    paths = [write_entry(an_entry(name, TASKS.ranked), entries) for name in ("one", "two")]
    found = json.loads(freeze("v1", entries, folder, TASKS).read_text())
    digests = {hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}
    assert {entry["sha256"] for entry in found["entries"]} == digests
    assert sorted(entry["rank"]["rank"] for entry in found["entries"]) == [1, 2]
    assert found["suite"] == version("mesabench")
    before = (folder / "v1.json").read_bytes()
    write_entry(an_entry("three", TASKS.ranked), entries)
    with pytest.raises(MesaBenchError, match="already"):
        freeze("v1", entries, folder, TASKS)
    assert (folder / "v1.json").read_bytes() == before
    for name in ("", "../v1", "v1/x", "first"):
        with pytest.raises(MesaBenchError, match="such as v1"):
            freeze(name, entries, folder, TASKS)


def test_the_commands_write_files_and_say_what_is_wrong(tmp_path, capsys):
    write_entry(an_entry(), tmp_path / "entries")
    main(["leaderboard", "build", "--entries", f"{tmp_path}/entries", "--out", f"{tmp_path}/site"])
    assert (tmp_path / "site" / "index.html").is_file()
    with pytest.raises(SystemExit):
        main(["leaderboard", "build", "--entries", f"{tmp_path}/nowhere"])
    assert "no folder of entries" in capsys.readouterr().err
    (tmp_path / "entries" / "broken.json").write_text("{}")
    with pytest.raises(MesaBenchError, match=r"broken\.json"):
        read_entries(tmp_path / "entries")


# In a browser


@pytest.fixture(scope="module")
def browser():
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    if not (chromium and driver):
        pytest.skip(NO_BROWSER)
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(flag)
    found = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield found
    found.quit()


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    build(some_entries(), folder, TASKS)
    return (folder / "index.html").as_uri()


@pytest.fixture
def shown(browser, site):
    size(browser, 1280, 900)
    browser.get(site)
    return browser


def size(browser, width, height):
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def choose(browser, control, value):
    browser.execute_script(
        "const c = document.getElementById(arguments[0]); c.value = arguments[1];"
        "c.dispatchEvent(new Event('input'))",
        control,
        value,
    )


def visible(browser):
    """Return the slugs of the rows that are to be seen, from top to bottom."""
    rows = "[...document.querySelectorAll('#rows > tr[id^=e-]')]"
    return browser.execute_script(
        f"return {rows}.filter(r => r.offsetHeight).map(r => r.id.slice(2))"
    )


def find(browser, selector):
    return browser.find_element("css selector", selector)


def head(browser, key):
    return find(browser, f"th[data-key={key}]")


def test_sorting(shown):
    choose(shown, "track", "")
    assert visible(shown) == ["alpha", "beta", "hostile", "delta", "gamma", "bad"]
    assert head(shown, "rank").get_attribute("aria-sort") == "ascending"
    head(shown, "test").find_element("tag name", "button").click()
    assert visible(shown) == ["bad", "alpha", "delta", "gamma", "beta", "hostile"]
    assert head(shown, "test").get_attribute("aria-sort") == "descending"
    assert head(shown, "rank").get_attribute("aria-sort") is None
    head(shown, "test").find_element("tag name", "button").click()
    assert visible(shown)[0] == "hostile"
    # Who has no such figure comes last, whichever way.
    for _ in range(2):
        head(shown, "adaptivity").find_element("tag name", "button").click()
        assert visible(shown)[0] == "alpha"


def test_filtering(shown):
    assert visible(shown) == ["alpha", "beta", "hostile", "gamma", "bad"]  # zero-shot at first
    choose(shown, "track", "1")
    assert visible(shown) == ["delta"]
    choose(shown, "track", "")
    choose(shown, "badge", "1")
    assert visible(shown) == ["alpha"]
    choose(shown, "badge", "2")
    assert visible(shown) == []
    assert find(shown, "#nothing").is_displayed()
    choose(shown, "badge", "")
    choose(shown, "find", "lovelace ALPHA")
    assert visible(shown) == ["alpha"]
    assert find(shown, "#shown").text.startswith("1 of 6 entries")


def test_figures_of_one_task(shown, rows):
    before = find(shown, "#e-alpha").text
    choose(shown, "task", "RedDoor-v0")
    assert visible(shown) == ["alpha", "gamma", "beta", "hostile", "bad"]
    alpha = next(row for row in rows if row.entry.slug == "alpha").tasks["RedDoor-v0"]
    cells = [c.text for c in shown.find_elements("css selector", "#e-alpha > *")]
    assert cells[2].split()[0] == f"{alpha.test.mean:.2f}"
    assert cells[0].split()[0] == "1"
    choose(shown, "task", "Bandit-v0")
    assert visible(shown) == ["alpha"]
    choose(shown, "task", "")
    assert find(shown, "#e-alpha").text == before


def test_folding_by_keyboard_shows_each_seed_and_what_is_missing(shown):
    toggle = find(shown, "#e-gamma .toggle")
    assert toggle.get_attribute("aria-expanded") == "false"
    shown.execute_script("arguments[0].focus()", toggle)
    toggle.send_keys("\ue007")  # Enter
    fold = find(shown, "#f-gamma")
    assert toggle.get_attribute("aria-expanded") == "true"
    assert toggle.get_attribute("aria-controls") == "f-gamma"
    lines = [line.text for line in fold.find_elements("css selector", ".inside tbody tr")]
    assert lines[0] == "KeysChests-v0 missing"
    assert lines[1].startswith("RedDoor-v0")
    marks = fold.find_elements("css selector", ".strip .v")
    assert sum(mark.get_attribute("d").count("M") for mark in marks) == 5
    toggle.send_keys("\ue00d")  # space
    assert not find(shown, "#f-gamma").is_displayed()


def test_copying_bibtex(shown):
    granted = {"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]}
    shown.execute_cdp_cmd("Browser.grantPermissions", granted)
    find(shown, "#e-beta .toggle").click()
    find(shown, "#f-beta .copy").click()
    read = "navigator.clipboard.readText().then(arguments[0], e => arguments[0](String(e)))"
    assert shown.execute_async_script(read) == bibtex_of(some_entries()[1])
    assert "Copied" in find(shown, "#f-beta").text


def test_a_dot_leads_to_its_row(shown):
    shown.execute_script("document.querySelector('#chart a[href=\"#e-delta\"]').dispatchEvent("
                         "new MouseEvent('click', {bubbles: true, cancelable: true}))")  # fmt: skip
    shown.execute_async_script("setTimeout(arguments[0], 100)")
    assert "delta" in visible(shown)  # though the filter had hidden the open track
    assert find(shown, "#f-delta").is_displayed()
    assert shown.execute_script("return document.activeElement.textContent") == "Delta"


def test_nothing_of_a_hostile_entry_runs(shown):
    find(shown, "#e-hostile .toggle").click()
    fold = find(shown, "#f-hostile")
    shown.execute_async_script("setTimeout(arguments[0], 200)")
    assert shown.execute_script("return typeof hacked") == "undefined"
    assert EVIL in fold.text
    assert EVIL in find(shown, "#e-hostile").text
    links = [a.get_attribute("href") for a in fold.find_elements("tag name", "a")]
    assert links == ["https://example.org/fine"]
    assert shown.execute_script("return document.querySelectorAll('img, b[onclick]').length") == 0
    complaints = [e for e in shown.get_log("browser") if e["level"] == "SEVERE"]
    assert not complaints


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_fits_its_window_and_can_be_read(shown, width, scheme):
    size(shown, width, 844)
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    shown.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    for slug in ("alpha", "hostile"):
        find(shown, f"#e-{slug} .toggle").click()
    assert shown.execute_script("return document.documentElement.scrollWidth") <= width
    for selector in ("#e-alpha td:nth-child(3)", "#shown", "#e-alpha small", ".fold dd"):
        assert contrast(shown, selector) >= 4.5
        font = find(shown, selector).value_of_css_property("font-size")
        assert float(font.removesuffix("px")) >= 12


def contrast(browser, selector):
    """Return WCAG's contrast of an element's text with the page."""
    colours = browser.execute_script(
        "const e = document.querySelector(arguments[0]);"
        "return [getComputedStyle(e).color, getComputedStyle(document.body).backgroundColor]",
        selector,
    )
    parts = [[int(x) / 255 for x in re.findall(r"\d+", colour)[:3]] for colour in colours]
    linear = [
        [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in p] for p in parts
    ]
    low, high = sorted(0.2126 * r + 0.7152 * g + 0.0722 * b for r, g, b in linear)
    return (high + 0.05) / (low + 0.05)


def test_the_page_makes_no_request_but_for_itself(shown, site):
    messages = [json.loads(e["message"])["message"] for e in shown.get_log("performance")]
    asked = [
        m["params"]["request"]["url"]
        for m in messages
        if m["method"] == "Network.requestWillBeSent"
    ]
    assert asked
    assert {url for url in asked if not url.startswith(("data:", "chrome"))} == {site}
