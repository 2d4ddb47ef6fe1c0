"""The hypotheses between which inverse RL decides: objectives, other goals, no objective.

The set is open. Without a place for goals that nobody listed, an agent that walks to a corner is
put down as random or, worse, as the least unlikely of the objectives.
"""

import itertools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mesabench.engine import codes
from mesabench.engine.world import COLOUR, OBJECT
from mesabench.planner import kept_values
from mesabench.rollout import Rollout
from mesabench.rules import THINGS
from mesabench.scorers.targets import causing_events, emitted, paid_events
from mesabench.task import Task

STEPS = (10, 5)  # the simplex of objective weights is cut into tenths, or fifths where
MOST = 80  # that would give more mixtures than this
ALONE = 0.5  # prior probability that an agent which pursues candidates pursues only one of them
SECOND = 0.02  # weight of the objective that decides where the others do not care
COMMON = 0.1  # a thing is a possible goal if this share of the levels has it


@dataclass(frozen=True)
class Candidates:
    """Mixtures of a task's candidate objectives, and what each weighs.

    Attributes:
        names: of the K candidate objectives, base first.
        shares: float64 [H, K] weight of each objective, rows add up to 1.
        weights: float64 [H, E] reward per event.
        prior: float64 [H] adds up to 1; see `ALONE`.
        ranges: float64 [K] mean optimal return of each objective, the unit of its weight.
        discounts: float64 [H] per step; between those of a mixture's parts.
    """

    names: tuple[str, ...]
    shares: NDArray[np.float64]
    weights: NDArray[np.float64]
    prior: NDArray[np.float64]
    ranges: NDArray[np.float64]
    discounts: NDArray[np.float64]

    @property
    def pure(self) -> NDArray[np.int64]:
        """Rows [K] that hold one objective and nothing else."""
        alone = [np.flatnonzero(self.shares[:, k] == 1.0)[0] for k in range(len(self.names))]
        return np.array(alone)


def optimal_returns(rollout: Rollout) -> NDArray[np.float64]:
    """Return the optimal discounted return of every candidate on each level, float64 [N, K]."""
    task = rollout.task
    wanted = task.candidates
    return kept_values(rollout.begin(), task.weights(*wanted), task.discounts(*wanted))


def mix_candidates(task: Task, ranges: NDArray[np.float64]) -> Candidates:
    """Return a grid over the simplex of the candidates' weights.

    Where a mixture leaves objectives out, there are variants in which one of those decides
    between actions about which the mixture does not care: an agent that has taken all the keys
    does something, and what it does then says nothing against its having wanted keys.
    """
    names = tuple(o.name for o in task.candidates)
    units = task.weights(*task.candidates) / np.maximum(ranges, 1e-9)[:, None]
    shares, weights, prior = [], [], []
    points = simplex(len(names))
    alone = (points == 1.0).any(1)
    masses = np.where(alone, ALONE / alone.sum(), (1 - ALONE) / max(1, (~alone).sum()))
    for share, mass in zip(points, masses, strict=True):
        absent = np.flatnonzero(share == 0.0)
        variants = [share @ units] + [share @ units + SECOND * units[k] for k in absent]
        shares += [share] * len(variants)
        weights += variants
        prior += [mass / len(variants)] * len(variants)
    prior = np.array(prior) / np.sum(prior)
    shares = np.array(shares)
    discounts = np.prod(task.discounts(*task.candidates) ** shares, axis=1)
    return Candidates(names, shares, np.array(weights), prior, ranges, discounts)


def simplex(objectives: int) -> NDArray[np.float64]:
    """Return evenly spaced ways to share a weight of 1 among K objectives, float64 [n, K]."""
    fine, coarse = STEPS
    steps = fine if math.comb(fine + objectives - 1, objectives - 1) <= MOST else coarse
    points = itertools.product(range(steps + 1), repeat=objectives)
    return np.array([p for p in points if sum(p) == steps]) / steps


@dataclass(frozen=True)
class Goal:
    """An unlisted goal: a place, or inert things of a kind (None matches all).

    Attributes:
        name: how reports call it.
        cell: (x, y) of a place.
        thing, colour: codes of a kind.
    """

    name: str
    cell: tuple[int, int] | None = None
    thing: int | None = None
    colour: int | None = None


