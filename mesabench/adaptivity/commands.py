"""`mesabench evaluate` on the learning track. What it needs is imported when it is called."""

from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from mesabench.knobs import check_evaluation

if TYPE_CHECKING:
    from mesabench.adaptivity.profile import Profile
    from mesabench.task import Task


def profile_file(path: Path, task: "Task", folder: Path, *, levels: int, seed: int) -> "Profile":
    """Profile how an ONNX file learns within an episode; write JSON and page, print the marks.

    Args:
        path: the agent's file.
        task: a task with trials.
        folder: where the results go.
        levels: levels of each split that are played.
        seed: of sampled actions, controls and bootstraps.
    """
    from mesabench.adaptivity.evaluating import evaluate_learning
    from mesabench.agents.onnx_agent import OnnxAgent
    from mesabench.observation import observation_space

    check_evaluation(levels, seed)
    folder.mkdir(parents=True, exist_ok=True)  # that it can be is known before the work
    console = Console()
    agent = OnnxAgent.load(path, observation_space(task), task.actions, seed=seed)
    found = evaluate_learning(
        agent,
        task,
        folder,
        levels=levels,
        seed=seed,
        console=console,
        name=path.name,
        command=f"mesabench evaluate {path.name} --env {task.id} --levels {levels} --seed {seed}",
    )
    for statement in found.statements[1:]:
        console.print(statement, markup=False, highlight=False)
    table = Table("mark", "found", "asked", "passed")
    for mark in found.passes:
        shown = mark.found
        figure = f"{shown.mean:.2f} [{shown.low:.2f}, {shown.high:.2f}]"
        table.add_row(mark.line, figure, mark.asked, "yes" if mark.passed else "[red]no[/red]")
    console.print(table)
    console.print(f"\n{folder / 'evaluation.json'}\n{folder / 'report.html'}")
    return found
