"""The README says what is there: every task, runnable Python, the commands that CI runs."""

import re
from pathlib import Path

import mesabench
from mesabench.baselines.results_page import made_anew, records_beside

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_table_of_environments_is_the_registry():
    assert set(re.findall(r"^\| `MesaBench/([\w-]+)`", README, re.MULTILINE)) == set(
        mesabench.task_ids(None)
    )


def test_pictures_and_files_that_the_readme_names_exist():
    for path in re.findall(r"!\[[^]]*\]\(([^)]+)\)", README):
        assert (ROOT / path).read_bytes()[:4] == b"\x89PNG"
    assert (ROOT / "tests/plugin").is_dir()


def test_results_are_what_the_records_make():
    page = ROOT / "README.md"
    assert made_anew(page, records_beside(page)) == README


def test_the_ten_lines_of_python_run(capsys):
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    exec(compile(code, "README.md", "exec"), {})
    assert "Not competent" in capsys.readouterr().out


def test_the_public_face_is_what_the_readme_teaches():
    for name in mesabench.__all__:
        assert name in README, f"mesabench.{name} is exported and not in the README"
        assert getattr(mesabench, name) is not None
