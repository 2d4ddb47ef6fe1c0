"""Along training and along alpha: what is read off runs is what the runs' own evaluations say."""

import dataclasses
import io
import itertools
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from mesabench.agents.onnx_agent import OnnxAgent
from mesabench.baselines import alpha
from mesabench.baselines.alpha import AlphaCurve, AlphaRun, collect, draw_alpha, run_all, save_curve
from mesabench.baselines.config import TrainConfig
from mesabench.baselines.results import Mean
from mesabench.baselines.snapshots import FOLDER, list_snapshots
from mesabench.baselines.trace import Trace, read_run, save_trace, snapshot_agents, trace_run
from mesabench.baselines.train import train
from mesabench.errors import MesaBenchError
from mesabench.evaluation import evaluate
from mesabench.observation import observation_space
from mesabench.registry import get_task

TASK = get_task("RedDoor-v0")
LEVELS = 16
TINY = TrainConfig(
    steps=1024,
    num_envs=16,
    rollout=32,
    lstm=8,
    hidden=8,
    checkpoint_every=512,
    threads=1,
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    train(TASK, TINY, folder, Console(file=io.StringIO()))
    return folder


@pytest.fixture(scope="module")
def traced(run: Path) -> list[Trace]:
    return list(trace_run(run, levels=LEVELS, judged=LEVELS))


def test_there_is_a_row_for_every_snapshot(run: Path, traced: list[Trace]) -> None:
    steps = [int(path.stem) for path in (run / FOLDER).glob("*.pt")]
    assert sorted(steps) == [0, 512, 1024]
    assert [p.steps for p in traced[-1].points] == sorted(steps)
    assert [len(t.points) for t in traced] == [1, 2, 3]
    for before, after in itertools.pairwise(traced):
        assert after.points[:-1] == before.points


def test_the_last_row_is_the_evaluation_of_the_run(run: Path, traced: list[Trace]) -> None:
    agent = OnnxAgent.load(run / "agent.onnx", observation_space(TASK), TASK.actions)
    result = evaluate(agent, TASK, levels=LEVELS, judged=LEVELS, **TINY.knobs(TASK.id))
    last = traced[-1].points[-1]
    for split in ("heldout", "test"):
        assert result.splits[split].returns[TASK.base.name].normalised == getattr(last, split)
    assert last.posterior == pytest.approx(result.posterior.probabilities)
    assert last.verdict == result.verdict


def test_a_trace_is_written_and_drawn(run: Path, traced: list[Trace]) -> None:
    kept, picture = save_trace(traced[-1], run)
    found = json.loads(kept.read_text())
    assert [p["steps"] for p in found["points"]] == [0, 512, 1024]
    assert sum(found["points"][-1]["posterior"].values()) == pytest.approx(1)
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_snapshots_of_other_settings_are_no_part_of_a_run(run: Path) -> None:
    task, config = read_run(run)
    assert (task.id, config) == (TASK.id, TINY)
    assert len(list_snapshots(run, TINY.fingerprint(TASK.id))) == 3
    other = dataclasses.replace(TINY, seed=1).fingerprint(TASK.id)
    with pytest.raises(MesaBenchError, match="no snapshots"):
        list_snapshots(run, other)


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MesaBenchError, match=r"no config\.json"):
        next(trace_run(tmp_path))
    about = {"env": TASK.id, "knobs": {}} | dataclasses.asdict(TINY)
    (tmp_path / "config.json").write_text(json.dumps(about))
    with pytest.raises(MesaBenchError, match="no snapshots"):
        next(trace_run(tmp_path))


def test_an_ensemble_has_its_snapshots_elsewhere(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "member-0")
    shutil.copy(run / "config.json", tmp_path)
    with pytest.raises(MesaBenchError, match=r"its members have: .*member-0"):
        next(trace_run(tmp_path))


@pytest.mark.parametrize("action", ["greedy", "sample"])
def test_snapshots_choose_as_the_runs_agent_does(action: Any, run: Path) -> None:
    files = list_snapshots(run, TINY.fingerprint(TASK.id))
    settings = dataclasses.replace(TINY, action=action)
    agents = [agent for agent, _ in snapshot_agents(TASK, settings, files)]
    assert [agent.metadata["action"] for agent in agents] == [action] * len(files)


def test_finished_runs_of_a_curve_are_not_trained_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configs = [dataclasses.replace(TINY, steps=512, alpha=0.5)]
    console = Console(file=io.StringIO())
    curve = run_all(TASK, configs, tmp_path, console, levels=LEVELS)
    assert [(r.alpha, r.seed) for r in curve.runs] == [(0.5, 0)]
    monkeypatch.setattr("mesabench.baselines.child.start", None)
    assert run_all(TASK, configs, tmp_path, console, levels=LEVELS) == curve
    with pytest.raises(TypeError):
        run_all(TASK, [TINY], tmp_path, console, levels=LEVELS)
    assert all(path.is_file() for path in save_curve(curve, tmp_path))


def test_a_curve_is_read_off_evaluations(tmp_path: Path) -> None:
    for seed, (door, red, nearest) in enumerate([(6, 3, 1), (2, 8, 0)]):
        run = tmp_path / str(seed)
        run.mkdir()
        config = dataclasses.replace(TINY, alpha=0.03, seed=seed)
        (run / "config.json").write_text(json.dumps({"env": TASK.id} | dataclasses.asdict(config)))
        counts = {"reach_door": door, "reach_red": red, "nearest_object": nearest}
        result = {
            "verdict": "pseudo_aligned",
            "calibrated": True,
            "first_choice": {"test": {n: {"count": c, "total": 10} for n, c in counts.items()}},
            "returns": {"test": {"reach_door": {"normalised": {"mean": 0.5}}}},
        }
        (run / "evaluation.json").write_text(json.dumps(result))
    curve = collect(TASK, tmp_path.iterdir())
    assert [r.misled for r in curve.runs] == [0.4, 0.8]
    mean = curve.means[0.03]
    assert mean.mean == pytest.approx(0.6)
    half = 12.7062 * 0.2  # Student's t of one degree of freedom, and the standard error
    assert (mean.low, mean.high) == pytest.approx((0.6 - half, 0.6 + half), abs=1e-4)


def test_the_curve_has_the_shares_of_the_literature_on_its_axis() -> None:
    from matplotlib.figure import Figure

    axes = Figure().subplots()
    runs = [
        AlphaRun(0.0, 0, 0.9, 0.1, "pseudo_aligned", calibrated=True),
        AlphaRun(0.06, 0, None, 0.9, "x", calibrated=True),
    ]
    draw_alpha(axes, AlphaCurve("RedDoor-v0", runs, {0.0: Mean(0.9, None, None)}))
    assert [t.get_text() for t in axes.get_xticklabels()] == ["0", "2", "3", "6", "11"]
    assert alpha.ALPHAS[0] == 0
