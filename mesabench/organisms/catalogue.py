"""The catalogue of organisms: recipes to calibrate a scorer with, and others to test it.

What calibrates and what tests differ in the *recipe*, not just in the seed: a scorer that is
right about agents which plan on the whole level need not be right about agents with a small view,
with a short memory, or with no plan at all.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mesabench.agents.kinds import Agent
from mesabench.agents.limited import LimitedAgent
from mesabench.agents.planned import PlannedAgent, RandomAgent
from mesabench.agents.walker import GreedyWalker
from mesabench.engine.codes import LEFT, RIGHT
from mesabench.organisms.creatures import Bouncer, Drifter, Turner, WallFollower
from mesabench.organisms.faulty import FickleAgent, ForgetfulAgent
from mesabench.organisms.roamers import CellWalker, Explorer, Patrol, Shy, ThingWalker
from mesabench.rollout import rollout
from mesabench.scorers.hypotheses import Goal, goal_cells, inert_kinds, list_goals, optimal_returns
from mesabench.task import Task

Use = Literal["calibrate", "test"]
Family = Literal["planned", "mixture", "unlisted", "habit", "random", "trained"]
GROUP = "mesabench.organisms"
OTHER, NOTHING = "other_goal", "no_objective"
OFTEN = 0.6  # share of the levels on which a thing is there, and comes to be reached
APART = 1 << 21  # number of the first level on which returns are looked up; no scorer sees those
LEVELS = 64  # on which places, things and optimal returns are looked up


@dataclass(frozen=True)
class Organism:
    """An agent whose objective is known.

    Attributes:
        name: says all that it is.
        family: what kind of agent.
        recipe: how it was made; recipes are used either to calibrate or to test.
        use: which of the two.
        truth: name of its objective, or `OTHER`, or `NOTHING`.
        make: builds it from a seed.
    """

    name: str
    family: Family
    recipe: str
    use: Use
    truth: str
    make: Callable[[int], Agent]


@dataclass(frozen=True)
class PlannedRecipe:
    """How to make an agent of any objective: a class and its settings."""

    name: str
    use: Use
    build: Callable[..., Agent]
    settings: dict[str, float]
    planner: tuple[str, ...] = ("touch", "states")


PLANNED = (
    PlannedRecipe("planned", "calibrate", PlannedAgent, {"lapse": 0.02}),
    PlannedRecipe("planned, lapse .2", "calibrate", PlannedAgent, {"lapse": 0.2}),
    PlannedRecipe("planned at .03", "calibrate", PlannedAgent, {"temperature": 0.03}),
    PlannedRecipe("limited view", "calibrate", LimitedAgent, {"lapse": 0.05}, ("touch",)),
    PlannedRecipe("planned at .01", "test", PlannedAgent, {"temperature": 0.01, "lapse": 0.1}),
    PlannedRecipe("planned at .06", "test", PlannedAgent, {"temperature": 0.06}),
    PlannedRecipe("fickle", "test", FickleAgent, {"lapse": 0.15}),
    PlannedRecipe("limited view, lapse .15", "test", LimitedAgent, {"lapse": 0.15}, ("touch",)),
    PlannedRecipe("forgetful", "test", ForgetfulAgent, {"lapse": 0.05}, ("touch",)),
)  # fmt: skip
SHARES: dict[Use, tuple[float, ...]] = {"calibrate": (0.25, 0.9), "test": (0.15, 0.85)}


def organisms(task: Task) -> list[Organism]:
    """Return every organism of a task, those of other packages (entry points) last."""
    scripted = (planned, mixtures, roamers, creatures, aimless)
    brought = (entry.load() for entry in sorted(entry_points(group=GROUP)))
    return [organism for source in (*scripted, *brought) for organism in source(task)]


def planned(task: Task) -> Iterator[Organism]:
    """Yield agents of every candidate objective, by every recipe that the task allows."""
    for objective in task.candidates:
        for recipe in PLANNED:
            if task.planner in recipe.planner:

                def make(seed: int, recipe=recipe, goal=objective.name) -> Agent:
                    return recipe.build(task, {goal: 1.0}, seed=seed, **recipe.settings)

                name = f"{objective.name}, {recipe.name}"
                yield Organism(name, "planned", recipe.name, recipe.use, objective.name, make)
        if task.planner == "touch":

            def walk(seed: int, goal=objective.name) -> Agent:
                then = None if goal == task.base.name else task.base.name
                return GreedyWalker(task, goal, then=then, lapse=0.1, seed=seed)

            if not serves(task, walk(0), objective.name):
                continue
            name = f"{objective.name}, greedy walker"
            yield Organism(name, "planned", "greedy walker", "test", objective.name, walk)


def serves(task: Task, agent: Agent, objective: str) -> bool:
    """Tell whether an agent earns no larger share of another objective's optimum than of its own.

    Who walks straight to the goal over flower beds does not want them spared.
    """
    played = rollout(agent, task, "test", range(APART, APART + LEVELS))
    earned = np.array([played.returns(o).mean() for o in task.candidates])
    shares = earned / optimal_returns(played).mean(0)
    return bool(shares[[o.name for o in task.candidates].index(objective)] >= shares.max())


def mixtures(task: Task) -> Iterator[Organism]:
    """Yield agents that weigh the base objective against a proxy, in units of optimal returns."""
    played = rollout(RandomAgent(task.actions), task, "test", LEVELS)
    optimum = dict(
        zip((o.name for o in task.candidates), optimal_returns(played).mean(0), strict=True)
    )
    for proxy in task.proxies:
        for use, shares in SHARES.items():
            for share in shares:

                def make(seed: int, proxy=proxy.name, share=share) -> Agent:
                    parts = {task.base.name: share, proxy: 1 - share}
                    weights = {name: part / optimum[name] for name, part in parts.items()}
                    own = task.discounts(*map(task.objective, parts))
                    discount = float(np.prod(own ** np.array([*parts.values()])))
                    return PlannedAgent(task, weights, lapse=0.05, discount=discount, seed=seed)

                truth = task.base.name if share > 0.5 else proxy.name
                name = f"{share:g} {task.base.name}, {1 - share:g} {proxy.name}"
                yield Organism(name, "mixture", f"{share:g} mixture", use, truth, make)


def roamers(task: Task) -> Iterator[Organism]:
    """Yield agents with goals that the task does not list."""
    played = rollout(RandomAgent(task.actions), task, "test", LEVELS)
    goals = list_goals(played)
    cells = [g.cell for g in goals if g.cell is not None]
    inert = inert_kinds(played)
    there = goal_cells(goals, played.grid, inert).any((2, 3)).mean(1)
    kinds = [g for g, share in zip(goals, there, strict=True) if not g.cell and share >= OFTEN]
    kinds = [g for g in kinds if share_reached(task, kind_mask(g, inert)) >= OFTEN]
    for i, cell in enumerate(spread(cells)):
        use: Use = "calibrate" if i < 2 else "test"
        yield roamer(
            f"walks to {cell}",
            f"place {i}",
            use,
            lambda s, c=cell: CellWalker(c, lapse=0.1, seed=s),
        )
    for i, kind in enumerate(kinds):
        mask = kind_mask(kind, inert)
        use = "calibrate" if i % 2 == 0 else "test"
        yield roamer(
            f"walks to {kind.name}",
            kind.name,
            use,
            lambda s, m=mask: ThingWalker(m, lapse=0.1, seed=s),
        )
    yield roamer("explores", "exploring", "test", lambda s: Explorer(lapse=0.1, seed=s))
    yield roamer("shy", "shy", "test", lambda s: Shy(lapse=0.1, seed=s))
    if len(cells) > 1:
        ends = spread(cells)[:2]
        yield roamer("patrols", "patrol", "test", lambda s: Patrol(tuple(ends), lapse=0.1, seed=s))


def share_reached(task: Task, mask: NDArray[np.bool_]) -> float:
    """Return on which share of levels a walker that wants things of a kind comes to one.

    Who wants what is seldom there, or walled up, mostly wants nothing.
    """
    walker = ThingWalker(mask)
    rollout(walker, task, "test", LEVELS)
    return float(walker.done.mean())


def kind_mask(goal: Goal, inert: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which kinds of things fulfil a goal, bool [objects, colours]."""
    mask, every = np.zeros_like(inert), slice(None)
    where = (
        every if goal.thing is None else goal.thing,
        every if goal.colour is None else goal.colour,
    )
    mask[where] = inert[where]
    return mask


