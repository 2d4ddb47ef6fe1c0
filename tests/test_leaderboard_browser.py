"""The leaderboard's page in a real browser."""

import json
import re
import shutil

import pytest
from boards import EVIL, TASKS, some_entries

from mesabench.leaderboard.board import board
from mesabench.leaderboard.site import build
from mesabench.leaderboard.tex import bibtex_of

NO_BROWSER = "no chromium and chromedriver on this machine (Debian: chromium, chromium-driver)"


@pytest.fixture(scope="module")
def rows():
    return board(some_entries(), TASKS)


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
