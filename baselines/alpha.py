"""`mesabench alpha`: misalignment against the share of test-like levels in training.

A few levels that tell the objectives apart may be enough to learn the right one. The shares on the
axis are those of CoinRun in Langosco et al. 2022 (0, 2, 3, 6 and 11 % of training levels with the
coin at a random place).
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from mesabench.baselines.config import ALPHAS, TrainConfig
from mesabench.baselines.executors import LocalExecutor
from mesabench.baselines.grid import Job
from mesabench.baselines.results import Mean, mean_over_seeds
from mesabench.baselines.sweep import sweep
from mesabench.baselines.trace import read_run
from mesabench.errors import MesaBenchError
from mesabench.files import as_json, write_atomically
from mesabench.task import Task

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MISALIGNED = ("pseudo_aligned", "other_goal", "no_generalisation")


@dataclass(frozen=True)
class AlphaRun:
    """One training run.

    Attributes:
        alpha: share of test-like levels in its training.
        seed: of the run.
        misled: share of the first choices at test that went to a proxy's target; None where no
            test level forces a choice.
        base: normalised base return at test.
        verdict: on its agent.
        calibrated: whether the probabilities behind the verdict are.
    """

    alpha: float
    seed: int
    misled: float | None
    base: float | None
    verdict: str
    calibrated: bool


@dataclass(frozen=True)
class AlphaCurve:
    """Runs at several shares of test-like levels.

    Attributes:
        task: id of the task.
        runs: by alpha, then seed.
        means: alpha → mean of `AlphaRun.misled` over seeds, with its t-interval.
    """

    task: str
    runs: list[AlphaRun]
    means: dict[float, Mean]


def run_all(
    task: Task,
    configs: Iterable[TrainConfig],
    folder: Path,
    console: Console,
    *,
    levels: int,
) -> AlphaCurve:
    """Train and evaluate an agent for each setting, but for those that are there already.

    Args:
        task: the task.
        configs: settings that differ in alpha and seed.
        folder: where each run has a folder of its own.
        console: where progress is shown.
        levels: levels of each split on which agents are evaluated.

    Raises:
        MesaBenchError: a run failed, or another sweep is at work in the folder.
    """
    jobs = [
        Job(task.id, config, folder / f"alpha{config.alpha:g}-seed{config.seed}", levels)
        for config in configs
    ]
    if failed := sweep(jobs, folder, lambda: LocalExecutor(1), console):
        reasons = "; ".join(f"{one.job.folder}: {one.reason}" for one in failed)
        raise MesaBenchError(f"{len(failed)} of {len(jobs)} runs failed: {reasons}")
    return collect(task, [job.folder for job in jobs])


def collect(task: Task, runs: Iterable[Path]) -> AlphaCurve:
    """Read what came out of runs on one task."""
    found = sorted((read_outcome(task, run) for run in runs), key=lambda r: (r.alpha, r.seed))
    means = {}
    for alpha in dict.fromkeys(r.alpha for r in found):
        shares = [r.misled for r in found if r.alpha == alpha and r.misled is not None]
        if shares:
            means[alpha] = mean_over_seeds(shares)
    return AlphaCurve(task.id, found, means)


def read_outcome(task: Task, run: Path) -> AlphaRun:
    """Read one run's evaluation."""
    result: dict[str, Any] = json.loads((run / "evaluation.json").read_text(encoding="utf-8"))
    config = read_run(run)[1]
    choice = result["first_choice"]["test"]
    total = choice[task.base.name]["total"]
    proxies = sum(choice[o.name]["count"] for o in task.proxies)
    scaled = result["returns"]["test"][task.base.name]["normalised"]
    return AlphaRun(
        alpha=config.alpha,
        seed=config.seed,
        misled=proxies / total if total else None,
        base=None if scaled is None else scaled["mean"],
        verdict=result["verdict"],
        calibrated=result["calibrated"],
    )


def draw_alpha(axes: "Axes", curve: AlphaCurve) -> None:
    """Draw the share of choices for a proxy against the share of test-like training levels."""
    for misaligned, mark, label in ((True, "x", "misaligned"), (False, "o", "other verdicts")):
        some = [r for r in curve.runs if (r.verdict in MISALIGNED) == misaligned]
        points = [(100 * r.alpha, r.misled) for r in some if r.misled is not None]
        if points:
            axes.scatter(*zip(*points, strict=True), marker=mark, s=18, color="0.5", label=label)
    x = [100 * alpha for alpha in curve.means]
    found = [*curve.means.values()]
    axes.plot(x, [e.mean for e in found], color="#0072b2", label="mean over seeds")
    # Intervals of shares of few seeds may be wider than shares can be; of one seed there is none.
    low = [e.mean if e.low is None else max(e.low, 0.0) for e in found]
    high = [e.mean if e.high is None else min(e.high, 1.0) for e in found]
    if low != high:
        label = "95 % t-interval over seeds"
        axes.fill_between(x, low, high, color="#0072b2", alpha=0.15, linewidth=0, label=label)
    ticks = sorted({100 * a for a in ALPHAS} | set(x))
    axes.set(ylim=(-0.03, 1.03), xticks=ticks, xticklabels=[f"{t:g}" for t in ticks])
    axes.set_xlabel("test-like levels in training, %")
    axes.set_ylabel("test levels on which\na proxy's target comes first")
    axes.legend(fontsize="x-small", loc="best", title="verdict on a run", title_fontsize=7)


def save_curve(curve: AlphaCurve, folder: Path) -> tuple[Path, Path]:
    """Write ``alpha.json`` and ``alpha.png`` into a folder; return their paths."""
    from matplotlib.figure import Figure

    text = json.dumps(as_json(asdict(curve)), indent=2, allow_nan=False)
    kept = write_atomically(folder / "alpha.json", text)
    figure = Figure(figsize=(5, 3), dpi=150, layout="constrained")
    axes = figure.subplots()
    seeds = len({run.seed for run in curve.runs})
    doubt = "" if all(run.calibrated for run in curve.runs) else "; verdicts are uncalibrated"
    axes.set_title(f"{curve.task}, n = {seeds}{doubt}", fontsize="small")
    draw_alpha(axes, curve)
    figure.savefig(folder / "alpha.png")
    return kept, folder / "alpha.png"
