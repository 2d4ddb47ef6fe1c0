"""The commands `mesabench submit`, `verify`, `audit-levels` and `check-entries`.

What they need is imported when they are called, so that `mesabench --help` is there at once and
works without the packages of the extra `leaderboard`.
"""

import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from mesabench.errors import MesaBenchError

if TYPE_CHECKING:
    from mesabench.leaderboard.entry import Entry
    from mesabench.leaderboard.sandbox import Answer
    from mesabench.leaderboard.verify import Comparison, Verification

Positional = tyro.conf.Positional
EXTRA = ("pydantic", "yaml")


def needs_extra(command: Callable[..., None]) -> Callable[..., None]:
    """Say what to install where the packages of the extra `leaderboard` are missing."""

    @wraps(command)
    def wrapped(*args: Any, **options: Any) -> None:
        try:
            command(*args, **options)
        except ModuleNotFoundError as error:
            if error.name == "resource":
                raise MesaBenchError("the sandbox needs Linux or macOS") from error
            if error.name not in EXTRA:
                raise
            raise MesaBenchError(
                f"the leaderboard needs {error.name}: pip install 'mesabench[leaderboard]'"
            ) from error

    return wrapped


@needs_extra
def submit(
    agents: Annotated[Path | None, Positional] = None,
    /,
    method: Path | None = None,
    only: str = "*",
    out: Path = Path("leaderboard/entries"),
    levels: int = 1000,
    jobs: int = 2,
    template: bool = False,
) -> None:
    """Evaluate a method's agents, each in a sandbox, and write its leaderboard entry.

    Agents are ONNX files, <task id>/<agent>-<seed>.onnx or <task id>/<run>-<seed>/agent.onnx. The
    exit status is 1 where one of them could not be evaluated; the entry says why.

    Args:
        agents: folder with one folder for each task.
        method: YAML file that says what the method is.
        only: pattern of the names of runs, where the folder holds other methods' agents, too.
        out: folder for the entry.
        levels: levels of each split that are played; 256 of tasks that take long to plan.
        jobs: how many agents are evaluated at the same time.
        template: print a method file to fill in, and do nothing else.
    """
    from mesabench.leaderboard.method import TEMPLATE
    from mesabench.leaderboard.reading import write_entry
    from mesabench.leaderboard.submit import submit as evaluate_method

    if template:
        print(TEMPLATE.read_text(encoding="utf-8"), end="")
        return
    if agents is None or method is None:
        raise MesaBenchError(
            "expected a folder of agents and --method my.yaml; "
            "mesabench submit --template > my.yaml writes one to fill in"
        )
    console = Console()
    with Counting(console) as count:
        found = evaluate_method(agents, method, only=only, levels=levels, workers=jobs, tell=count)
    path = write_entry(found.entry, out)
    show_entry(found.entry, console)
    console.print(f"confined by: {', '.join(found.held) or 'nothing'}")
    console.print(f"\n{path}\nNext: a pull request with this file; see CONTRIBUTING.md")
    if found.entry.failed:
        sys.exit(1)


@needs_extra
def verify(
    entry: Annotated[Path, Positional],
    /,
    salt: str | None = None,
    agents: tuple[Path, ...] = (),
    write: bool = False,
    by: str = "maintainers",
    jobs: int = 2,
) -> None:
    """Evaluate an entry's agents again, and say whether its figures hold.

    Without a salt the entry's own levels are played again. The exit status is 1 where the figures
    do not hold.

    Args:
        entry: the entry's file.
        salt: text chosen after the entry was submitted, which makes the levels other ones; "random"
            draws one.
        agents: folders (or files) with the agents; they are told by their hashes.
        write: add the salted run, and what came of it, to the entry.
        by: who did it, for the entry's provenance.
        jobs: how many agents are evaluated at the same time.
    """
    from mesabench.leaderboard.reading import read_entry, write_entry
    from mesabench.leaderboard.recording import fresh_salt, recorded
    from mesabench.leaderboard.verify import verify as evaluate_again

    if write and salt is None:
        raise MesaBenchError("--write records a salted run: add --salt random, or one of your own")
    salt = fresh_salt() if salt == "random" else salt
    console, known = Console(), read_entry(entry)
    with Counting(console) as count:
        found = evaluate_again(known, agents, salt=salt, workers=jobs, tell=count)
    show_verification(found, salt, console)
    if write and salt is not None:
        console.print(str(write_entry(recorded(found, salt, by), entry.parent)))
    if not found.agrees:
        sys.exit(1)


