"""The gallery: committed, and what the registry and the audit say now."""

from pathlib import Path

import pytest

import mesabench
from mesabench.fingerprint import fingerprint
from mesabench.gallery import page, read_figures
from mesabench.registry import get_task

ENVS = Path(__file__).parent.parent / "envs"
STALE = "the gallery is stale: run `mesabench gallery`"


@pytest.mark.parametrize("task_id", mesabench.task_ids())
def test_figures_are_those_of_the_levels_and_objectives_as_they_are(task_id):
    figures = read_figures(ENVS).get(task_id)
    assert figures is not None, STALE
    assert figures["fingerprint"] == fingerprint(get_task(task_id)), STALE
    assert figures["passed"]
    assert figures["levels"] >= 512


def test_page_is_what_the_figures_and_tasks_say():
    assert (ENVS / "README.md").read_text(encoding="utf-8") == page(read_figures(ENVS)), STALE


@pytest.mark.parametrize("task_id", mesabench.task_ids())
def test_every_task_has_its_pictures(task_id):
    for split in ("train", "test"):
        picture = ENVS / "pictures" / task_id / f"{split}.png"
        assert picture.read_bytes()[:4] == b"\x89PNG", STALE


def test_no_task_is_shown_that_is_not_there():
    assert set(read_figures(ENVS)) == set(mesabench.task_ids())
    assert {p.name for p in (ENVS / "pictures").iterdir()} == set(mesabench.task_ids())
