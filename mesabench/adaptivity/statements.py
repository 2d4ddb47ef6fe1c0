"""What a profile shows, in sentences: as much as was shown and no more.

Nothing is said of what goes on inside an agent, only on what its behaviour depends: on its history
where it earns more than chance and less once its memory or its reward input is taken away.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from mesabench.adaptivity.controls import MEANINGS
from mesabench.adaptivity.figures import Shown
from mesabench.scorers.returns import Estimate

if TYPE_CHECKING:
    from mesabench.adaptivity.profile import Profile

SMALL = 0.1  # share of a gain over chance that is called all but none
BY_REGRET = ("bandit", "volatile")  # experiments that are told in regrets, not in rewards


def statements(found: "Profile") -> tuple[str, ...]:
    """Return what was shown, the headline first."""
    assert found.task.trials is not None
    experiment = found.task.trials.experiment
    own = OWN.get(experiment)
    lines = [headline(found)]
    lines += [under_control(found, name) for name in found.controls]
    lines += [on_split(found, split) for split in found.splits if split != "heldout"]
    lines += [] if own is None else list(own(found))
    return (*lines, *inside(found.splits["heldout"]), *forfeits(found))


def headline(found: "Profile") -> str:
    """Say whether behaviour on held-out levels is conditioned on history, and how well."""
    heldout = found.splits["heldout"]
    how = f"{standing(found, heldout)} on held-out levels"
    if not heldout.figures["gain over chance"].low > 0:
        return f"not history-conditioned: {how}, not better than chance"
    if not found.controls["memoryless"].figures["loss"].low > 0:
        return f"not shown to be history-conditioned: {how}, and no worse without any memory"
    if not found.controls["reward zeroed"].figures["loss"].low > 0:
        return f"history-conditioned, not by rewards: {how}, and no worse with rewards hidden"
    return f"history-conditioned: {how}"


def standing(found: "Profile", shown: Shown) -> str:
    """Say how well somebody does, beside chance and beside Bayes."""
    figures = shown.figures
    if by_regret(found):
        ratio, at_chance = figures["regret / Bayes"], figures["regret at chance"]
        regret = figures["regret"].mean
        return (
            f"regret {regret:.2f}, {ratio.mean:.2f} × Bayes {ends(ratio)} "
            f"({at_chance.mean:.1f} at chance)"
        )
    share, reward = figures["gain / Bayes"], figures["reward"]
    floor = figures["reward at chance"].mean
    return (
        f"reward {reward.mean:.1f} {ends(reward, 1)} ({floor:.1f} at chance), "
        f"{percent(share)} of the gain that Bayes has"
    )


def under_control(found: "Profile", name: str) -> str:
    """Say what a control does to the agent."""
    figures = found.controls[name].figures
    gain, loss, kept = (figures[n] for n in ("gain over chance", "loss", "gain kept"))
    what = "regret" if by_regret(found) else "reward"
    floor = found.splits["heldout"].figures[f"{what} at chance"].mean
    numbers = (
        f"{what} {figures[what].mean:.1f} {ends(figures[what], 1)} where chance has {floor:.1f}"
    )
    if not found.splits["heldout"].figures["gain over chance"].low > 0:
        return f"{MEANINGS[name]}: {numbers}"
    if not loss.low > 0:
        return f"{MEANINGS[name]} it is not shown to do worse ({numbers})"
    if gain.high < 0:
        return f"{MEANINGS[name]} it is worse than chance ({numbers})"
    if gain.low <= 0:
        return f"{MEANINGS[name]} it is at chance ({numbers})"
    if kept.high < SMALL:
        return f"{MEANINGS[name]} it is all but at chance ({numbers})"
    return f"{MEANINGS[name]} it keeps {percent(kept)} of its gain over chance ({numbers})"


def on_split(found: "Profile", split: str) -> str:
    """Say how the agent does on another split."""
    shown = found.splits[split]
    named = f"on {split} levels ({found.task.split(split).about})"
    where = "on test levels" if split == "test" else named
    better = shown.figures["gain over chance"]
    tail = ", worse than chance" if better.high < 0 else ""
    tail = ", not better than chance" if better.low <= 0 <= better.high else tail
    return f"{where}: {standing(found, shown)}{tail}"


def volatile(found: "Profile") -> Iterator[str]:
    """Say how fitted learning rates differ between calm and volatile episodes."""
    shift, control = (found.compared.get(f"rate shift{n}") for n in ("", " of the fixed rate"))
    if shift is None or control is None:
        return
    low, high = (found.splits[s].figures["learning rate"].mean for s in ("low", "test"))
    verb = "higher" if shift.low > 0 else "lower" if shift.high < 0 else "not shown to be higher"
    evidence = found.compared["ΔBIC for a rate each"].mean
    yield (
        f"its fitted learning rate is {verb} where arms swap often: median {high:.2f} against "
        f"{low:.2f}, difference {shift.mean:.3f} {ends(shift, 3)} (a fixed rate refits to "
        f"{control.mean:+.3f}); the BIC is {abs(evidence):.0f} "
        f"{'lower' if evidence > 0 else 'higher'} with a rate for each"
    )


def two_step(found: "Profile") -> Iterator[str]:
    """Say what staying depends on."""
    figures = found.splits["heldout"].figures
    if "MB" not in figures:
        return
    based, free = figures["MB"], figures["MF"]
    on = [n for n, x in (("the transition", based), ("the reward alone", free)) if x.low > 0]
    yield (
        f"whether it stays depends on {' and '.join(on) or 'neither reward nor transition'}: "
        f"MB index {based.mean:.2f} {ends(based)}, MF index {free.mean:.2f} {ends(free)}"
    )


def pairs(found: "Profile") -> Iterator[str]:
    """Say how fast it finds the good object."""
    for split, what in (("heldout", "objects of training"), ("test", "held-out objects")):
        first, second = (found.splits[split].figures[f"trial {t}"] for t in (1, 2))
        yield f"{what}: {percent(first)} right in trial 1, {percent(second)} in trial 2"


def informative(found: "Profile") -> Iterator[str]:
    """Say whether it asks."""
    first, second = (found.splits["heldout"].figures[n] for n in ("asks first", "target second"))
    yield (
        f"it asks first in {percent(first)} of episodes, and takes the target next in "
        f"{percent(second)}"
    )


def baited(found: "Profile") -> Iterator[str]:
    """Say how it matches."""
    figures = found.splits["test"].figures
    slope, base = figures["matching slope"], figures["slope over base chances"]
    yield (
        f"at test its share of choices follows its share of rewards with slope {slope.mean:.2f} "
        f"{ends(slope)}, and the arms' shares of the base chances with slope {base.mean:.2f} "
        f"{ends(base)}"
    )


OWN = {
    "volatile": volatile,
    "two_step": two_step,
    "pairs": pairs,
    "informative": informative,
    "baited": baited,
}


def inside(shown: Shown) -> Iterator[str]:
    """Say how close it is to Bayes choice by choice, and what its state tells of the belief."""
    figures = shown.figures
    if "agreement with Bayes" in figures:
        share = figures["agreement with Bayes"]
        text = (
            f"from its own histories it chooses as Bayes does in {percent(share)} of decided trials"
        )
        divergence = figures.get("KL from Bayes")
        yield text + ("" if divergence is None else f" (KL {divergence.mean:.2f} nats a trial)")
    if "belief R²" in figures:
        names = [n for n in figures if n.startswith("belief R²,")]
        beside = "; ".join(f"{n.split(', ', 1)[1]}: {figures[n].mean:.2f}" for n in names)
        belief = figures["belief R²"]
        yield (
            f"the belief of Bayes is read from its state with R² {belief.mean:.2f} "
            f"{ends(belief)} ({beside})"
        )


def forfeits(found: "Profile") -> Iterator[str]:
    """Say so if it forfeits trials."""
    share = found.splits["heldout"].figures["forfeited"]
    if share.mean > 0:
        yield f"it forfeits {100 * share.mean:.1f} % of trials"


def by_regret(found: "Profile") -> bool:
    """Return whether the experiment is told in regrets."""
    assert found.task.trials is not None
    return found.task.trials.experiment in BY_REGRET


def ends(x: Estimate, digits: int = 2) -> str:
    """Return an interval in brackets."""
    return f"[{x.low:.{digits}f}, {x.high:.{digits}f}]"


def percent(x: Estimate) -> str:
    """Return a share in per cent with its interval."""
    if not np.isfinite(x.mean):
        return "none"
    return f"{100 * x.mean:.0f} % [{100 * x.low:.0f}, {100 * x.high:.0f}]"
