"""What a sweep runs: tasks × algorithms × seeds × shares of test-like levels × numbers of levels.

Settings of a task and algorithm are the tuned ones, unless the defaults are asked for; the command
line's changes come on top.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

from mesabench.baselines.algorithms import FLAGSHIP, get_algorithm
from mesabench.baselines.config import Settings
from mesabench.baselines.options import as_options, change, tuned
from mesabench.errors import MesaBenchError, listed, unknown
from mesabench.registry import get_task, task_ids

TIER_A = (
    "RedDoor-v0",
    "KeysChests-v0",
    "CheeseCorner-v0",
    "CheeseDish-v0",
    "ApplesShields-v0",
    "ButtonLamp-v0",
    "RewardDisplay-v0",
    "MemoryCue-v0",
)


@dataclass(frozen=True)
class Job:
    """One run of a sweep.

    Attributes:
        task: id of the task.
        settings: of the training; they name the algorithm.
        folder: the run's folder.
        levels: levels of each split on which the agent is evaluated.
    """

    task: str
    settings: Settings
    folder: Path
    levels: int

    @property
    def name(self) -> str:
        """The task and the last part of the folder."""
        return f"{self.task}/{self.folder.name}"

    @property
    def steps(self) -> int:
        """Environment steps of all that the run trains."""
        return self.settings.steps * getattr(self.settings, "members", 1)

    @property
    def arguments(self) -> list[str]:
        """What follows ``mesabench`` on the command line that does this run."""
        options = ["--levels", str(self.levels), "--out", str(self.folder)]
        return ["run", self.task, *as_options(self.settings), *options]


@dataclass(frozen=True)
class Grid:
    """The axes of a sweep; an empty axis leaves what the settings of a task say.

    Attributes:
        tasks: ids of tasks, or `task_groups`.
        algorithms: names of algorithms.
        seeds: of the runs.
        alphas: shares of test-like levels.
        num_levels: numbers of training levels; None for all of them.
        steps: environment steps of each run; those of the task's settings where None.
        changes: other settings to change, as key=value.
        tuned: begin from the tuned settings of a task; from the algorithm's defaults otherwise.
    """

    tasks: Sequence[str]
    algorithms: Sequence[str] = (FLAGSHIP,)
    seeds: Sequence[int] = (0,)
    alphas: Sequence[float] = ()
    num_levels: Sequence[int | None] = ()
    steps: int | None = None
    changes: Sequence[str] = ()
    tuned: bool = True

    def jobs(self, folder: Path, levels: int) -> list[Job]:
        """Return the runs; the first seed of everything comes before the second of anything.

        Args:
            folder: where each run has a folder of its own.
            levels: levels of each split on which agents are evaluated.

        Raises:
            MesaBenchError: there is no such task, group, algorithm or setting.
        """
        pairs = [*product(expand(self.tasks), dict.fromkeys(self.algorithms))]
        usual = {pair: self._settings(*pair) for pair in pairs}
        found = []
        for seed, pair in product(dict.fromkeys(self.seeds), pairs):
            for settings in self._variants(replace(usual[pair], seed=seed)):
                found.append(Job(pair[0], settings, folder / pair[0] / run_name(settings), levels))
        return found

    def tuned_pairs(self) -> tuple[int, int]:
        """Return how many pairs of task and algorithm have tuned settings, and how many there are.

        Raises:
            MesaBenchError: there is no such task, group or algorithm.
        """
        pairs = [*product(expand(self.tasks), dict.fromkeys(self.algorithms))]
        usual = {name: get_algorithm(name).Args() for name in self.algorithms}
        return sum(self.tuned and tuned(*pair) != usual[pair[1]] for pair in pairs), len(pairs)

    def _settings(self, task: str, algorithm: str) -> Settings:
        usual = tuned(task, algorithm) if self.tuned else get_algorithm(algorithm).Args()
        settings = replace(usual, threads=1)  # more runs at once are faster
        if self.steps is not None:
            settings = replace(settings, steps=self.steps)
        changed = change(settings, self.changes)
        changed.knobs(task)  # refuses what is no knob of the task
        return changed

    def _variants(self, settings: Settings) -> Iterator[Settings]:
        alphas = dict.fromkeys(self.alphas) or (settings.alpha,)
        numbers = dict.fromkeys(self.num_levels) or (settings.num_levels,)
        for alpha, number in product(alphas, numbers):
            yield replace(settings, alpha=alpha, num_levels=number)


def task_groups() -> dict[str, tuple[str, ...]]:
    """Return the names that stand for several tasks."""
    kinds = {"objective": task_ids(), "learning": task_ids("learning")}
    return {"tier-a": TIER_A, **kinds, "all": task_ids(None)}


def expand(names: Sequence[str]) -> list[str]:
    """Turn ids and groups into ids of tasks, each once.

    Raises:
        MesaBenchError: a name is neither, or there is none.
    """
    if not names:
        raise MesaBenchError(f"name tasks, or {listed([*task_groups()])}")
    groups, found = task_groups(), list[str]()
    for name in names:
        plain = name.removeprefix("MesaBench/")
        if plain not in groups and plain not in task_ids(None):
            raise MesaBenchError(unknown("task or group", name, [*groups, *task_ids(None)]))
        found += groups.get(plain, (plain,))
    return [get_task(name).id for name in dict.fromkeys(found)]


def run_name(settings: Settings) -> str:
    """Return the name of a run's folder in the folder of its task."""
    paid = f"-{settings.objective}" if settings.objective else ""
    mixed = f"-alpha{settings.alpha:g}" if settings.alpha else ""
    few = "" if settings.num_levels is None else f"-levels{settings.num_levels}"
    changed = "".join(f"-{knob.replace('=', '')}" for knob in settings.level)
    several = "-everyone" if settings.everyone else ""
    turned = "-recolour" if settings.recolour else ""
    kind = f"{settings.algorithm}{paid}{several}{turned}{changed}{mixed}{few}"
    return f"{kind}-seed{settings.seed}"
