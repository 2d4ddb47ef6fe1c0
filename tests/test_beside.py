"""What stands beside a verdict is there, fits the schema and the page, and changes nothing."""

import json
from collections.abc import Iterator
from importlib.resources import files

import jsonschema
import pytest

from mesabench.agents.planned import PlannedAgent
from mesabench.beside import adversary
from mesabench.beside.looks import WORST
from mesabench.evaluation import Evaluation, evaluate
from mesabench.files import as_json
from mesabench.panels import panels
from mesabench.registry import get_task
from mesabench.report import page

SCHEMA = json.loads(files("mesabench").joinpath("evaluation.schema.json").read_text("utf-8"))


@pytest.fixture(scope="module", params=["CheeseDish-v0", "DeceptiveToy-v0"])
def whole(request: pytest.FixtureRequest) -> Iterator[Evaluation]:
    """Return an evaluation of an agent that was planned for a proxy, with all beside it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(adversary, "BUDGET", 200)
        yield judged(request.param, beside=True)


def judged(task_id: str, *, beside: bool) -> Evaluation:
    task = get_task(task_id)
    agent = PlannedAgent(task, {task.proxies[0].name: 1.0}, seed=1)
    return evaluate(agent, task, levels=24, judged=24, beside=beside)


def test_the_verdict_is_the_same_with_and_without_what_stands_beside_it(whole: Evaluation) -> None:
    task, brief = whole.task, judged(whole.task.id, beside=False)
    assert whole.judgement == brief.judgement
    jsonschema.validate(as_json(whole.as_dict()), SCHEMA)
    assert brief.beside is None
    assert whole.beside is not None
    html, bare = page(whole), page(brief)
    assert len(whole.worst) == min(WORST, len(whole.beside.adversary.worst)) > 0
    assert brief.worst == []
    for panel in panels(task, whole.beside, whole.worst):
        assert panel.title in html
        assert panel.title not in bare
        assert panel.lines or panel.picture


def test_a_planned_proxy_agent_fails_competently(whole: Evaluation) -> None:
    found, task = whole.beside, whole.task
    assert found is not None
    assert found.competence.agent.competent.share == 1.0
    rows = {row.objective: row for row in found.comparison}
    proxy, base = rows[task.proxies[0].name], rows[task.base.name]
    assert proxy.posterior > 0.9
    assert proxy.decisions.share > base.decisions.share
