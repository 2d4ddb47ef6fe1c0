"""`mesabench trace`: what a run's agent pursued along its training, from its snapshots.

Proxies may be learnt first and the base objective later, or the other way round: the last agent
alone does not tell.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from mesabench.agents.export import export_sb3
from mesabench.agents.onnx_agent import OnnxAgent
from mesabench.agents.planned import RandomAgent
from mesabench.baselines.config import Settings
from mesabench.baselines.runs import read_settings
from mesabench.baselines.snapshots import list_snapshots, load_snapshot
from mesabench.evaluation import (
    JUDGED,
    RANDOM_SEED,
    STATE_LEVELS,
    infer_objective,
    score,
)
from mesabench.observation import observation_space
from mesabench.registry import get_objective_task
from mesabench.rollout import Rollout, cut, rollout
from mesabench.scorers.calibration import calibration
from mesabench.scorers.hypotheses import optimal_returns
from mesabench.scorers.returns import Estimate
from mesabench.scorers.verdict import judge
from mesabench.task import Task

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LEVELS = 256
SPLITS = ("heldout", "test")


@dataclass(frozen=True)
class Point:
    """What the agent did after so many steps of training.

    Attributes:
        steps: environment steps trained.
        heldout, test: normalised base return on the split, as in an evaluation.
        posterior: hypothesis → probability, as in an evaluation.
        verdict, objective, probability: the verdict on it.
    """

    steps: int
    heldout: Estimate
    test: Estimate
    posterior: dict[str, float]
    verdict: str
    objective: str | None
    probability: float | None


@dataclass(frozen=True)
class Trace:
    """A run's agent along its training.

    Attributes:
        task: id of the task.
        run: name of the run's folder.
        levels: levels of each split that each snapshot played.
        judged: how many of the test levels inverse RL looked at.
        seed: of the bootstraps.
        calibrated: whether the probabilities are.
        points: one for each snapshot, the earliest first.
    """

    task: str
    run: str
    levels: int
    judged: int
    seed: int
    calibrated: bool
    points: list[Point]


def read_run(run: Path) -> tuple[Task, Settings]:
    """Return the task and the settings of a training run.

    Raises:
        MesaBenchError: the folder holds no run, or one of a task about learning.
    """
    task_id, settings = read_settings(run)
    return get_objective_task(task_id), settings


def trace_run(run: Path, *, levels: int = LEVELS, judged: int = JUDGED) -> Iterator[Trace]:
    """Score the snapshots of a run, and yield the trace so far after each.

    Args:
        run: the run's folder.
        levels: levels of each split that each snapshot plays; at most `STATE_LEVELS` of a task
            that is planned on all states.
        judged: how many of the test levels inverse RL looks at.

    Raises:
        MesaBenchError: the folder holds no run, or no snapshots of one.
    """
    task, config = read_run(run)
    if task.planner == "states":
        levels = min(levels, STATE_LEVELS)
    files = list_snapshots(run, config.fingerprint(task.id))
    watcher = Watcher(task, config, levels, judged)
    points: list[Point] = []
    sure = calibration(task, config.knobs(task.id)).calibrated
    for agent, steps in snapshot_agents(task, config, files):
        points.append(watcher.watch(agent, steps))
        yield Trace(task.id, run.name, levels, judged, config.seed, sure, [*points])


def snapshot_agents(
    task: Task, config: Settings, files: list[Path]
) -> Iterator[tuple[OnnxAgent, int]]:
    """Yield the agent that each snapshot holds, exported as the run's own is, and its steps."""
    from mesabench.baselines.train import build_model, describe

    model = build_model(task, config)
    for file in files:
        steps = load_snapshot(model, file)
        with TemporaryDirectory() as folder:
            path = export_sb3(
                model,
                Path(folder) / "agent.onnx",
                metadata=describe(task, config),
                action=config.action,
            )
            yield OnnxAgent.load(path, observation_space(task), task.actions, config.seed), steps


