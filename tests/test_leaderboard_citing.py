"""Citing the suite and its tasks, snapshots, and the commands that write them."""

import hashlib
import json
import re
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml
from boards import TASKS
from leaderboard_entries import an_entry

from mesabench.cli import main
from mesabench.errors import MesaBenchError, TaskError
from mesabench.leaderboard.board import read_entries
from mesabench.leaderboard.cite import citation, sources, suite_bibtex
from mesabench.leaderboard.reading import write_entry
from mesabench.leaderboard.snapshots import freeze
from mesabench.leaderboard.tex import key_of, parse
from mesabench.registry import get_task, task_ids

ROOT = Path(__file__).parents[1]


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
