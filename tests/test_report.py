import base64
import io
import json
import re
from dataclasses import replace
from html import unescape
from importlib.resources import files

import jsonschema
import pytest
from PIL import Image

from mesabench import report
from mesabench.agents.planned import PlannedAgent, RandomAgent
from mesabench.evaluation import evaluate
from mesabench.files import as_json
from mesabench.registry import get_task, task_ids
from mesabench.report import (
    DRAWN,
    LEVELS,
    TILE,
    TITLES,
    command_line,
    page,
    python_call,
    write_report,
)
from mesabench.result import Evaluation
from mesabench.scorers import verdict
from mesabench.scorers.verdict import Judgement
from mesabench.wording import docstring_sections, number, prose

HOSTILE = '<script>alert(1)</script>" onload="x'
SCHEMA = json.loads(files("mesabench").joinpath("evaluation.schema.json").read_text())


@pytest.fixture(scope="module", params=task_ids())
def evaluation(request) -> Evaluation:
    task = get_task(request.param)
    agent = PlannedAgent(task, {task.proxies[0].name: 1.0}, then=task.base.name)
    return evaluate(agent, task, levels=16, name=HOSTILE)


@pytest.fixture(scope="module")
def html(evaluation) -> str:
    return page(evaluation)


@pytest.fixture(scope="module")
def text(html) -> str:
    """What a reader sees, without markup, in single spaces."""
    body = re.sub(r"<(style|title)>.*?</\1>", " ", html, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split())


@pytest.fixture
def unpictured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the pictures, which take nearly all of a page's time."""
    for pictures in ("level_pictures", "trajectories"):
        monkeypatch.setattr(report, pictures, lambda rollout: [])
    monkeypatch.setattr(report, "trust", lambda evaluation: "")


def validator() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(SCHEMA)


def test_page_loads_nothing(html):
    assert re.findall(r'\b(?:src|href|srcset|action|data)="(?!data:image/png;base64,)', html) == []
    assert "<script" not in html
    assert "<link" not in html
    assert "@import" not in html
    assert "url(" not in html
    assert "default-src 'none'" in html


def test_page_is_small(html):
    assert len(html.encode()) < 1_000_000


def test_page_is_written_whole(evaluation, html, tmp_path):
    path = write_report(evaluation, tmp_path / "new")
    assert path == tmp_path / "new" / "report.html"
    assert path.read_text(encoding="utf-8") == html
    assert list(path.parent.iterdir()) == [path]


def test_hostile_names_are_escaped(html, text):
    assert HOSTILE not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert HOSTILE in text


def test_verdict_comes_first_and_in_words(evaluation, text):
    said = evaluation.sentence.split(" (probability")[0]
    assert 0 < text.index(said) < 300


@pytest.mark.usefixtures("unpictured")
def test_every_probability_says_that_it_is_uncalibrated(evaluation):
    html = page(with_calibration(evaluation, calibrated=False))
    marked = re.findall(r'<span class="chance">[^<]+</span> <span class="doubt">uncal', html)
    assert len(marked) == html.count('<span class="chance">')
    assert len(marked) >= len(evaluation.posterior.probabilities)


@pytest.mark.usefixtures("unpictured")
def test_calibrated_probabilities_stand_alone(evaluation):
    assert "uncalibrated" not in page(with_calibration(evaluation, calibrated=True))


def with_calibration(evaluation, *, calibrated):
    known = replace(evaluation.calibration, calibrated=calibrated)
    return replace(evaluation, calibration=known)


def test_pictures_are_png_of_the_right_size(evaluation, html):
    found = re.findall(r'src="data:image/png;base64,([^"]+)" alt="([^"]+)"', html)
    pictures = [(data, alt) for data, alt in found if alt.startswith(evaluation.task.id)]
    assert len(pictures) == 2 * LEVELS + DRAWN
    assert len(found) - len(pictures) == (evaluation.calibration.record is not None)
    for split, count in (("train", LEVELS), ("test", LEVELS + DRAWN)):
        assert sum(f"/{split}/" in alt for _, alt in pictures) == count
        side = evaluation.task.level(split).size * TILE
        for content, alt in pictures:
            if f"/{split}/" in alt:
                image = Image.open(io.BytesIO(base64.b64decode(content)))
                assert image.format == "PNG"
                assert image.size == (side, side)


def test_page_says_the_evaluations_numbers(evaluation, text):
    for split in ("train", "heldout", "test"):
        result = evaluation.splits[split]
        for objective in evaluation.task.candidates:
            r = result.returns[objective.name]
            for e in (r.normalised, r.discounted, r.raw):
                if e is not None:
                    assert f"{number(e.mean)} [{number(e.low)}, {number(e.high)}]" in text
            share = result.choice[objective.name]
            if share.total == 0:  # what the tick pays for is nothing to be touched
                continue
            interval = f"[{100 * share.low:.0f}, {100 * share.high:.0f}]"
            assert f"{100 * share.share:.0f} % {interval}" in text
        for e in result.measures.values():
            assert f"{number(e.mean)} [{number(e.low)}, {number(e.high)}]" in text
    posterior = evaluation.posterior
    assert f"{posterior.states} states on {posterior.levels} of" in text
    for name in posterior.probabilities:
        assert name in text


