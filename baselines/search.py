"""`mesabench tune`: search an algorithm's settings on a task by what they reach on held-out levels.

A tree-structured Parzen estimator proposes settings, and trials that fall behind the median of
earlier ones at the same look are stopped. Every proposal is drawn with a seed of its own, made from
the search's seed and the proposal's number: a search that was stopped and resumed is the search
that was not. The first trial has the settings that the task has already.

Sources: Bergstra et al. 2011 (the estimator); Akiba et al. 2019 (Optuna).
"""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.trial import TrialState
from rich.console import Console

from mesabench.baselines.algorithms import get_algorithm
from mesabench.baselines.config import Settings
from mesabench.baselines.configs import (
    FOLDER,
    Found,
    config_file,
    load_settings,
    read_found,
    write_settings,
)
from mesabench.baselines.journal import open_journal
from mesabench.baselines.locks import hold
from mesabench.baselines.search_space import rounded, space_of
from mesabench.baselines.trying import LOOKS, Diverged, Stopped, reached
from mesabench.baselines.yardstick import Yardstick
from mesabench.errors import MesaBenchError
from mesabench.knobs import check_evaluation
from mesabench.task import Task

JOURNAL = "search.journal"
STARTUP = 5  # trials before any is stopped early
MARGIN = 0.01  # of held-out return, which two seeds differ by: less is no reason for other settings
DONE = (TrialState.COMPLETE, TrialState.PRUNED)
DIVERGED = "diverged"  # an attribute of trials that are pruned for it: no return is as bad


@dataclass(frozen=True)
class Search:
    """What is searched.

    Attributes:
        task: the task.
        algorithm: name of the algorithm.
        trials: how many settings are tried, in all sessions together.
        steps: environment steps of each trial.
        seed: of the search and of every trial's training.
        levels: held-out levels of each look.
        threads: threads of torch.
    """

    task: Task
    algorithm: str
    trials: int = 30
    steps: int = 300_000
    seed: int = 0
    levels: int = 256
    threads: int = 1

    @property
    def command(self) -> str:
        """The command line that does this search."""
        names = ("algorithm", "trials", "steps", "seed", "levels", "threads")
        options = " ".join(f"--{name} {getattr(self, name)}" for name in names)
        return f"mesabench tune {self.task.id} {options}"


def search_settings(
    search: Search, folder: Path, console: Console, *, configs: Path = FOLDER
) -> Path:
    """Search, or go on with a search that was stopped; write the task's file of settings.

    Args:
        search: what is searched.
        folder: where the journal of trials is kept.
        console: where trials are shown.
        configs: folder of the files of settings, the one that it begins from and is written to.

    Returns:
        The path of the task's file.

    Raises:
        MesaBenchError: the algorithm has a training of its own, or is not known; no trial is asked
            for; a larger search has been made; or another one is at work in the folder.
    """
    if search.trials < 1:
        raise MesaBenchError(f"a search has 1 trial or more, not {search.trials}")
    check_evaluation(search.levels, search.seed)
    if hasattr(get_algorithm(search.algorithm), "train"):
        raise MesaBenchError(
            f"{search.algorithm} has a training of its own, which shows nothing before its end; "
            "tune the algorithm that it is made of"
        )
    usual = load_settings(search.task.id, search.algorithm, folder=configs)
    refuse_smaller(search, configs)
    with hold(folder):  # another session would take this one's trials for void
        study = open_study(search, folder, usual)
        go_on(study, search, console)
        return keep_best(study, search, configs)


def refuse_smaller(search: Search, configs: Path) -> None:
    """Refuse to replace what a search of more steps in all has found.

    Raises:
        MesaBenchError: the task's file tells of such a search.
    """
    found = read_found(search.task.id, search.algorithm, folder=configs)
    if found is not None and found.steps * found.trials > search.steps * search.trials:
        raise MesaBenchError(
            f"{config_file(search.task.id, configs)} has settings from {found.trials} trials of "
            f"{found.steps:,} steps; {search.trials} of {search.steps:,} would replace them: keep "
            "the new ones in another folder with --configs FOLDER, or search for longer"
        )


def go_on(study: optuna.Study, search: Search, console: Console) -> None:
    """Conduct the trials that are still to be done."""
    usual = read_usual(study, search)
    yardstick = Yardstick(
        search.task, search.levels, seed=search.seed, **usual.knobs(search.task.id)
    )
    for number in range(len(study.get_trials(states=DONE)), search.trials):
        trial = propose(study, search, usual, number)
        conduct(study, trial, replace(usual, **rounded(trial.params)), search, yardstick)
        console.print(line_of(study, number, search.trials), soft_wrap=True)


