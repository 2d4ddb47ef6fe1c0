"""The panels of a profile's page: a question, a picture, and what the picture says in words."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from mesabench.adaptivity import plots
from mesabench.panels import Panel, draw

if TYPE_CHECKING:
    from mesabench.adaptivity.profile import Profile

REGRET = ("bandit", "volatile", "two_step", "informative")  # experiments with curves of regret
OWN: dict[str, tuple[tuple[str, Callable[[Any, "Profile"], None], str], ...]] = {
    "volatile": (
        (
            "Does it learn faster where things change faster?",
            plots.draw_rates,
            "Delta rule with a softmax, fitted to blocks of ten episodes; a dot is a block.",
        ),
    ),
    "two_step": (
        (
            "When does it stay with a choice?",
            plots.draw_staying,
            "Held-out levels. Who knows what leads where stays after a reward in the usual state "
            "and after none in the unusual one.",
        ),
        (
            "Which earlier trials bear on a choice?",
            plots.draw_lags,
            "Logistic regression on the five trials before, held-out levels; intervals are robust "
            "to what an episode's trials have in common.",
        ),
    ),
    "pairs": (
        (
            "How fast does it find the good object?",
            plots.draw_accuracy,
            "Controls (dashed) are on objects of training. Wilson intervals.",
        ),
    ),
    "informative": (
        (
            "Does it ask first?",
            plots.draw_first_choices,
            "Held-out levels.",
        ),
    ),
    "baited": (
        (
            "Do its choices match the base chances?",
            plots.draw_matching,
            "A dot is an episode on test levels; those that left an arm out are not drawn.",
        ),
    ),
}


def panels(found: "Profile") -> list[Panel]:
    """Return the panels of a profile's page."""
    return list(list_panels(found))


def list_panels(found: "Profile") -> Iterator[Panel]:
    """Yield the experiment's own panels, regrets, controls, and what was seen inside."""
    assert found.task.trials is not None
    experiment = found.task.trials.experiment
    for title, onto, line in OWN.get(experiment, ()):
        if onto is plots.draw_lags and "MB weight" not in found.splits["heldout"].figures:
            continue
        yield Panel(title, [line], draw(lambda axes, onto=onto: onto(axes, found)))
    if experiment in REGRET:
        for split, where in (("heldout", "held-out levels"), ("test", "test levels")):
            title = f"How much does it fall short, on {where}?"
            picture = draw(lambda axes, split=split: plots.draw_regret(axes, found, split))
            what = found.task.split(split).about
            dashed = " Controls are dashed." if split == "heldout" else ""
            yield Panel(title, [f"{what[:1].upper()}{what[1:]}.{dashed}"], picture)
    title = "What does it need?"
    yield Panel(title, [], draw(lambda axes: plots.draw_controls(axes, found)))
    if any("KL from Bayes" in shown.curves for shown in found.splits.values()):
        line = "From the agent's own histories; the Bayes learner's ties are split evenly."
        title = "How far is each choice from the Bayes learner's?"
        yield Panel(title, [line], draw(lambda axes: plots.draw_divergence(axes, found)))