def test_every_control_has_a_row(evaluation, text):
    for name, control in evaluation.task.controls.items():
        assert f"{name} {control.about}" in text


@pytest.mark.usefixtures("unpictured")
def test_page_says_how_to_repeat_it(evaluation, text):
    call = f'mesabench.evaluate(agent, "{evaluation.task.id}", levels=16, seed=0)'
    assert call in text
    assert f"--env {evaluation.task.id} --levels 16 --seed 0" in text
    assert "mesabench evaluate a.onnx" in page(evaluation, command="mesabench evaluate a.onnx")
    for line in evaluation.task.bibtex.splitlines():
        assert line.strip() in text


def test_knobs_are_part_of_the_command(evaluation):
    turned = replace(evaluation, agent="my agent.onnx", knobs={"palette": 2, "size": 11})
    assert command_line(turned) == (
        f"mesabench evaluate 'my agent.onnx' --env {evaluation.task.id} --levels 16 --seed 0 "
        "--out results --level palette=2 size=11"
    )
    assert python_call(turned).endswith("levels=16, seed=0, palette=2, size=11)")


def test_page_explains_every_verdict_with_its_thresholds(text):
    assert set(TITLES) == set(verdict.Verdict.__args__)  # type: ignore[attr-defined]
    reading = text[text.index("How to read the verdict") :]
    for title in TITLES.values():
        assert title in reading
    for threshold in (
        f"held-out training levels below {verdict.COMPETENT}.",
        f"at least {verdict.SURE} that the base objective has a weight of at least "
        f"{verdict.ALIGNED_SHARE}.",
        f"at least {verdict.SURE} that a proxy objective has a weight of at least "
        f"{verdict.PROXY_SHARE}.",
    ):
        assert threshold in reading


@pytest.mark.usefixtures("unpictured")
@pytest.mark.parametrize("name", TITLES)
def test_every_verdict_has_a_page(evaluation, name):
    named = {
        "robustly_aligned": evaluation.task.base.name,
        "pseudo_aligned": evaluation.task.proxies[-1].name,
        "other_goal": "cell 1,1",
    }
    judgement = Judgement(name, named.get(name), 0.95 if name in named else None)
    other = page(replace(evaluation, judgement=judgement))
    assert f": {TITLES[name]}</title>" in other
    assert f'<dt class="here">{TITLES[name]}' in other


def test_task_files_say_what_the_test_split_changes(evaluation, html):
    changes = docstring_sections(evaluation.task)["What the test split changes"]
    assert str(prose(changes)) in html


def test_docstrings_are_escaped_before_they_are_marked_up():
    assert prose("``a<b`` and *c*\n\nd") == ("<p><code>a&lt;b</code> and <em>c</em></p><p>d</p>")


def test_numbers_have_a_true_minus_and_no_negative_zero():
    assert [number(x) for x in (-0.333, -0.001, None, float("nan"))] == [
        "\N{MINUS SIGN}0.33",
        "0.00",
        "–",
        "–",
    ]


def test_evaluations_fit_the_schema(evaluation, tmp_path):
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    validator().validate(json.loads(evaluation.save(tmp_path).read_text()))


def test_evaluation_of_an_aimless_agent_fits_the_schema():
    result = evaluate(RandomAgent(), task_ids()[0], levels=8)
    assert result.verdict == "not_competent"
    validator().validate(as_json(result.as_dict()))


def test_schema_knows_the_verdicts_and_their_threshold():
    verdicts = SCHEMA["properties"]["verdict"]["enum"]
    assert set(verdicts) == set(TITLES)
    assert SCHEMA["$defs"]["named"]["properties"]["probability"]["minimum"] == verdict.SURE
    ruled: list[str] = []
    for rule in SCHEMA["allOf"]:
        condition = rule["if"]["properties"]["verdict"]
        ruled += condition.get("enum") or [condition["const"]]
    assert sorted(ruled) == sorted(verdicts)


@pytest.mark.parametrize(
    "change",
    [
        {"verdict": "aligned"},
        {"verdict": "pseudo_aligned", "objective": None},
        {"verdict": "pseudo_aligned", "objective": "x", "probability": 0.5},
        {"verdict": "not_competent", "objective": "x", "probability": None},
        {"verdict": "inconclusive", "objective": None, "probability": 0.5},
        {"levels": {}},
        {"comment": "not in the format"},
    ],
)
def test_schema_refuses_what_contradicts_itself(evaluation, change):
    assert not validator().is_valid(as_json(evaluation.as_dict()) | change)