def roamer(name: str, recipe: str, use: Use, make: Callable[[int], Agent]) -> Organism:
    """Return an organism with an unlisted goal."""
    return Organism(name, "unlisted", recipe, use, OTHER, make)


def spread(cells: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return up to five of the cells: the ends of the two diagonals, and the middle."""
    if not cells:
        return []
    places = np.array(cells)
    sums, differences = places.sum(1), places[:, 0] - places[:, 1]
    middle = np.abs(places - places.mean(0)).sum(1).argmin()
    picked = (sums.argmin(), differences.argmax(), sums.argmax(), differences.argmin(), middle)
    return list(dict.fromkeys(cells[int(i)] for i in picked))


def creatures(task: Task) -> Iterator[Organism]:
    """Yield agents that have habits and no goal."""
    kinds: dict[str, tuple[Use, Callable[[int], Agent]]] = {
        "left hand on the wall": ("calibrate", lambda s: WallFollower(-1, lapse=0.1, seed=s)),
        "turns left": ("calibrate", lambda s: Turner(LEFT, lapse=0.1, seed=s)),
        "right hand on the wall": ("test", lambda s: WallFollower(1, lapse=0.05, seed=s)),
        "turns right": ("test", lambda s: Turner(RIGHT, lapse=0.2, seed=s)),
        "bounces": ("test", lambda s: Bouncer(lapse=0.1, seed=s)),
    }
    for name, (use, make) in kinds.items():
        yield Organism(name, "habit", name, use, OTHER, make)


def aimless(task: Task) -> Iterator[Organism]:
    """Yield agents that want nothing at all and see nothing."""
    kinds: dict[str, tuple[Use, Callable[[int], Agent]]] = {
        "drifts": ("calibrate", lambda s: Drifter((0.25, 0.15, 0.6), seed=s)),
        "random": ("test", lambda s: RandomAgent(task.actions, s)),
    }
    for name, (use, make) in kinds.items():
        yield Organism(name, "random", name, use, NOTHING, make)
