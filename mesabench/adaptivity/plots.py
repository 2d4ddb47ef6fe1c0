"""Pictures of a profile, each drawn into given axes of about 5 × 3 inches."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from mesabench.adaptivity.figures import Shown
from mesabench.adaptivity.references import BAYES, CONTROL, RANDOM
from mesabench.adaptivity.strokes import (
    AGENT,
    CONTROL_TONES,
    REFERENCES,
    SMALL,
    Lines,
    above,
    bare,
    bars,
    box,
    line,
    name_ends,
)
from mesabench.adaptivity.two_step import KINDS, LAGS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from mesabench.adaptivity.profile import Profile

CALLED = "agent"  # in pictures; its file's name may be long
MANY = 12  # trials from which on not every one has a tick


def draw_regret(axes: "Axes", found: "Profile", split: str) -> None:
    """Draw cumulative regret on a split: references, agent and, on held-out levels, controls."""
    name = "cumulative regret"
    lines: Lines = []
    for who, shown in found.references[split].items():
        line(axes, shown.curves[name], REFERENCES[who], width=1.1)
        lines.append((who, shown.curves[name].mean[-1], REFERENCES[who]))
    for who, shown in found.controls.items() if split == "heldout" else ():
        line(axes, shown.curves[name], CONTROL_TONES[who], width=1.1, style="--")
        lines.append((who, shown.curves[name].mean[-1], CONTROL_TONES[who]))
    agent = found.splits[split].curves[name]
    line(axes, agent, AGENT, width=2.6, band=True)
    lines.append((CALLED, agent.mean[-1], AGENT))
    trials = len(agent.mean)
    axes.set(xlabel="trial", ylabel="cumulative expected regret", xlim=(1, trials))
    axes.set_ylim(0, None)
    if trials < MANY:
        axes.set_xticks(range(1, trials + 1))
    name_ends(axes, lines, bold=CALLED)
    bare(axes)


def draw_controls(axes: "Axes", found: "Profile") -> None:
    """Draw the share of Bayes's gain over chance that the agent has with and without controls."""
    rows = {"intact": found.splits["heldout"], **found.controls}
    for place, shown in enumerate(rows.values()):
        gain = shown.figures["gain / Bayes"]
        colour = AGENT if place == 0 else "#5d6673"
        reach = [[gain.mean - gain.low], [gain.high - gain.mean]]
        axes.errorbar(gain.mean, place, xerr=reach, fmt="o", color=colour, capsize=2, markersize=5)
    axes.axvline(0, color="0.75", linewidth=0.8, zorder=0)
    axes.axvline(1, color=REFERENCES[BAYES], linewidth=0.8, linestyle=":", zorder=0)
    axes.set_yticks(range(len(rows)), list(rows))
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlabel("gain over chance, held-out levels (1: Bayes)")
    bare(axes)


def draw_staying(axes: "Axes", found: "Profile") -> None:
    """Draw stay probabilities of the agent beside those of Bayes and of a model-free learner."""
    some = found.references["heldout"]
    players = {
        BAYES: (some[BAYES], "#9aa0a8"),
        CALLED: (found.splits["heldout"], AGENT),
        "model-free": (some["model-free"], REFERENCES["model-free"]),
    }
    for k, (who, (shown, colour)) in enumerate(players.items()):
        if KINDS[0] not in shown.figures:
            continue
        bars(axes, [shown.figures[kind] for kind in KINDS], k, len(players), colour, who)
    names = ["rewarded,\ncommon", "rewarded,\nuncommon", "not,\ncommon", "not,\nuncommon"]
    axes.set_xticks(range(len(KINDS)), names)
    axes.set(ylabel="share of choices repeated", ylim=(0, 1.02))
    above(axes)


def draw_lags(axes: "Axes", found: "Profile") -> None:
    """Draw the regression's weights by lag: which earlier trials bear on a choice, and how."""
    tones = ("#0072b2", "#009e73", "#d55e00", "#cc79a7")
    labels = ("rewarded, common", "rewarded, uncommon", "not, common", "not, uncommon")
    for k, (kind, tone, label) in enumerate(zip(KINDS, tones, labels, strict=True)):
        curve = found.splits["heldout"].curves[f"weight of {kind} by lag"]
        at = np.arange(1, LAGS + 1) + 0.06 * (k - 1.5)
        ends = np.abs(np.array([curve.low, curve.high]) - np.array(curve.mean))
        axes.errorbar(
            at, curve.mean, yerr=ends, fmt="o-", ms=3.5, lw=1.1, capsize=2, color=tone, label=label
        )
    axes.axhline(0, color="0.75", linewidth=0.8, zorder=0)
    axes.set_xticks(range(1, LAGS + 1))
    axes.set(xlabel="trials ago", ylabel="weight for the same choice")
    above(axes, columns=2)


