"""The commands `mesabench tune`, `results` and `keep`.

What they need is imported when they are called, so that `mesabench --help` is there at once.
"""

import shlex
import sys
from pathlib import Path
from typing import Annotated, Literal

import tyro
from rich.console import Console

from mesabench.baselines.algorithms import ALGORITHMS, FLAGSHIP
from mesabench.errors import MesaBenchError
from mesabench.files import write_atomically
from mesabench.registry import get_task

Positional = tyro.conf.Positional


def tune(
    env: Annotated[str, Positional],
    /,
    algorithm: Literal[tuple(ALGORITHMS)] = FLAGSHIP,  # type: ignore[valid-type]
    trials: int = 30,
    steps: int = 300_000,
    seed: int = 0,
    levels: int = 256,
    threads: int = 1,
    out: Path | None = None,
    configs: Path | None = None,
) -> None:
    """Search an algorithm's settings on a task; write them into the task's file of settings.

    They are judged by the base return on held-out levels and by nothing that an agent does at
    test. The same command goes on where a stopped one was.

    Args:
        env: id of the task.
        algorithm: name of the algorithm whose settings are searched; an ensemble cannot be, its
            members are recurrent-ppo.
        trials: how many settings are tried, in all sessions together.
        steps: environment steps of each trial.
        seed: of the search and of every trial's training.
        levels: held-out levels on which a trial is looked at; an evaluation plays others.
        threads: threads of torch.
        out: folder of the journal of trials; runs/tune/<task>/<algorithm> where it is not given.
        configs: folder of the files of settings; the package's own where it is not given.
    """
    from mesabench.baselines.configs import FOLDER
    from mesabench.baselines.search import Search, search_settings

    search = Search(get_task(env), algorithm, trials, steps, seed, levels, threads)
    folder = out or Path("runs") / "tune" / search.task.id / algorithm
    console = Console()
    try:
        path = search_settings(search, folder, console, configs=configs or FOLDER)
    except KeyboardInterrupt:
        console.print("stopped; finished trials are kept. To go on, give the same command again:")
        again = shlex.join(["mesabench", *sys.argv[1:]])
        console.print("  " + again, soft_wrap=True, markup=False, highlight=False)
        raise
    console.print(f"{path}\n{path.read_text(encoding='utf-8')}", markup=False, highlight=False)


def results(
    runs: Annotated[tuple[Path, ...], Positional] = (),
    /,
    csv: Path | None = None,
    latex: Path | None = None,
    pictures: Path | None = None,
    write: Path | None = None,
) -> None:
    """Tabulate runs: returns over seeds with t-intervals, shares of verdicts, marks of learning.

    Args:
        runs: folders of finished runs, or folders that have such inside; the trained agents of
            the package where none is given.
        csv: file for the table as numbers; that of the learning track gets -learning in its name.
        latex: file for the table in LaTeX (booktabs), likewise.
        pictures: folder for the pictures.
        write: a page whose marked part is made anew, with cards and pictures, from the records in
            the folder agents or baselines/agents beside it: baselines/README.md or README.md.
    """
    from mesabench.baselines.results_page import write_page

    console = Console()
    if write is not None:
        console.print("\n".join(map(str, write_page(write))), soft_wrap=True)
    if runs or write is None:
        tabulate(runs, csv, latex, pictures, console)


def tabulate(
    runs: tuple[Path, ...],
    csv: Path | None,
    latex: Path | None,
    pictures: Path | None,
    console: Console,
) -> None:
    """Show the tables of runs and write what is asked for; arguments as those of `results`."""
    from mesabench.baselines.outcomes import read_outcomes
    from mesabench.baselines.records import FOLDER
    from mesabench.baselines.results import rows_of
    from mesabench.baselines.results_plots import save_pictures
    from mesabench.baselines.results_tables import as_text, tables_of

    outcomes = read_outcomes(runs or [FOLDER])
    for table in tables_of(outcomes):
        console.print(as_text(table.cells))
        for file, text in ((csv, table.csv), (latex, table.latex)):
            if file is not None:
                path = file.with_stem(file.stem + table.suffix)
                console.print(str(write_atomically(path, text)), soft_wrap=True)
    if pictures is not None and (rows := rows_of(outcomes)):
        console.print("\n".join(map(str, save_pictures(rows, pictures))), soft_wrap=True)


def keep(
    runs: Annotated[tuple[Path, ...], Positional],
    /,
    out: Path | None = None,
) -> None:
    """Put finished runs on record: the agent in half precision, its evaluation, settings, card.

    Args:
        runs: folders of finished runs, or folders that have such inside.
        out: folder of the records; the package's own where it is not given.
    """
    if not runs:
        raise MesaBenchError("name the folders of the runs that are to be kept")
    from mesabench.baselines.outcomes import runs_in
    from mesabench.baselines.records import FOLDER, put_on_record

    console = Console()
    for run in runs_in(runs):
        console.print(str(put_on_record(run, out or FOLDER)), soft_wrap=True)
