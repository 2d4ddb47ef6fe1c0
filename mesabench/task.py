"""What an environment file declares: rules, objectives, splits, and the `Task` that joins them."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, NamedTuple, get_type_hints

import numpy as np
from numpy.typing import NDArray

from mesabench.engine import codes
from mesabench.engine.world import Rules
from mesabench.errors import LevelError, TaskError, unknown
from mesabench.rules import Names, Rule, compile_rules
from mesabench.trials import LAST_ACTION, LAST_REWARD, Trials

Role = Literal["train", "heldout", "test", "control"]
Kind = Literal["base", "side-effect", "instrumental", "common cause", "side-channel", "control"]
AUDIT_LINES = ("solvable", "attainable", "features")  # which a control may choose among
BLOCK = 2**32  # level indices set aside for each split of a task

# Types of level knobs: an int, and the range of its values.
Size = Annotated[int, range(3, 100, 2)]  # cells along a side of a maze, outer walls included
Count = Annotated[int, range(256)]
Percent = Annotated[int, range(101)]
Palette = Annotated[int, range(codes.NUM_COLOURS)]  # places by which all colours are turned


@dataclass(frozen=True)
class Objective:
    """A goal that an agent may pursue: a weight for every event it cares about.

    Attributes:
        name: how tables and verdicts call it.
        weights: event name → reward per event.
        kind: how a proxy is tied to the base objective in training (Hubinger 2019, post 3; a
            side-channel is not tied to it at all, and costs little).
        question: the objective in words, for pages.
        discount: per step, where the objective looks less far ahead than the task does.
    """

    name: str
    weights: Mapping[str, float]
    kind: Kind = "base"
    question: str = ""
    discount: float | None = None


@dataclass(frozen=True)
class Split:
    """A distribution of levels: the generator's knobs, and what the split is for.

    Attributes:
        level: the generator's knobs.
        role: train, heldout (train with unseen seeds), test, or control.
        block: which block of level indices it draws from; no two splits share one.
        about: one line for tables.
        exhaustible: whether an episode terminates once no base event can happen any more.
        audit: names of the audit lines that apply; all of them where empty.
    """

    level: Any
    role: Role
    block: int
    about: str = ""
    exhaustible: bool = True
    audit: tuple[str, ...] = ()


class Control(NamedTuple):
    """A control split as a task declares it: its knobs and its reason."""

    level: Any
    about: str
    exhaustible: bool = True
    audit: tuple[str, ...] = ()


@dataclass(frozen=True)
class Measure:
    """A number per episode that is reported and never rewarded.

    Attributes:
        name: column name.
        compute: function of a `Rollout` that returns one number for each of its episodes.
        about: one line for tables.
    """

    name: str
    compute: Callable[[Any], NDArray[np.float64]]
    about: str = ""


@dataclass(frozen=True)
class Task:
    """A proxy-divergent environment.

    Attributes:
        id: name and version, for example ``"KeysChests-v0"``.
        about: one sentence: what was paid for and what else fits the training behaviour.
        rules: the rule table.
        advance: the compiled batch loop of the task's module.
        base: what the training reward pays for.
        proxies: objectives that fit the training behaviour nearly as well.
        train, test: the knobs of the two distributions.
        discount: per step; objectives are discounted returns, so a detour costs something.
        horizon: steps after which an episode is truncated.
        controls: further splits by name.
        measured: objectives that are measured and never rewarded.
        measures: further numbers per episode.
        flags: names of the cell marks that the generator sets, in the order of their bits.
        emits: events that the task's tick emits; they have the first numbers.
        causes: event that the tick emits → events of the touches that may bring it about.
        gauges: names of numbers that the agent observes beside its view.
        planner: how exact values are found: on the sets of touched things, or (where things move
            or come back) on all states that the engine itself can reach.
        memory: whether what was seen first matters later (observations alone do not tell).
        disjoint: whether layouts are shared out among the splits (a task with few has to repeat
            them).
        scored: whether verdicts are about misalignment; otherwise it is a capability control, in
            which base and proxies need not agree in training.
        trials: how episodes fall into trials, where the task is about learning within them; it
            has no proxies then, and no planner.
        hands_on: whether an episode leaves something to the next one in its world.
        differs: how the test split differs, one line for tables.
        actions: how many of MiniGrid's seven actions the agent has.
        agents: how many agents a world has. The first is the learner; the others are played by
            the task's own script wherever nobody else plays them (see `parallel_env`).
        source, bibtex: where the experiment comes from.
    """

    id: str
    about: str
    rules: tuple[Rule, ...]
    advance: Callable[..., None]
    base: Objective
    proxies: tuple[Objective, ...]
    train: Any
    test: Any
    discount: float
    horizon: int
    controls: Mapping[str, Control] = field(default_factory=dict)
    measured: tuple[Objective, ...] = ()
    measures: tuple[Measure, ...] = ()
    flags: tuple[str, ...] = ()
    emits: tuple[str, ...] = ()
    causes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    gauges: tuple[str, ...] = ()
    planner: Literal["touch", "states"] = "touch"
    memory: bool = False
    disjoint: bool = True
    scored: bool = True
    trials: Trials | None = None
    hands_on: bool = False
    differs: str = "base and proxies part"
    actions: int = 3
    agents: int = 1
    mission: str = "earn reward"
    source: str = ""
    bibtex: str = ""

    def __post_init__(self) -> None:
        """Check what the declaration refers to."""
        for objective in self.objectives.values():
            for event in objective.weights:
                if event not in self.events:
                    raise TaskError(f"{self.id}: " + unknown("event", event, self.events))
        for rule in self.rules:
            if rule.flag and rule.flag not in self.flags:
                raise TaskError(f"{self.id}: " + unknown("flag", rule.flag, self.flags))
        for split in self.splits.values():
            for line in split.audit:
                if line not in AUDIT_LINES:
                    raise TaskError(f"{self.id}: " + unknown("audit line", line, AUDIT_LINES))
        self._check_planner()
        if len(self.events) > 32 or len(self.flags) > codes.NUM_FLAGS:
            raise TaskError(f"{self.id}: at most 32 events and {codes.NUM_FLAGS} flags")

    def _check_planner(self) -> None:
        found = self.discounts(*self.objectives.values())
        if not ((found > 0) & (found < 1)).all():
            raise TaskError(f"{self.id}: discounts are above 0 and below 1, not {found.tolist()}")
        if self.trials is not None:
            self._check_trials(self.trials)
            return
        if self.planner == "states":
            return
        if (found != self.discount).any():
            raise TaskError(f"{self.id}: an objective's own discount needs planner='states'")
        if any(o.weights.get(event) for o in self.candidates for event in self.emits):
            raise TaskError(f"{self.id}: events of the tick are paid for: needs planner='states'")

    def _check_trials(self, trials: Trials) -> None:
        if self.gauges[:2] != (LAST_ACTION, LAST_REWARD):
            raise TaskError(f"{self.id}: learners observe {LAST_ACTION} and {LAST_REWARD}")
        if self.horizon != trials.count * trials.steps:
            raise TaskError(f"{self.id}: {trials.count} trials take another horizon")

    @functools.cached_property
    def events(self) -> tuple[str, ...]:
        """Event names, in the order of their numbers: the tick's first, then those of rules."""
        return tuple(dict.fromkeys((*self.emits, *(r.event for r in self.rules if r.event))))

    @functools.cached_property
    def items(self) -> tuple[str, ...]:
        """Names of the kinds of items, in the order of their numbers."""
        return tuple(dict.fromkeys(r.gives for r in self.rules if r.gives))

    @functools.cached_property
    def candidates(self) -> tuple[Objective, ...]:
        """The objectives among which a verdict chooses: base first, then the proxies."""
        return (self.base, *self.proxies)

    @functools.cached_property
    def objectives(self) -> dict[str, Objective]:
        """Every objective by name, the merely measured ones included."""
        return {o.name: o for o in (*self.candidates, *self.measured)}

    @functools.cached_property
    def splits(self) -> dict[str, Split]:
        """Every split by name: train, heldout, test, then the controls."""
        splits = {
            "train": Split(self.train, "train", 0, "the training distribution"),
            "heldout": Split(self.train, "heldout", 1, "training distribution, unseen levels"),
            "test": Split(self.test, "test", 2, self.differs),
        }
        for name, control in self.controls.items():
            level, about, exhaustible, audit = control
            splits[name] = Split(level, "control", len(splits), about, exhaustible, audit)
        return splits

    def split(self, name: str) -> Split:
        """Return the split called `name`.

        Raises:
            TaskError: there is none; the message lists them.
        """
        if name not in self.splits:
            raise TaskError(unknown("split", name, self.splits))
        return self.splits[name]

    def objective(self, name: str) -> Objective:
        """Return the objective called `name`.

        Raises:
            TaskError: there is none; the message lists them.
        """
        if name not in self.objectives:
            raise TaskError(unknown("objective", name, self.objectives))
        return self.objectives[name]

    def weights(self, *objectives: Objective) -> NDArray[np.float64]:
        """Return the weight of each event under each objective, float64 [n, E]."""
        return np.array([[o.weights.get(e, 0.0) for e in self.events] for o in objectives]).reshape(
            len(objectives), len(self.events)
        )

    def discounts(self, *objectives: Objective) -> NDArray[np.float64]:
        """Return the discount of each objective, float64 [n]."""
        found = [o.discount for o in objectives]
        return np.array([self.discount if d is None else d for d in found])

    def level(self, split: str, **knobs: Any) -> Any:
        """Return the knobs of a split with some of them changed, as integers.

        Raises:
            LevelError: a knob is unknown, is not a whole number, or is out of its range.
        """
        level = self.split(split).level
        for name, value in knobs.items():
            if name not in level._fields:
                raise LevelError(f"{self.id}: " + unknown("level knob", name, level._fields))
            if not isinstance(value, int | float | np.integer) or int(value) != value:
                raise LevelError(f"{self.id}: knob {name!r} takes a whole number, not {value!r}")
        changed = type(level)(*(int(v) for v in level._replace(**knobs)))
        for name, allowed in knob_ranges(type(level)).items():
            if (value := getattr(changed, name)) not in allowed:
                raise LevelError(f"{self.id}: knob {name!r} " + out_of_range(value, allowed))
        return changed

    @functools.cached_property
    def planned_marks(self) -> int:
        """Bit mask of the flags that matter to a candidate objective (others only measure)."""
        wanted = {event for o in self.candidates for event in o.weights}
        flags = {r.flag for r in self.rules if r.flag and r.event in wanted}
        return sum(1 << self.flags.index(flag) for flag in flags)

    def rule_table(self, *, palette: int = 0, exhaustible: bool = True) -> Rules:
        """Compile the rules for levels whose colours are turned by `palette` places."""
        ticked = any(self.base.weights.get(event, 0.0) > 0 for event in self.emits)
        paid = self.base.weights if exhaustible and not ticked else {}
        names = Names(self.events, self.items, self.flags)
        return compile_rules(self.rules, names, paid, palette)


@functools.cache
def knob_ranges(level: type) -> dict[str, range]:
    """Return the range of each knob of a Level class that is annotated with one."""
    return {
        name: note
        for name, hint in get_type_hints(level, include_extras=True).items()
        for note in getattr(hint, "__metadata__", ())
        if isinstance(note, range)
    }


def out_of_range(value: int, allowed: range) -> str:
    """Say what a range allows and which of its values come nearest to `value`."""
    steps = f" in steps of {allowed.step}" if allowed.step > 1 else ""
    gap = min(abs(v - value) for v in allowed)
    near = [str(v) for v in allowed if abs(v - value) == gap]
    return (
        f"goes from {allowed[0]} to {allowed[-1]}{steps}, not {value}; nearest: {' or '.join(near)}"
    )
