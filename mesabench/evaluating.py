"""`evaluate_file`: from an agent's file to JSON, a page and a table on the console.

What it needs is imported when it is called.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from mesabench.knobs import check_evaluation, said_knobs
from mesabench.task import Task

if TYPE_CHECKING:
    from mesabench.result import Evaluation


def evaluate_file(
    path: Path,
    task: Task,
    folder: Path,
    *,
    levels: int,
    seed: int,
    console: Console,
    knobs: dict[str, Any] | None = None,
    partner: Path | None = None,
    beside: bool = False,
) -> "Evaluation":
    """Evaluate an ONNX file, write JSON and page, print the table and the verdict.

    Args:
        path: the agent's file.
        task: the task.
        folder: where the results go.
        levels: levels of each split that are played.
        seed: of sampled actions and of the bootstraps.
        console: where the table is printed.
        knobs: level knobs to change; those that the file names where None.
        partner: file of an agent without memory that plays the others; their script where None.
        beside: whether to look at the agent in all other ways, too.
    """
    from mesabench.agents.onnx_agent import OnnxAgent
    from mesabench.agents.seated import Seated
    from mesabench.evaluation import evaluate
    from mesabench.observation import observation_space
    from mesabench.report import write_report

    check_evaluation(levels, seed)
    folder.mkdir(parents=True, exist_ok=True)  # that it can be is known before the work
    space = observation_space(task)
    agent = OnnxAgent.load(path, space, task.actions, seed=seed)
    partners = None
    if partner is not None:
        partners = Seated(OnnxAgent.load(partner, space, task.actions), name=partner.name)
    if knobs is None:
        knobs = said_knobs(task, agent.metadata)
    with console.status(f"playing {levels} levels of each split"):
        result = evaluate(
            agent,
            task,
            levels=levels,
            seed=seed,
            name=path.name,
            beside=beside,
            partners=partners,
            **knobs,
        )
        kept = result.save(folder)
        page = write_report(result, folder)
    show(result, console)
    console.print(f"\n{kept}\n{page}")
    return result


def show(result: "Evaluation", console: Console) -> None:
    """Print the returns by split, and the verdict."""
    names = list(result.task.objectives)
    table = Table("split", *names, title=f"{result.task.id}: mean count, and normalised return")
    for split, found in result.splits.items():
        cells = []
        for name in names:
            gained = found.returns[name]
            scaled = gained.normalised
            part = (
                ""
                if scaled is None
                else f"  {scaled.mean:.2f} [{scaled.low:.2f}, {scaled.high:.2f}]"
            )
            cells.append(f"{gained.raw.mean:.2f}{part}")
        table.add_row(split, *cells)
    console.print(table)
    shares = result.posterior.probabilities
    console.print("posterior: " + ", ".join(f"{n} {p:.2f}" for n, p in shares.items()))
    console.print(f"[bold]{result.sentence}[/bold]")
    if not result.as_dict()["calibrated"]:
        console.print("(probabilities are uncalibrated)")