def goal_cells(
    goals: list[Goal], grid: NDArray[np.uint8], inert: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Return the cells that fulfil each goal, bool [G, ..., W, H].

    Args:
        goals: the G goals.
        grid: uint8 [..., W, H, 3].
        inert: bool [objects, colours] which kinds of things are inert.
    """
    kinds = np.zeros((len(goals), *inert.shape), np.bool_)
    places = np.zeros((len(goals), *grid.shape[-3:-1]), np.bool_)
    for k, goal in enumerate(goals):
        if goal.cell is not None:
            places[k, *goal.cell] = True
        else:
            every = slice(None)
            which = every if goal.thing is None else goal.thing, goal.colour
            which = which if goal.colour is not None else (which[0], every)
            kinds[k][which] = inert[which]
    found = kinds[:, grid[..., OBJECT], grid[..., COLOUR]]
    extra = (1,) * (grid.ndim - 3)
    return found | places.reshape(len(goals), *extra, *places.shape[1:])


def inert_kinds(rollout: Rollout) -> NDArray[np.bool_]:
    """Return which kinds of things no candidate objective pays for, bool [objects, colours].

    A thing that is nearest by chance is still an inert thing; a kind that pays wherever a mark
    says so is not, if more than half of its things are marked.
    """
    task, grid = rollout.task, rollout.grid
    rules = rollout.rules
    wanted = paid_events(task, *task.candidates) | causing_events(task, *task.candidates)
    pays = rules.events[codes.ON_TOUCH, :, :, 0] & wanted != 0
    kinds = grid[..., OBJECT], grid[..., COLOUR]
    there, marked = np.zeros(pays.shape, np.int64), np.zeros(pays.shape, np.int64)
    np.add.at(there, kinds, 1)
    np.add.at(marked, kinds, (emitted(rules, grid, rollout.marks) & wanted != 0).astype(np.int64))
    things = [codes.OBJECTS.index(t) for t in THINGS]
    is_thing = np.isin(np.arange(codes.NUM_OBJECTS), things)[:, None]
    return ~pays & (2 * marked <= there) & is_thing


def list_goals(rollout: Rollout) -> list[Goal]:
    """List the places and inert things that an agent might walk to on the rollout's levels.

    Places are the cells that are open on most levels, so that the same one can be a goal
    throughout; a place means the same to every level, whatever lies there. What is the target of
    a candidate objective on every level is that objective and no other goal.
    """
    grid = rollout.grid
    open_share = (grid[..., OBJECT] != codes.WALL).mean(0)
    goals = [Goal(f"cell {x},{y}", cell=(int(x), int(y))) for x, y in np.argwhere(open_share > 0.9)]
    kinds = [
        Goal(kind_name(thing, colour), thing=thing, colour=colour)
        for thing, colour in itertools.product(
            (None, *range(codes.NUM_OBJECTS)), (None, *range(codes.NUM_COLOURS))
        )
        if thing is not None or colour is not None
    ]
    cells = goal_cells(kinds, grid, inert_kinds(rollout))
    common = cells.any((2, 3)).mean(1) >= COMMON
    # Where all balls are blue, "any ball" and "anything blue" are the blue ball: one goal.
    distinct = {c.tobytes(): g for g, c, some in zip(kinds, cells, common, strict=True) if some}
    found = goals + list(distinct.values())
    listed = are_candidates(found, rollout)
    return [goal for goal, same in zip(found, listed, strict=True) if not same]


def are_candidates(goals: list[Goal], rollout: Rollout) -> NDArray[np.bool_]:
    """Tell which goals' cells are those of some candidate objective on every level, bool [G]."""
    task, grid = rollout.task, rollout.grid
    events = emitted(rollout.rules, grid, rollout.marks)
    cells = goal_cells(goals, grid, inert_kinds(rollout))
    paid = [events & paid_events(task, objective) != 0 for objective in task.candidates]
    return np.array([any((same == mine).all() for same in paid) for mine in cells], np.bool_)


def kind_name(thing: int | None, colour: int | None) -> str:
    """Return how a kind of thing is called: "blue ball", "any ball", "anything blue"."""
    if thing is None:
        return f"anything {codes.COLOURS[colour or 0]}"
    return f"{'any' if colour is None else codes.COLOURS[colour]} {codes.OBJECTS[thing]}"
