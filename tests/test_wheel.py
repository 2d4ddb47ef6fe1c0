"""The wheel: whole, and enough to play where there is no checkout."""

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

import mesabench

ROOT = Path(__file__).parent.parent
SOURCES = ("mesabench", "envs", "baselines", "leaderboard")
pytestmark = pytest.mark.slow

PLAY = """
import gymnasium as gym, mesabench, mesabench.baselines, mesabench.envs, sys
print(*[mesabench.get_task(name).id for name in mesabench.task_ids(None)])
env = gym.make("MesaBench/KeysChests-v0", split="test")
env.reset(seed=0)
print("image" in env.step(2)[0])
ours = {name: m for name, m in sys.modules.items() if name.partition(".")[0] == "mesabench"}
print(*{path for m in ours.values() for path in getattr(m, "__path__", [m.__file__])}, sep="\\n")
"""


def run(*command, **options):
    """Return what a command prints."""
    done = subprocess.run(command, capture_output=True, text=True, **options)
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Build the wheel from a copy, so that nothing old in the checkout can get into it."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in SOURCES:
        if (ROOT / name).exists():
            junk = shutil.ignore_patterns("__pycache__", "*.egg-info")
            shutil.copytree(ROOT / name, folder / "source" / name, ignore=junk)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder / "source")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir"]
    run(*command, folder / "dist", folder / "source")
    (found,) = (folder / "dist").glob("*.whl")
    return found


def test_wheel_holds_every_module_and_data_file(wheel):
    inside = set(zipfile.ZipFile(wheel).namelist())
    expected = {
        f"mesabench/{'' if name == 'mesabench' else f'{name}/'}{file.relative_to(ROOT / name)}"
        for name in SOURCES
        for file in (ROOT / name).rglob("*")
        if file.is_file() and file.suffix in {".py", ".html", ".json", ".typed", ".onnx", ".toml"}
    }
    assert {"mesabench/envs/keys_chests.py", "mesabench/py.typed"} <= expected
    assert expected <= inside, f"not in the wheel: {sorted(expected - inside)}"
    assert {name.partition("/")[0].partition("-")[0] for name in inside} == {"mesabench"}


def test_wheel_plays_outside_the_checkout(wheel, tmp_path):
    run(sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv")
    base = {"base": str(tmp_path / "venv"), "platbase": str(tmp_path / "venv")}
    site = Path(sysconfig.get_path("purelib", scheme="venv", vars=base))
    site.mkdir(parents=True, exist_ok=True)
    # The path gives the other packages; it leaves out the hook of an editable install, because
    # the files that set such hooks up are only read in site folders.
    packages = sysconfig.get_path("purelib")
    (site / "third_party.pth").write_text(packages)
    run(sys.executable, "-m", "pip", "install", "--no-deps", "--target", site, wheel)
    python = tmp_path / "venv" / "bin" / "python"
    environ = {name: v for name, v in os.environ.items() if name != "PYTHONPATH"}
    tasks, played, *paths = run(python, "-c", PLAY, cwd=tmp_path, env=environ).splitlines()
    assert set(mesabench.task_ids(None)) <= set(tasks.split())
    assert played == "True"
    assert len(paths) > 20
    assert [path for path in paths if not Path(path).is_relative_to(site)] == []
    usage = run(python, "-m", "mesabench.cli", "--help", cwd=tmp_path, env=environ)
    assert "Which objective did this trained agent learn?" in usage