class Watcher:
    """Scores agents on the same levels, as an evaluation does.

    Args:
        task: the task.
        config: settings of the run.
        levels: levels of each split.
        judged: how many of the test levels inverse RL looks at.
    """

    def __init__(self, task: Task, config: Settings, levels: int, judged: int):
        self.task, self.config, self.levels, self.judged = task, config, levels, judged
        self.knobs: dict[str, Any] = dict(config.knobs(task.id))
        chance = {s: self._play(RandomAgent(task.actions, RANDOM_SEED), s) for s in SPLITS}
        self._yardsticks = {s: (r, optimal_returns(r)[:, 0]) for s, r in chance.items()}

    def watch(self, agent: OnnxAgent, steps: int) -> Point:
        """Score an agent."""
        played = {split: self._play(agent, split) for split in SPLITS}
        gained = {split: self._normalised(r) for split, r in played.items()}
        posterior = infer_objective(cut(played["test"], self.judged))
        judgement = judge(self.task, gained["heldout"], posterior)
        return Point(
            steps=steps,
            heldout=gained["heldout"],
            test=gained["test"],
            posterior=posterior.probabilities,
            verdict=judgement.verdict,
            objective=judgement.objective,
            probability=judgement.probability,
        )

    def _play(self, agent: Any, split: str) -> Rollout:
        return rollout(agent, self.task, split, self.levels, **self.knobs)

    def _normalised(self, played: Rollout) -> Estimate:
        chance, optimum = self._yardsticks[played.split]
        found = score(played, chance, self.task.base, optimum, self.config.seed).normalised
        return found or Estimate(float("nan"), float("nan"), float("nan"))


def draw_trace(returns: "Axes", posterior: "Axes", trace: Trace) -> None:
    """Draw base returns along training on one pair of axes, the posterior on another."""
    from mesabench.pictures import COLOURS

    steps = [p.steps / 1000 for p in trace.points]
    inks = [tuple(c / 255 for c in colour) for colour in COLOURS]
    for split, ink in (("heldout", "0.35"), ("test", inks[0])):
        found: list[Estimate] = [getattr(p, split) for p in trace.points]
        returns.plot(steps, [e.mean for e in found], "o-", color=ink, markersize=3, label=split)
        band = [e.low for e in found], [e.high for e in found]
        returns.fill_between(steps, *band, color=ink, alpha=0.15, linewidth=0)
    returns.axhline(0, color="0.8", linewidth=0.6)
    returns.axhline(1, color="0.8", linewidth=0.6)
    returns.set(ylabel="base return\n(random 0, planner 1)")
    returns.legend(fontsize="x-small", loc="upper left", bbox_to_anchor=(1.01, 1))
    names = list(trace.points[0].posterior)
    rest = {"other_goal": "0.5", "no_objective": "0.75"}
    colours = iter(inks)
    for name in names:
        ink = rest.get(name) or next(colours, "black")
        style = "--" if name in rest else "-"
        shares = [p.posterior[name] for p in trace.points]
        posterior.plot(steps, shares, "o" + style, color=ink, markersize=3, label=name)
    posterior.set(ylim=(-0.02, 1.02), ylabel="posterior", xlabel="steps of training, thousands")
    posterior.legend(fontsize="x-small", loc="upper left", bbox_to_anchor=(1.01, 1))


def save_trace(trace: Trace, run: Path) -> tuple[Path, Path]:
    """Write ``trace.json`` and ``trace.png`` into a run's folder; return their paths."""
    from matplotlib.figure import Figure

    from mesabench.files import as_json, write_atomically

    text = json.dumps(as_json(asdict(trace)), indent=2, allow_nan=False)
    kept = write_atomically(run / "trace.json", text)
    figure = Figure(figsize=(6.4, 5.2), dpi=150, layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True)
    doubt = "" if trace.calibrated else " (probabilities are uncalibrated)"
    upper.set_title(f"{trace.task}, {trace.run}{doubt}", fontsize="small")
    draw_trace(upper, lower, trace)
    figure.savefig(run / "trace.png")
    return kept, run / "trace.png"