@needs_extra
def audit_levels(
    run: Annotated[Path, Positional],
    /,
    env: str,
    levels: int = 10_000,
) -> None:
    """Compare the layouts that a training run logged with those of the test split.

    A layout is the hash that every `info` of an environment holds under "layout". Logs are files
    with one hash a line, or CSV files with a column "layout", as Stable-Baselines3's VecMonitor
    writes with info_keywords=("layout",). The exit status is 1 where there are common ones.

    Args:
        run: a log, or a folder with logs.
        env: id of the task.
        levels: how many levels of the test split are looked at, from number 0.
    """
    from mesabench.leaderboard.audit_levels import audit

    found = audit(run, env, levels)
    console = Console()
    console.print(found.sentence, soft_wrap=True, markup=False, highlight=False)
    if found.common:
        sys.exit(1)


@needs_extra
def check_entries(
    files: Annotated[tuple[Path, ...], Positional],
    /,
    base: Path | None = None,
    maintainer: bool = False,
) -> None:
    """Check entries as data: schema, possible figures, names, whose they are. Nothing is run.

    The exit status is 2 where something is wrong.

    Args:
        files: the entries that were added, changed or removed.
        base: folder with the entries as they were before the change.
        maintainer: whether entries may be re-evaluated, invalidated or superseded.
    """
    from mesabench.leaderboard.checking import check

    problems = check(files, base, maintainer=maintainer)
    console = Console()
    for problem in problems:
        console.print(f"[red]wrong:[/red] {escape(problem)}", soft_wrap=True)
    if problems:
        sys.exit(2)
    console.print(f"{len(files)} file{'s' * (len(files) != 1)}, nothing wrong")


class Counting:
    """Says how many agents were evaluated so far.

    Args:
        console: where it is said.
    """

    def __init__(self, console: Console):
        self._status = console.status("compiling")
        self._done = 0

    def __enter__(self) -> "Counting":
        """Begin."""
        self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        self._status.stop()

    def __call__(self, found: "Answer") -> None:
        """Count an agent."""
        self._done += 1
        self._status.update(f"{self._done} agents evaluated")


def show_entry(entry: "Entry", console: Console) -> None:
    """Print what an entry holds, agent by agent."""
    table = Table("task", "seed", "held-out", "test", "verdict", "objective", title=entry.slug)
    for agent in entry.agents:
        shown = [figure(agent.splits[s].normalised) for s in ("heldout", "test")]
        row = (agent.task, str(agent.seed), *shown, agent.verdict, escape(agent.objective or ""))
        table.add_row(*row)
    for agent in entry.failed:
        row = (agent.task, str(agent.seed), "", "", f"[red]{agent.reason}[/red]")
        table.add_row(*row, escape(agent.detail))
    console.print(table)
    console.print("normalised base return: 0 as the random agent, 1 as the optimum")


def show_verification(found: "Verification", salt: str | None, console: Console) -> None:
    """Print how figures compare, and whether they hold."""
    where = "its own levels" if salt is None else f"levels with salt {salt}"
    title = escape(f"{found.entry.slug}, {where}")
    table = Table("task", "seed", "split", "stated", "found", "s.e.", "agrees", title=title)
    for one in found.comparisons:
        table.add_row(*comparison_cells(one))
    console.print(table)
    console.print(
        f"{found.outside} of {len(found.comparisons)} figures outside 2 standard errors; "
        f"chance allows {found.allowed}"
    )
    for split in ("heldout", "test"):
        console.print(f"mean drift on {split}: {found.drift(split):+.2f} standard errors")
    holds = "[green]holds[/green]" if found.agrees else "[red]does not hold[/red]"
    console.print(f"[bold]The entry {holds}.[/bold]")


def comparison_cells(one: "Comparison") -> tuple[str, ...]:
    """Return a comparison as the cells of a row."""
    verdict = "yes" if one.agrees else f"[red]no[/red] {escape(one.reason)}"
    shown = (figure(one.stated), figure(one.found), figure(one.error))
    return one.agent.task, str(one.agent.seed), one.split, *shown, verdict


def figure(value: float | None) -> str:
    """Return a figure with three decimals."""
    return "" if value is None else f"{value:.3f}"
