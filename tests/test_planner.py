"""The planner against a value iteration on a rule-book of its own, the engine and closed forms."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rule_book import (
    AHEAD,
    EVENTS,
    GROUND,
    ITEMS,
    Kind,
    Level,
    arrays,
    explore,
    iterate_values,
    number,
    play,
    start,
)

from mesabench.engine import codes
from mesabench.engine.move import step
from mesabench.engine.world import allocate
from mesabench.errors import PlannerError
from mesabench.planner import (
    MAX_OBJECTS,
    advance,
    follow,
    locate,
    plan,
    plan_goals,
    start_values,
    survey,
)


@st.composite
def kinds(draw):
    fate = draw(st.sampled_from(["taken", "taken", "taken", "ends", "wall", "door", "stays"]))
    passable = draw(st.booleans())
    if fate == "stays":  # nothing that could be repeated, save an event without weight
        events = draw(st.sampled_from([frozenset(), frozenset({EVENTS - 1})]))
        return Kind(fate, passable, events=events)
    item = st.sampled_from([None, None, 0, 1])
    events = draw(st.frozensets(st.integers(0, EVENTS - 1), max_size=2))
    marked = draw(st.frozensets(st.integers(0, EVENTS - 1), max_size=2)) - events
    return Kind(fate, passable, draw(item), draw(item), events, marked)


@st.composite
def levels(draw):
    """Draw a level of up to 6 x 6 cells with up to 4 things and up to 2 flagged cells."""
    width, height = draw(st.integers(3, 4)), draw(st.integers(3, 4))
    row = st.lists(st.sampled_from("......##Bo"), min_size=height, max_size=height)
    ground = draw(st.lists(row, min_size=width, max_size=width))
    edge = draw(st.booleans())
    if edge:  # outer walls; otherwise the grid's own edge has to stop the agent
        ground = [list("#" * (height + 2)), *([*"#", *r, *"#"] for r in ground)]
        ground.append(ground[0])
    cells = [(x + edge, y + edge) for x in range(width) for y in range(height)]
    order = draw(st.permutations(cells))
    several = tuple(draw(st.lists(kinds(), min_size=1, max_size=4)))
    which = draw(st.lists(st.integers(0, len(several) - 1), min_size=1, max_size=4))
    things = dict(zip(order, which, strict=False))
    for x, y in (*things, order[-1]):
        ground[x][y] = "."  # under the things and at the start
    flagged = order[len(which) : len(which) + draw(st.integers(0, 2))]
    flagged += [cell for cell in things if draw(st.booleans())]
    return Level(
        ground=tuple("".join(r) for r in ground),
        kinds=several,
        things=things,
        flags=frozenset(flagged),
        entering=draw(st.frozensets(st.integers(0, EVENTS - 1), max_size=1)),
        items=draw(st.tuples(st.integers(0, 1), st.integers(0, 1))),
        base=draw(st.frozensets(st.integers(0, EVENTS - 1), max_size=2)),
        start=(*order[-1], draw(st.integers(0, 3))),
    )


weightings = st.lists(
    st.lists(st.integers(-8, 8).map(lambda w: w / 4), min_size=EVENTS - 1, max_size=EVENTS - 1),
    min_size=1,
    max_size=3,
).map(lambda rows: np.array([[*row, 0.0] for row in rows]))
discounts = st.sampled_from([0.7, 0.9])


@settings(max_examples=250, deadline=None)
@given(levels(), weightings, discounts)
def test_values_equal_value_iteration(level, weights, discount):
    states, moves = explore(level)
    paid = [[weights[:, sorted(events)].sum(1) for _, events, _ in row] for row in moves]
    expected = iterate_values(states, moves, np.array(paid), discount)
    for begin in (None, level.start[:2]):
        chart = survey(*arrays(level), begin)
        touched, poses = zip(*(number(chart, level, s) for s in states), strict=True)
        solved = plan(chart, weights, discount)
        q = solved.q_along(touched, poses)
        np.testing.assert_allclose(q, expected.swapaxes(1, 2), rtol=0, atol=1e-9)
        values = solved.values[:, touched, poses].T
        np.testing.assert_allclose(values, expected.max(1), rtol=0, atol=1e-9)
        np.testing.assert_array_equal(solved.q(touched[0], poses[0]), q[0])
    grid, flags, rules, items = arrays(level)
    at_start = start_values(
        grid[None], flags[None], np.array([level.start]), items[None], rules, weights, discount
    )
    np.testing.assert_array_equal(at_start[0], values[0])


@settings(max_examples=150, deadline=None)
@given(levels(), st.data(), discounts)
def test_goal_values_equal_value_iteration(level, data, discount):
    grid = arrays(level)[0]
    cell = st.tuples(st.integers(0, grid.shape[0] - 1), st.integers(0, grid.shape[1] - 1))
    thing = st.sampled_from(sorted(level.things))
    chosen = data.draw(st.lists(st.lists(cell | thing, min_size=1, max_size=2), min_size=1))
    goals = np.zeros((len(chosen), *grid.shape[:2]), np.bool_)
    for k, cells in enumerate(chosen):
        goals[k, *np.transpose(cells)] = True
    states, moves = explore(level)
    stops = np.zeros((len(states), len(goals)), np.bool_)
    for i, ((x, y, way), *_) in enumerate(states):
        ahead = (x + AHEAD[way][0], y + AHEAD[way][1])
        if 0 <= ahead[0] < grid.shape[0] and 0 <= ahead[1] < grid.shape[1]:
            stops[i] = goals[:, *ahead]
    rewards = np.zeros((len(states), 3, len(goals)))
    rewards[:, codes.FORWARD] = stops
    expected = iterate_values(states, moves, rewards, discount, stops)
    chart = survey(*arrays(level))
    touched, poses = zip(*(number(chart, level, s) for s in states), strict=True)
    q = plan_goals(chart, goals, discount).q_along(touched, poses)
    np.testing.assert_allclose(q, expected.swapaxes(1, 2), rtol=0, atol=1e-9)


@settings(max_examples=150, deadline=None)
@given(levels(), st.lists(st.sampled_from([0, 1, 2, 2]), min_size=60, max_size=60))
def test_states_are_those_of_rule_book_and_engine(level, actions):
    grid, flags, rules, items = arrays(level)
    chart = survey(grid, flags, rules, items, level.start[:2])
    width, height = grid.shape[:2]
    world = allocate(1, 6, 6, items=ITEMS, events=EVENTS)  # one size, so one compilation
    world.grid[0] = GROUND["#"]
    world.grid[0, :width, :height], world.marks[0, :width, :height] = grid, flags
    world.inventory[0, 0] = items
    world.pose[0, 0], world.horizon[0] = level.start, 1000
    state = start(level)
    s, pose = number(chart, level, state)
    track = follow(chart, s, pose, actions)
    for t, action in enumerate(actions):
        step(world, 0, np.array([action]), rules)
        state, events, ended = play(level, state, action)
        s, pose, mask, over = advance(chart, s, pose, action)
        emitted = {e for e in range(EVENTS) if world.events[0, 0, e]}
        assert (set(events), ended) == (emitted, bool(world.terminated[0]))
        assert state.pose == tuple(world.pose[0, 0])
        assert state.items == tuple(world.inventory[0, 0])
        assert (mask, bool(over)) == (sum(1 << e for e in events), ended)
        assert (track[0][t + 1], track[1][t + 1], track[2][t]) == (s, pose, mask)
        if ended:
            assert (len(track[2]), track[3]) == (t + 1, True)
            return
        assert (s, pose) == number(chart, level, state)
    assert not track[3]


# --- by hand --------------------------------------------------------------------------------------

KEY = Kind("taken", gives=0, events=frozenset({0}))
CHEST = Kind("taken", needs=0, events=frozenset({1}))
EXIT = Kind("ends", events=frozenset({2}))


def corridor(*things, base=(), items=(0, 0), flags=(), entering=()):
    """Return a corridor seen from its left end; things are kinds, or None for empty cells."""
    several = tuple(dict.fromkeys(kind for kind in things if kind))
    return Level(
        ground=tuple("#.#" for _ in range(1 + len(things))),
        kinds=several,
        things={(1 + i, 1): several.index(k) for i, k in enumerate(things) if k},
        flags=frozenset((1 + i, 1) for i in flags),
        entering=frozenset(entering),
        items=items,
        base=frozenset(base),
        start=(0, 1, 0),
    )


def first_q(level, weights, discount=0.5):
    chart = survey(*arrays(level))
    return plan(chart, weights, discount).q(0, locate(chart, *level.start))[0]


@pytest.mark.parametrize(("toll", "value"), [(-0.2, -0.2 + 0.5 * 1.0), (-0.6, 0.0)])
def test_only_way_leads_over_unwanted_thing(toll, value):
    level = corridor(Kind("taken", events=frozenset({0})), Kind("taken", events=frozenset({1})))
    q = first_q(level, [toll, 1.0])
    assert q[codes.FORWARD] == pytest.approx(toll + 0.5)
    assert q.max() == pytest.approx(value)


def test_chest_without_key_is_crossed_and_pays_on_the_way_back():
    level = corridor(CHEST, KEY)
    # Over the closed chest, take the key, turn twice, open the chest.
    assert first_q(level, [0.0, 1.0, 0.0]).max() == pytest.approx(0.5**4)
    assert first_q(level, [1.0, 1.0, 0.0]).max() == pytest.approx(0.5 + 0.5**4)


def test_episode_ends_with_the_last_possible_base_event():
    level = corridor(CHEST, KEY, items=(1, 0))
    assert first_q(level, [1.0, 1.0, 0.0]).max() == pytest.approx(1.0 + 0.5)
    assert first_q(level._replace(base=frozenset({1})), [1.0, 1.0, 0.0]).max() == 1.0


def test_exit_ends_the_episode_and_a_blocking_one_is_bumped_into():
    q = first_q(corridor(EXIT._replace(passable=False), KEY), [1.0, 0.0, -1.0])
    np.testing.assert_allclose(q, [0.0, 0.0, -1.0])


def test_flagged_cell_pays_once():
    level = corridor(None, None, flags=(1,), entering=(0,))
    assert first_q(level, [1.0]).max() == pytest.approx(0.5)


def test_too_many_things_are_refused():
    level = corridor(*[KEY] * (MAX_OBJECTS + 1))
    with pytest.raises(PlannerError, match="refuses 13 touchable objects; at most 12"):
        survey(*arrays(level))


def test_only_sets_that_can_come_about_are_planned():
    level = arrays(corridor(*[KEY] * MAX_OBJECTS))
    runs = MAX_OBJECTS * (MAX_OBJECTS + 1) // 2  # of neighbouring things, whatever the start
    assert len(survey(*level).sets) == 1 + runs
    from_the_end = survey(*level, start=(0, 1))
    assert list(from_the_end.sets) == [2**n - 1 for n in range(MAX_OBJECTS + 1)]
    with pytest.raises(PlannerError, match=r"nobody can stand at \(0, 0\)"):
        survey(*level, start=(0, 0))


@pytest.mark.parametrize("kind", [KEY, CHEST])
def test_repeated_trade_is_refused(kind):
    with pytest.raises(PlannerError, match=r"the thing at \(2, 1\)"):
        survey(*arrays(corridor(None, kind._replace(fate="stays"))))


def test_repeated_event_is_refused_when_it_pays():
    chart = survey(*arrays(corridor(Kind("stays", events=frozenset({0})))))
    plan(chart, [0.0, 1.0], 0.9)
    with pytest.raises(PlannerError, match="repeated"):
        plan(chart, [-1.0, 0.0], 0.9)


def test_bad_requests_are_refused():
    chart = survey(*arrays(corridor(KEY)))
    with pytest.raises(PlannerError, match="never be entered"):
        locate(chart, 0, 0, 0)
    with pytest.raises(PlannerError, match="discount"):
        plan(chart, [1.0, 0.0], 1.5)
    with pytest.raises(PlannerError, match="finite"):
        plan(chart, [np.nan, 0.0], 0.9)


def test_start_values_name_the_fault_of_the_level():
    grid, flags, rules, items = arrays(corridor(KEY))
    with pytest.raises(PlannerError, match="nobody can stand"):
        start_values(
            grid[None], flags[None], np.zeros((1, 3), int), items[None], rules, [1.0, 0.0], 0.9
        )
