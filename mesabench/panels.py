"""The part of the page that stands beside the verdict: a panel for every other look at an agent."""

import base64
import io
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from mesabench.beside.looks import Beside
from mesabench.beside.plots import draw_decisions, draw_weights
from mesabench.pictures import Picture, data_uri, story, trajectory_picture
from mesabench.rollout import Rollout
from mesabench.scorers.choice import Share
from mesabench.task import Task

SIZE = (5.2, 3.1)  # inches
DOTS = 160  # per inch
TILE, GAP = 40, 20  # pixels of a level's cell, and between levels


class Panel(NamedTuple):
    """One panel.

    Attributes:
        title: a question.
        lines: answers in words.
        picture: data URI of a PNG; empty where there is none.
    """

    title: str
    lines: list[str]
    picture: str


def panels(task: Task, found: Beside, worst: Sequence[Rollout] = ()) -> list[Panel]:
    """Return the panels of a page, in the order in which one would ask.

    Args:
        task: the task.
        found: what there is to say.
        worst: the worst levels that the adversary found, as the agent played them.
    """
    return [
        oddities(found),
        competence(found),
        agreement(found),
        decisions(found),
        weights(task, found),
        causes(found),
        value_head(found),
        probes(found),
        thinking(found),
        adversary(found, worst),
    ]


def oddities(found: Beside) -> Panel:
    """Say what is odd about the agent itself."""
    odd = found.oddities
    lines = [f"{finding.severity}: {finding.sentence}" for finding in odd.findings]
    lines = lines or ["Nothing was found."]
    lines += [f"Not tested: {reason}" for reason in odd.untested]
    if odd.steps_per_second is not None:
        lines.append(f"It answers {odd.steps_per_second:,.0f} steps a second.")
    return Panel("Is anything odd about the agent?", lines, "")


def competence(found: Beside) -> Panel:
    """Say whether failures at test are competent."""
    result = found.competence
    rows = {"The agent": result.agent, "A random agent": result.random}
    if result.untrained is not None:
        rows["Its network with permuted weights"] = result.untrained
    lines = [
        f"{who}: {share(row.failed)} of episodes fail the base objective; of these "
        f"{share(row.competent)} reach another objective's target on a short way."
        for who, row in rows.items()
    ]
    return Panel("When it fails at test, does it fail competently?", [*lines, *said(result)], "")


def agreement(found: Beside) -> Panel:
    """Put three scorers on the same episodes side by side."""
    lines = [
        f"{row.objective}: posterior {row.posterior:.2f}; first choice {share(row.first_choice)}; "
        f"decision points {share(row.decisions)}."
        for row in found.comparison
    ]
    return Panel("Do three scorers agree, on the same episodes?", lines, "")


def decisions(found: Beside) -> Panel:
    """Say what it chooses where the ways part."""
    lines = []
    for pair in found.decisions.pairs:
        chose, turn = pair.total.chose, pair.curve.indifference
        text = f"Base objective or {pair.proxy}: {share(chose)} of {chose.total} for the base."
        lines.append(text + ("" if turn is None else f" Indifferent at {turn:+.1f} steps."))
    title = "What does it choose where the ways part?"
    return Panel(title, lines, draw(lambda axes: draw_decisions(axes, found.decisions)))


def weights(task: Task, found: Beside) -> Panel:
    """Say which weights of events explain it best."""
    result = found.weights
    total = sum(w for w in task.base.weights.values() if w > 0)
    wanted = {event: w / total for event, w in task.base.weights.items() if w > 0}
    rank = result.identifiability
    lines = [] if rank is None else [f"Identifiable directions: {rank.rank} of {len(rank.events)}."]
    title = "Which events does it act for?"
    if result.reason is not None:
        return Panel(title, said(result), "")
    return Panel(title, lines, draw(lambda axes: draw_weights(axes, result, wanted)))


def causes(found: Beside) -> Panel:
    """Say what changes its first choice."""
    from mesabench.beside.causes import draw_causes

    title, result = "What changes its first choice?", found.causes
    if not any(probe.changed for probe in result.probes):
        return Panel(title, said(result) or ["No level can be edited so."], "")
    return Panel(title, said(result), draw(lambda axes: draw_causes(axes, result)))


def value_head(found: Beside) -> Panel:
    """Say what the value head tracks."""
    from mesabench.beside.inside import draw_value_head

    title, result = "Whose value does its value head track?", found.inside.value
    if result.reason is not None:
        return Panel(title, said(result), "")
    return Panel(title, [], draw(lambda axes: draw_value_head(axes, result)))


def probes(found: Beside) -> Panel:
    """Say what its state tells of targets."""
    from mesabench.beside.inside import draw_probes

    title, result = "What does its state say of each target?", found.inside.probes
    if result.reason is not None:
        return Panel(title, said(result), "")
    return Panel(title, [], draw(lambda axes: draw_probes(axes, result)))


def thinking(found: Beside) -> Panel:
    """Say whether time to think helps."""
    from mesabench.beside.thinking import draw_thinking

    title, result = "Does time to think help it?", found.thinking
    if result.reason is not None:
        return Panel(title, said(result), "")
    return Panel(title, [result.conclusion], draw(lambda axes: draw_thinking(axes, result)))


def adversary(found: Beside, worst: Sequence[Rollout]) -> Panel:
    """Say how often it is competently wrong on training levels, and draw the worst."""
    title, result = "Where is it competently wrong on training levels?", found.adversary
    if result.reason is not None:
        return Panel(title, said(result), "")
    outcomes = result.random.items()
    random = ", ".join(f"{name.replace('_', ' ')} {share(s)}" for name, s in outcomes)
    lines = [
        f"At random: {random}.",
        f"By search: {share(result.climbs)} of {result.climbs.total} climbs, of "
        f"{result.per_climb:.0f} levels each, end where it is.",
        *(f"Drawn: {story(played, 0)}." for played in worst),
    ]
    drawn = [trajectory_picture(played, 0, TILE) for played in worst]
    return Panel(title, lines, data_uri(side_by_side(drawn)) if drawn else "")


def side_by_side(pictures: list[Picture]) -> Picture:
    """Return pictures of one height as one, with white between them."""
    gap = np.full((pictures[0].shape[0], GAP, 3), 255, np.uint8)
    parts = [part for picture in pictures for part in (gap, picture)]
    return np.concatenate(parts[1:], axis=1)


def said(result: Any) -> list[str]:
    """Return why a part has no answer, if it says so."""
    return [] if result.reason is None else [f"No answer: {result.reason}."]


def share(found: Share) -> str:
    """Return a share in per cent with its interval."""
    if not found.total:
        return "none of none"
    low, high = (f"{100 * end:.0f}" for end in (found.low, found.high))
    return f"{100 * found.share:.0f} % [{low}, {high}]"


def draw(onto: Callable[[Any], None]) -> str:
    """Return what a function draws onto axes as the data URI of a PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=SIZE, layout="constrained")
    onto(figure.subplots())
    return picture_uri(figure)


def picture_uri(figure: Any) -> str:
    """Return a matplotlib figure as the data URI of a PNG."""
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=DOTS, metadata={"Software": None})
    return "data:image/png;base64," + base64.b64encode(data.getvalue()).decode()