def open_study(search: Search, folder: Path, usual: Settings) -> optuna.Study:
    """Open the journal of a search; trials that were being conducted when it stopped are void."""
    folder.mkdir(parents=True, exist_ok=True)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        storage=open_journal(folder / JOURNAL),
        study_name=f"{search.task.id} {search.algorithm} {search.steps} steps, "
        # The last words tell apart journals whose first trial had other settings than the task's.
        f"seed {search.seed}, {search.levels} levels, from its settings",
        direction="maximize",
        pruner=optuna.pruners.MedianPruner(n_startup_trials=STARTUP),
        load_if_exists=True,
    )
    if "usual" not in study.user_attrs:
        study.set_user_attr("usual", json.dumps(asdict(usual)))
    for trial in study.get_trials(states=(TrialState.RUNNING,)):
        study.tell(trial.number, state=TrialState.FAIL)
    return study


def read_usual(study: optuna.Study, search: Search) -> Settings:
    """Return the settings that the search began from, for its trials."""
    kept: dict[str, Any] = json.loads(study.user_attrs["usual"])
    usual = get_algorithm(search.algorithm).Args(**kept)
    return replace(usual, steps=search.steps, seed=search.seed, threads=search.threads)


def propose(study: optuna.Study, search: Search, usual: Settings, number: int) -> optuna.Trial:
    """Return the next trial: first the usual settings, then what the estimator draws."""
    space = space_of(usual)
    seed = np.random.SeedSequence([search.seed, number]).generate_state(1)[0]
    study.sampler = optuna.samplers.TPESampler(seed=int(seed))
    if number == 0 and not study.get_trials(states=(TrialState.WAITING,)):
        study.enqueue_trial({name: getattr(usual, name) for name in space})
    return study.ask(fixed_distributions=space)


def conduct(
    study: optuna.Study,
    trial: optuna.Trial,
    config: Settings,
    search: Search,
    yardstick: Yardstick,
) -> None:
    """Train with a trial's settings and tell the study what they reached."""

    def promising(look: int, share: float) -> bool:
        trial.report(share, look)
        return look == LOOKS or not trial.should_prune()

    try:
        study.tell(trial, reached(search.task, config, yardstick, promising))
    except Stopped:
        study.tell(trial, state=TrialState.PRUNED)
    except Diverged:
        trial.set_user_attr(DIVERGED, True)
        study.tell(trial, state=TrialState.PRUNED)


def line_of(study: optuna.Study, number: int, trials: int) -> str:
    """Say what the last trial came to."""
    last = study.get_trials(states=DONE)[-1]
    complete = study.get_trials(states=(TrialState.COMPLETE,))
    best = study.best_value if complete else float("nan")
    if last.state == TrialState.COMPLETE:
        came = f"{last.value:.3f}"
    else:
        came = DIVERGED if last.user_attrs.get(DIVERGED) else "stopped"
    tried = ", ".join(f"{n} {v:.3g}" for n, v in last.params.items())
    return f"trial {number + 1} of {trials}: held-out {came}, best {best:.3f}; {tried}"


def keep_best(study: optuna.Study, search: Search, configs: Path) -> Path:
    """Write the best trial's settings into the task's file; return its path.

    They are those that the search began from, the first trial's, unless another is clearly better.

    Raises:
        MesaBenchError: all trials diverged.
    """
    done = study.get_trials(states=DONE)
    if not any(trial.state == TrialState.COMPLETE for trial in done):
        raise MesaBenchError(
            f"all {len(done)} trials diverged, so that no settings were written; try more --trials"
        )
    best, first = study.best_trial, done[0]
    before = None if first.user_attrs.get(DIVERGED) else first.value  # it is not stopped early
    assert best.value is not None
    if before is None or best.value >= before + MARGIN:
        chosen, share = best, best.value
    else:
        chosen, share = first, before
    usual = get_algorithm(search.algorithm).Args(**json.loads(study.user_attrs["usual"]))
    found = Found(
        heldout=round(share, 4),
        before=None if before is None else round(before, 4),
        steps=search.steps,
        seed=search.seed,
        trials=len(done),
        command=search.command,
    )
    settings = replace(usual, **rounded(chosen.params))
    return write_settings(settings, search.task.id, found, folder=configs)
