"""Which settings searches found, as a table: what is in `configs/`."""

from pathlib import Path

from mesabench.baselines.configs import FOLDER, FOUND, read_blocks, read_found
from mesabench.baselines.results_cells import Cells
from mesabench.registry import task_ids

TITLE = (
    "What `mesabench tune` found: base return on held-out levels (of tasks about learning, between "
    "a random agent and the Bayes learner) after so many steps, with the settings that it began "
    "from and with the best ones (the same, unless a trial was better by .01; the first ten trials "
    "are drawn from the seed alone, so that many searches found the same)"
)
HEADER = ("task", "algorithm", "trials", "steps", "before", "best", "settings")


def searched_cells(folder: Path = FOLDER) -> Cells:
    """Lay out every search that was made, by task and algorithm.

    Args:
        folder: of the files of settings.

    Raises:
        MesaBenchError: a file holds what is no setting.
    """
    lines = list[tuple[str, ...]]()
    for task in task_ids(None):
        for algorithm, block in read_blocks(task, folder=folder).items():
            found = read_found(task, algorithm, folder=folder)
            if found is None:
                continue
            settings = ", ".join(f"{k}={v}" for k, v in block.items() if k != FOUND)
            before = "diverged" if found.before is None else f"{found.before:.2f}"
            returns = before, f"{found.heldout:.2f}"
            lines.append(
                (task, algorithm, str(found.trials), f"{found.steps:,}", *returns, settings)
            )
    return Cells(TITLE, HEADER, lines)
