"""The registry: what it refuses, what it leaves unimported, and packages that extend it."""

import inspect
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest

import mesabench
from mesabench.engine.batch import Engine
from mesabench.errors import LevelError, TaskError
from mesabench.gym_env import MesaEnv
from mesabench.registry import get_task
from mesabench.rollout import rollout
from mesabench.task import Control, Objective, knob_ranges

ROOT = Path(__file__).parent.parent
SIZES = "goes from 3 to 99 in steps of 2, not"


@pytest.fixture(params=mesabench.task_ids(None))
def task(request):
    return get_task(request.param)


def run(code, *, cwd, **env):
    """Return what a fresh process prints that runs `code`."""
    environ = os.environ | {name: str(value) for name, value in env.items()}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=cwd, env=environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


# --- names ----------------------------------------------------------------------------------------


def test_what_is_imported_late_can_be_found_by_completion():
    assert {*mesabench.__all__} <= {*dir(mesabench)}


def test_unknown_task_names_the_nearest():
    with pytest.raises(
        TaskError, match=r"unknown task 'KeyChests-v0'.*did you mean 'KeysChests-v0'"
    ):
        get_task("KeyChests-v0")


def test_unknown_split_and_objective_name_the_valid_ones(task):
    with pytest.raises(TaskError, match=r"unknown split 'tset'; choose train, .*mean 'test'\?"):
        gym.make(f"MesaBench/{task.id}", split="tset")
    for name in task.objectives:
        slip = name[:-1]
        with pytest.raises(TaskError, match=f"unknown objective '{slip}'.*mean '{name}'"):
            task.objective(slip)


def test_unknown_knob_names_the_nearest(task):
    for name in task.train._fields:
        with pytest.raises(LevelError, match=f"unknown level knob '{name}x'.*mean '{name}'"):
            make(task.id, **{f"{name}x": 1})


def test_full_and_short_ids_are_the_same_task(task):
    assert get_task(f"MesaBench/{task.id}") is task


# --- levels that cannot be ------------------------------------------------------------------------


def make(task_id, **options: Any):
    return gym.make(f"MesaBench/{task_id}", **options)


def test_knobs_out_of_range_name_the_nearest_values(task):
    for name, allowed in knob_ranges(type(task.train)).items():
        for value, nearest in [
            (allowed[0] - 1, allowed[0]),
            (allowed[-1] + allowed.step, allowed[-1]),
        ]:
            with pytest.raises(
                LevelError, match=f"knob '{name}'.* not {value}; nearest: {nearest}$"
            ):
                make(task.id, **{name: value})


@pytest.mark.parametrize(("size", "nearest"), [(8, "7 or 9"), (2, "3"), (-9, "3"), (100, "99")])
def test_size_of_a_maze_is_odd(size, nearest):
    with pytest.raises(LevelError, match=f"knob 'size' {SIZES} {size}; nearest: {nearest}$"):
        gym.make("MesaBench/KeysChests-v0", size=size)


@pytest.mark.parametrize("value", [2.5, "many", None])
def test_knobs_are_whole_numbers(task, value):
    name = task.train._fields[1]
    with pytest.raises(LevelError, match=f"knob '{name}' takes a whole number, not {value!r}"):
        make(task.id, **{name: value})


@pytest.mark.parametrize(
    ("task_id", "knobs"),
    [("KeysChests-v0", {"chests": 200}), ("RedDoor-v0", {"others": 200})],
)
def test_more_things_than_cells_are_refused_at_once(task_id, knobs):
    with pytest.raises(LevelError, match="cannot be built: no room for all things"):
        gym.make(f"MesaBench/{task_id}", **knobs)


def test_level_without_room_is_refused_in_the_middle_of_a_run():
    # A maze with half its dead ends opened has room for this many things about every second time.
    task = get_task("KeysChests-v0")
    knobs = {"keys": 15, "chests": 7, "balls": 4, "braid": 50}
    for seed in range(20):
        try:
            engine = Engine(task, batch=1, seed=seed, knobs=knobs)
        except LevelError:
            continue
        with pytest.raises(LevelError, match=r"level \d+ cannot be built"):
            turn_about(engine, steps=40 * task.horizon)
        return
    pytest.fail("no level could be built")


def turn_about(engine, steps):
    for _ in range(steps):
        engine.step([0])


@pytest.mark.parametrize("options", [{"alpha": 1.5}, {"alpha": -0.1}, {"num_levels": 0}])
def test_shares_and_numbers_of_levels_have_ranges(task, options):
    with pytest.raises(LevelError, match=next(iter(options))):
        make(task.id, **options)


# --- imports --------------------------------------------------------------------------------------


def test_import_is_light(tmp_path):
    heavy = ["torch", "matplotlib", "stable_baselines3", "numba", "onnxruntime", "pandas", "scipy"]
    code = f"import mesabench, sys; print([m for m in {heavy} if m in sys.modules])"
    assert run(code, cwd=tmp_path) == "[]\n"


