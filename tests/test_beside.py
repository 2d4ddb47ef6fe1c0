"""What stands beside a verdict is there, fits the schema and the page, and changes nothing."""

import json
from importlib.resources import files

import jsonschema
import pytest

from mesabench.agents.planned import PlannedAgent
from mesabench.beside.looks import WORST
from mesabench.evaluation import evaluate
from mesabench.files import as_json
from mesabench.panels import panels
from mesabench.registry import get_task
from mesabench.report import page

SCHEMA = json.loads(files("mesabench").joinpath("evaluation.schema.json").read_text("utf-8"))


@pytest.mark.parametrize("task_id", ["CheeseDish-v0", "DeceptiveToy-v0"])
def test_the_verdict_is_the_same_with_and_without_what_stands_beside_it(task_id: str) -> None:
    task = get_task(task_id)
    proxy = task.proxies[0].name

    def judged(*, beside: bool):
        agent = PlannedAgent(task, {proxy: 1.0}, lapse=0.05, seed=1)
        return evaluate(agent, task, levels=24, judged=24, beside=beside)

    brief, whole = judged(beside=False), judged(beside=True)
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


def test_a_planned_proxy_agent_fails_competently() -> None:
    task = get_task("CheeseDish-v0")
    agent = PlannedAgent(task, {"reach_dish": 1.0}, seed=1)
    found = evaluate(agent, task, levels=24, judged=24, beside=True).beside
    assert found is not None
    assert found.competence.agent.competent.share == 1.0
    rows = {row.objective: row for row in found.comparison}
    assert rows["reach_dish"].posterior > 0.9
    assert rows["reach_dish"].decisions.share > rows["reach_cheese"].decisions.share
