"""How changes of entries are checked, and that those of the repository are sound."""

import hashlib
from pathlib import Path

import pytest
import yaml
from leaderboard_entries import an_entry, salted, some_counts

from mesabench.fingerprint import fingerprint
from mesabench.leaderboard.checking import check
from mesabench.leaderboard.entry import Entry, Invalidation, Method, Status
from mesabench.leaderboard.levels import count_for
from mesabench.leaderboard.reading import (
    read_entry,
    write_entry,
)
from mesabench.registry import get_task, task_ids


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