@pytest.mark.parametrize(
    "line", ["import envs", "from envs.red_door import RED_DOOR", "import baselines"]
)
def test_root_folders_must_not_be_imported(line):
    command = [sys.executable, "-m", "ruff", "check", "--select", "TID251", "-"]
    done = subprocess.run(
        [*command, "--stdin-filename", "mesabench/snippet.py"],
        input=f"{line}\n",
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "import mesabench." in done.stdout


# --- compiled once --------------------------------------------------------------------------------

PLAY_AND_COUNT = """
import json, sys
import gymnasium as gym, mesabench
from numba.core.dispatcher import Dispatcher
for task in mesabench.task_ids(None):
    env = gym.make_vec(f"MesaBench/{task}", num_envs=2)
    env.reset(seed=0)
    for _ in range(3):
        env.step(env.action_space.sample())
kernels = {
    id(kernel): kernel
    for module in list(sys.modules.values())
    for kernel in vars(module).values()
    if isinstance(kernel, Dispatcher)
}.values()
hits = sum(sum(kernel.stats.cache_hits.values()) for kernel in kernels)
missed = sorted(k.py_func.__qualname__ for k in kernels if sum(k.stats.cache_misses.values()))
print(json.dumps([mesabench.task_ids(None), hits, missed]))
"""


@pytest.fixture(scope="session")
def plugin(tmp_path_factory):
    """Install the third-party package of tests/plugin; return the folder it lies in."""
    folder = tmp_path_factory.mktemp("plugin")
    source = shutil.copytree(ROOT / "tests" / "plugin", folder / "source")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
    command += ["--no-build-isolation", "--disable-pip-version-check"]
    done = subprocess.run(
        [*command, "--target", folder / "site", source], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return folder / "site"


@pytest.mark.slow
def test_second_process_compiles_nothing(plugin, tmp_path):
    for folder in ("here", "there"):
        (tmp_path / folder).mkdir()
    first = run(PLAY_AND_COUNT, cwd=tmp_path / "here", PYTHONPATH=plugin)
    assert "advance" in json.loads(first)[2], "what was installed just now has to be compiled"
    second = run(PLAY_AND_COUNT, cwd=tmp_path / "there", PYTHONPATH=plugin)
    ids, hits, missed = json.loads(second)
    assert ids == sorted([*mesabench.task_ids(None), "CoinRoom-v0"])
    assert missed == []
    assert hits >= len(ids)


# --- somebody else's package ----------------------------------------------------------------------


def test_plugins_task_is_played(plugin, tmp_path):
    code = """
import gymnasium as gym
env = gym.make("mesabench:MesaBench/CoinRoom-v0")
env.reset(options={"ascii": "######\\n##>0Ay\\n######"})
print(*env.step(2)[1:3])
"""
    assert run(code, cwd=tmp_path, PYTHONPATH=plugin) == "1.0 True\n"


def test_plugins_command_is_found(plugin, tmp_path):
    pytest.importorskip("mesabench.cli")
    code = "from mesabench.cli import main; main({})"
    assert "Toss a coin" in run(code.format(["--help"]), cwd=tmp_path, PYTHONPATH=plugin)
    toss = run(code.format(["toss", "--seed", "1"]), cwd=tmp_path, PYTHONPATH=plugin)
    assert toss in ("heads\n", "tails\n")


# --- tasks that are declared wrongly --------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"discount": 1.0}, "discounts are above 0 and below 1"),
        ({"emits": ("bang",), "base": Objective("bangs", {"bang": 1.0})}, "needs planner='states'"),
        ({"base": Objective("soon", {"chest": 1.0}, discount=0.5)}, "own discount needs planner"),
        (
            {
                "controls": {
                    "odd": Control(get_task("KeysChests-v0").train, "", audit=("solvabel",))
                }
            },
            "unknown audit line 'solvabel'.*mean 'solvable'",
        ),
    ],
)
def test_a_declaration_that_cannot_be_meant_is_refused(changes, message):
    with pytest.raises(TaskError, match=message):
        replace(get_task("KeysChests-v0"), **changes)


def test_alpha_mixes_levels_of_one_size():
    task = get_task("KeysChests-v0")
    larger = replace(task, test=task.test._replace(size=11))
    with pytest.raises(LevelError, match="alpha mixes levels of one size, not 9 and 11"):
        Engine(larger, alpha=0.5)


@pytest.mark.parametrize("task_id", mesabench.task_ids(None))
def test_no_knob_is_called_what_something_else_is_called(task_id):
    """Knobs are handed over by name beside the arguments of these."""
    takers = (mesabench.evaluate, mesabench.profile, rollout, MesaEnv)
    taken = {name for taker in takers for name in inspect.signature(taker).parameters}
    assert not taken & set(mesabench.get_task(task_id).train._fields)
