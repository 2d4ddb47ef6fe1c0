"""Looking inside: what an agent that shows its value and its state values and knows.

This is evidence beside a verdict and no part of it: behaviour alone decides that. An agent may
value one thing and go for another, and what can be read from a state need not be used.
"""

from dataclasses import dataclass
from typing import Any

from threadpoolctl import threadpool_limits

from mesabench.agents.kinds import Agent
from mesabench.agents.recording import Recorder
from mesabench.beside.probing import Probes, probe_targets
from mesabench.beside.valuing import ValueHead, track_values
from mesabench.rollout import rollout
from mesabench.scorers.returns import Estimate
from mesabench.task import Task

LEVELS = 128


@dataclass(frozen=True)
class Inside:
    """What was found inside an agent.

    Attributes:
        split: name of the split that was played.
        levels: how many of its levels.
        value: which objective's optimal values its value head tracks.
        probes: whether its state says where the objectives' targets lie.
    """

    split: str
    levels: int
    value: ValueHead
    probes: Probes


def look_inside(
    agent: Agent,
    task: Task,
    split: str = "test",
    levels: int = LEVELS,
    *,
    seed: int = 0,
    **knobs: Any,
) -> Inside:
    """Let an agent play levels of a split and look at what it shows meanwhile.

    Args:
        agent: the agent; where it shows nothing, the result says so.
        task: the task.
        split: name of the split.
        levels: how many levels; half of them to fit probes.
        seed: of shuffles and bootstraps.
        knobs: level knobs to change.
    """
    recorder = Recorder(agent)
    played = rollout(recorder, task, split, levels, **knobs)
    record = recorder.record()
    with threadpool_limits(1, "blas"):  # matrices are small: threads would wait for one another
        value = track_values(played, record, seed=seed)
        probes = probe_targets(played, record, seed=seed)
    return Inside(split=split, levels=levels, value=value, probes=probes)


def draw_value_head(axes: Any, result: ValueHead) -> None:
    """Draw which objectives' values a value head tracks into a matplotlib Axes."""
    found = {name: t.partial for name, t in result.tracks.items() if t.partial is not None}
    for place, part in enumerate(found.values()):
        mark(axes, part, place, "C0", "o")
    axes.axvline(0, color="grey", linewidth=0.8)
    axes.set_xlim(-1.02, 1.02)
    axes.set_xticks([-1, -0.5, 0, 0.5, 1])
    axes.set_xlabel("partial rank correlation of value and V*, 95 %")
    name_rows(axes, list(found))


def draw_probes(axes: Any, result: Probes) -> None:
    """Draw how well probes find every objective's target into a matplotlib Axes."""
    found = {name: p for name, p in result.probes.items() if p is not None}
    for place, part in enumerate(found.values()):
        shown = (
            ("labels shuffled", part.control, "grey", "x"),
            ("view", part.sight, "C1", "s"),
            ("state", part.accuracy, "C0", "o"),
            ("view and state", part.both, "C2", "D"),
        )
        for row, (label, share, colour, sign) in enumerate(shown):
            label = label if place == 0 else None
            mark(axes, share, place + 0.15 * (row - 1.5), colour, sign, label)
    axes.set_xlim(0, 1.02)
    axes.set_xlabel("accuracy of a linear probe for the target's side, 95 %")
    name_rows(axes, list(found))
    if found:
        axes.legend(
            fontsize="small",
            ncols=4,
            loc="lower center",
            bbox_to_anchor=(0.5, 1.0),
            frameon=False,
            columnspacing=0.8,
            handletextpad=0.2,
        )


def mark(
    axes: Any, part: Estimate, place: float, colour: str, sign: str, label: str | None = None
) -> None:
    """Draw an estimate with its interval on a row."""
    reach = [[max(0.0, part.mean - part.low)], [max(0.0, part.high - part.mean)]]
    axes.errorbar(
        part.mean, place, xerr=reach, fmt=sign, color=colour, markersize=4, capsize=2, label=label
    )


def name_rows(axes: Any, names: list[str]) -> None:
    """Name the rows of a picture, the first on top."""
    axes.set_yticks(range(len(names)), [name.replace("_", " ") for name in names])
    axes.set_ylim(max(len(names), 1) - 0.5, -0.5)
