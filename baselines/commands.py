"""The commands `mesabench train`, `run`, `organisms`, `trace` and `alpha`.

What they need is imported when they are called, so that `mesabench --help` is there at once.
"""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console

from mesabench.baselines.choice import ByAlgorithm
from mesabench.baselines.config import ALPHAS, LONGEST, QUICK_STEPS, Settings, TrainConfig
from mesabench.baselines.grid import TIER_A
from mesabench.baselines.locks import hold_run
from mesabench.baselines.runs import refuse_others
from mesabench.errors import MesaBenchError, unknown
from mesabench.knobs import check_evaluation
from mesabench.registry import get_objective_task, get_task

QUICK_LEVELS = 256


@ByAlgorithm
def train(
    env: Annotated[str, tyro.conf.Positional],
    /,
    *,
    config: Settings = TrainConfig(),  # noqa: B008
    out: Path | None = None,
) -> None:
    """Train an agent on a task; the same command resumes a run that was stopped.

    It goes on from its last update (when it was killed: from its last checkpoint) and ends with the
    agent of a run that was never stopped; where a replay buffer is lost (qrdqn), with another one.
    With more --steps a finished run goes on likewise, at the rates of the longer training. Settings
    that are not given are those of baselines/configs/<task>.yaml, where there are any.

    Args:
        env: id of the task.
        config: settings of the training.
        out: folder of the run; runs/<task>/<algorithm>-seed<seed> where it is not given.
    """
    from mesabench.baselines.train import default_folder
    from mesabench.baselines.train import train as train_agent

    console, task = Console(), get_task(env)
    folder = out or default_folder(task, config)
    refuse_others(folder, task.id, config)
    with hold_run(folder):
        agent = train_agent(task, config, folder, console)
    console.print(f"agent: {agent}")


@ByAlgorithm
def run(
    env: Annotated[str, tyro.conf.Positional],
    /,
    *,
    config: Settings = TrainConfig(),  # noqa: B008
    out: Path | None = None,
    quick: bool = False,
    levels: int = 1024,
) -> None:
    """Train an agent, export it, evaluate it on all splits and write the page with its verdict.

    The same command resumes a run that was stopped, as that of `mesabench train` does. Settings
    that are not given are those of baselines/configs/<task>.yaml, where there are any.

    Args:
        env: id of the task.
        config: settings of the training.
        out: folder of the run; runs/<task>/<algorithm>-seed<seed> where it is not given.
        quick: a shorter training and fewer levels, about two minutes on two cores in all.
        levels: levels of each split that are played.
    """
    from mesabench.adaptivity.commands import profile_file
    from mesabench.baselines.train import default_folder
    from mesabench.baselines.train import train as train_agent
    from mesabench.evaluating import evaluate_file

    check_evaluation(levels)
    console, task = Console(), get_task(env)
    if quick:
        config = replace(config, steps=min(config.steps, QUICK_STEPS))
        levels = min(levels, QUICK_LEVELS)
    folder = out or default_folder(task, config).with_name(
        default_folder(task, config).name + ("-quick" if quick else "")
    )
    refuse_others(folder, task.id, config)
    with hold_run(folder):
        agent = train_agent(task, config, folder, console)
        if task.trials is not None:
            profile_file(agent, task, folder, levels=levels, seed=config.seed)
        else:
            evaluate_file(agent, task, folder, levels=levels, seed=config.seed, console=console)


def organisms(
    tasks: Annotated[tuple[str, ...], tyro.conf.Positional] = (),
    /,
    recipe: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME...")] = (),
    objective: str | None = None,
    longest: int = LONGEST,
    runs: Path = Path("runs/organisms"),
    out: Path | None = None,
) -> None:
    """Raise the trained model organisms that are missing: train, examine by returns, keep.

    The same command goes on where a stopped one was.

    Args:
        tasks: ids of tasks; those of tier A where none is given.
        recipe: names of the settings; all of them where none is given.
        objective: only the organisms trained on this objective.
        longest: environment steps of the longest training; shorter ones are doubled up to there
            while an organism has not learnt its objective.
        runs: folder of the training runs.
        out: folder of the manifest and the agents; the package's own where it is not given.
    """
    from mesabench.baselines import raising
    from mesabench.baselines.organisms import FOLDER

    for name in recipe:
        if name not in raising.RECIPES:
            raise MesaBenchError(unknown("recipe", name, raising.RECIPES))
    nursery = raising.Nursery(runs, out or FOLDER, longest, Console())
    wanted = [get_objective_task(name) for name in tasks or TIER_A]
    recipes = [*(recipe or raising.RECIPES)]
    for missing in raising.outstanding(wanted, recipes, objective, nursery):
        raising.raise_organism(*missing, nursery)


def trace(
    folder: Annotated[Path, tyro.conf.Positional],
    /,
    levels: int = 256,
    judged: int = 128,
) -> None:
    """Score every snapshot of a training run; write trace.json and trace.png into its folder.

    Args:
        folder: the run's folder.
        levels: levels of each split that each snapshot plays.
        judged: how many of the test levels inverse RL looks at.
    """
    from mesabench.baselines.trace import save_trace, trace_run

    console, paths = Console(), tuple[Path, ...]()
    for found in trace_run(folder, levels=levels, judged=judged):
        point, paths = found.points[-1], save_trace(found, folder)
        goal = f": {point.objective}" if point.objective else ""
        console.print(
            f"step {point.steps:>10,}  held-out {point.heldout.mean:5.2f}  "
            f"test {point.test.mean:5.2f}  {point.verdict}{goal}"
        )
    console.print("\n".join(map(str, paths)))


def alpha(
    env: Annotated[str, tyro.conf.Positional],
    /,
    alphas: tuple[float, ...] = ALPHAS,
    seeds: int = 3,
    steps: int = 1_000_000,
    levels: int = 256,
    threads: int = 2,
    out: Path | None = None,
) -> None:
    """Train with several shares of test-like levels; draw misalignment against the share.

    The same command goes on where a stopped one was.

    Args:
        env: id of the task.
        alphas: shares of test-like levels.
        seeds: runs for each share.
        steps: environment steps of each run.
        levels: levels of each split on which agents are evaluated.
        threads: threads of torch.
        out: folder of the runs; runs/alpha/<task> where it is not given.
    """
    from mesabench.baselines.alpha import run_all, save_curve

    check_evaluation(levels)
    if seeds < 1:
        raise MesaBenchError(f"a curve has 1 seed or more, not {seeds}")
    task, console = get_objective_task(env), Console()
    folder = out or Path("runs") / "alpha" / task.id
    configs = [
        TrainConfig(steps=steps, seed=seed, alpha=share, threads=threads)
        for share in alphas
        for seed in range(seeds)
    ]
    curve = run_all(task, configs, folder, console, levels=levels)
    console.print("\n".join(map(str, save_curve(curve, folder))))