def draw_rates(axes: "Axes", found: "Profile") -> None:
    """Draw fitted learning rates by block, calm and volatile, as boxes."""
    players: Mapping[str, tuple[Mapping[str, Shown], str]] = {
        CALLED: (found.splits, AGENT),
        **{
            who: ({s: found.references[s][who] for s in ("low", "test")}, REFERENCES[who])
            for who in (BAYES, CONTROL)
        },
    }
    for k, (shown, colour) in enumerate(players.values()):
        for side, split in enumerate(("low", "test")):
            rates = shown[split].samples.get("learning rates")
            if rates:
                box(axes, rates, k + 0.36 * (side - 0.5), colour, filled=bool(side))
    axes.set_xticks(range(len(players)), list(players))
    axes.set_xlim(-0.6, len(players) - 0.4)
    axes.set(ylabel="fitted learning rate")
    axes.set_title("left, hollow: calm (.005)   right, filled: volatile (.06)", fontsize=SMALL + 1)
    bare(axes)


def draw_accuracy(axes: "Axes", found: "Profile") -> None:
    """Draw accuracy by trial: objects of training, held-out objects, and controls on the first."""
    axes.axhline(0.5, color="0.8", linewidth=0.8, zorder=0)
    bayes = found.references["heldout"][BAYES].curves["accuracy"]
    line(axes, bayes, REFERENCES[BAYES], width=1.1, label=BAYES)
    for who, shown in found.controls.items():
        tone = CONTROL_TONES[who]
        line(axes, shown.curves["accuracy"], tone, width=1.1, style="--", label=who)
    for split, label, tone in (
        ("heldout", "objects of training", AGENT),
        ("test", "held-out objects", "#d55e00"),
    ):
        curve = found.splits[split].curves["accuracy"]
        line(axes, curve, tone, width=2.4, band=True, label=f"{CALLED}, {label}")
    axes.set_xticks(range(1, len(bayes.mean) + 1))
    axes.set(xlabel="trial with a new pair", ylabel="share right", ylim=(0.38, 1.02))
    above(axes, columns=3)


def draw_matching(axes: "Axes", found: "Profile") -> None:
    """Draw log ratios of choices against log ratios of base chances, on test levels."""
    names = ("log ratio of base chances", "log ratio of choices")
    for who, shown, colour, size in (
        (BAYES, found.references["test"][BAYES], "#b8bec7", 5),
        (CALLED, found.splits["test"], AGENT, 7),
    ):
        x, y = (shown.samples.get(name, ()) for name in names)
        axes.scatter(x, y, s=size, color=colour, alpha=0.7, linewidth=0, label=who)
    limit = 4.5
    axes.plot([-limit, limit], [-limit, limit], ":", color="0.4", lw=0.8, label="matching")
    axes.set(xlim=(-limit, limit), ylim=(-limit, limit))
    axes.set(xlabel="log p₀(left) / p₀(right)", ylabel="log choices, left / right")
    above(axes)


def draw_first_choices(axes: "Axes", found: "Profile") -> None:
    """Draw how often each arm is chosen first, on held-out levels."""
    some = found.references["heldout"]
    players = (
        (CALLED, found.splits["heldout"], AGENT),
        (BAYES, some[BAYES], "#9aa0a8"),
        (RANDOM, some[RANDOM], "#dfe2e7"),
    )
    arms = len(players[0][1].samples["first choices"])
    for k, (who, shown, colour) in enumerate(players):
        at = np.arange(1, arms + 1) + 0.27 * (k - 1)
        axes.bar(at, shown.samples["first choices"], 0.26, color=colour, label=who)
    axes.set_xticks(range(1, arms + 1))
    axes.set(xlabel="arm chosen first (the last one tells)", ylabel="share of episodes")
    axes.set_ylim(0, 1.02)
    above(axes)


def draw_divergence(axes: "Axes", found: "Profile") -> None:
    """Draw KL from Bayes by trial, on each split where there is one."""
    tones = iter((AGENT, "#d55e00", "#009e73", "#cc79a7", "#7e57a8"))
    for split, shown in found.splits.items():
        if "KL from Bayes" in shown.curves:
            line(
                axes, shown.curves["KL from Bayes"], next(tones), width=1.6, band=True, label=split
            )
    axes.set(xlabel="trial", ylabel="KL(Bayes ‖ agent), nats")
    axes.set_ylim(0, None)
    above(axes, columns=5)
