"""Looking inside: agents whose value and state are known are seen through, others are not."""

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from numpy.typing import NDArray
from onnx import TensorProto as Type
from onnx import helper
from scipy.stats import rankdata
from stable_baselines3 import DQN, PPO
from test_export import ACTIONS, SPACE, forward, opinionated, recurrent
from test_onnx_agent import agent, constant, inventory, port, reactive

from mesabench.agents.export import export_sb3
from mesabench.agents.onnx_agent import OnnxAgent, Output
from mesabench.agents.planned import PlannedAgent, RandomAgent
from mesabench.agents.recording import Recorder
from mesabench.agents.showing import head
from mesabench.agents.signature import MAX_STATE
from mesabench.beside.inside import Inside, draw_probes, draw_value_head, look_inside
from mesabench.beside.probing import Probe, probe_targets
from mesabench.beside.ridge import Ridge
from mesabench.beside.sampling import STATES, gather, shuffle
from mesabench.beside.valuing import Track, optimal_values, partial_correlations, track_values
from mesabench.beside.whereabouts import SIDES, side_of, whereabouts
from mesabench.engine.batch import Engine
from mesabench.engine.codes import BALL, BOX, DOOR, KEY
from mesabench.errors import AgentError
from mesabench.files import as_json
from mesabench.observation import Observation
from mesabench.planner import plan_worlds
from mesabench.registry import get_task
from mesabench.rollout import Rollout, rollout
from mesabench.scorers.hypotheses import optimal_returns
from mesabench.scorers.targets import emitted, paid_events
from mesabench.task import Task

TOUCH, STATES_TASK = "RedDoor-v0", "ButtonLamp-v0"

# What is shown: the outputs `value` and `x` of an agent's file.


@pytest.mark.parametrize("make", [recurrent, lambda: forward(PPO), lambda: forward(DQN)])
def test_exported_features_are_what_the_logits_are_made_from(
    make: Callable[[], Any], tmp_path: Any
) -> None:
    model = opinionated(make())
    shown = OnnxAgent.load(export_sb3(model, tmp_path / "agent.onnx"), SPACE, ACTIONS)
    obs = {key: np.ones((5, *(part.shape or ()))) for key, part in SPACE.items()}
    obs["inventory"] = np.arange(5.0)[:, None]
    output, layer = shown.infer(obs, None, np.ones(5)), head(model.policy)
    assert output.x is not None
    weights, bias = (p.detach().cpu().numpy() for p in (layer.weight, layer.bias))
    np.testing.assert_allclose(output.x @ weights.T + bias, output.logits, rtol=1e-4, atol=1e-5)
    assert (output.x.std(0) > 0).any()


def showing(*sizes: int | str, element: Any = Type.FLOAT, name: str = "x") -> Any:
    """Return an agent that shows twice what it sees, declared with the given sizes."""
    proto = reactive()
    proto.graph.node.append(helper.make_node("Add", ["number", "number"], [name]))
    proto.graph.output.append(port(name, element, *sizes))
    return proto


def test_features_are_shown_as_they_are() -> None:
    output = agent(showing(1)).infer(inventory(3, 4), None, np.ones(2))
    assert output.x is not None
    assert output.x.tolist() == [[6], [8]]
    assert agent(reactive()).infer(inventory(3), None, np.ones(1)).x is None


@pytest.mark.parametrize(
    ("proto", "message"),
    [
        (showing("D"), "'x': expected float32 .B, D. with a fixed D"),
        (showing(), "'x': expected float32 .B, D. with a fixed D"),
        (showing(MAX_STATE + 1), "of at most 65,536"),
        (showing(1, element=Type.INT64), "'x': expected float32 .B, 1., found int64"),
        (showing(2), "not a valid ONNX model.*dimension 1"),
        (showing(1, name="features"), "unknown output 'features'; choose logits, value or x"),
    ],
)
def test_features_that_do_not_fit(proto: Any, message: str) -> None:
    with pytest.raises(AgentError, match=message):
        agent(proto)


def test_responding_is_acting() -> None:
    proto = showing(1)
    proto.graph.initializer[0].CopyFrom(constant("weights", [1, -1, 2]))
    actions, output = agent(proto).respond(inventory(1, -1), None, np.ones(2))
    assert actions.tolist() == agent(proto)(inventory(1, -1), None, np.ones(2))[0].tolist()
    assert actions.tolist() == output.logits.argmax(1).tolist() == [2, 1]


def test_a_sampling_agent_repeats_itself_from_its_seed() -> None:
    helper.set_model_props(proto := reactive(), {"action": "sample"})
    policy, start = agent(proto), np.ones(100)
    obs = inventory(*[0] * 100)
    policy.reseed(3)
    first, second = (policy(obs, None, start)[0] for _ in range(2))
    policy.reseed(3)
    assert (policy(obs, None, start)[0] == first).all()
    assert (first != second).any()


# Model organisms that show what they are told to show.


class Shower:
    """Plays at random (or as another agent does) and shows a value and a state of our choice.

    Subclasses say what they show; `plans` hold every candidate's exact values in each world.
    """

    def __init__(self, task: Task, seed: int = 0):
        self.task, self.rng = task, np.random.default_rng(seed)

    def attach(self, engine: Engine) -> None:
        self.engine = engine
        wanted = self.task.candidates
        self.plans = plan_worlds(engine, self.task.weights(*wanted), self.task.discounts(*wanted))

    def best(self) -> NDArray[np.float64]:
        """Return V* of every candidate now, [N, K]."""
        return np.array([planned.q().max(1) for planned in self.plans])

    def sides(self, k: int) -> NDArray[np.int8]:
        """Return on which side the nearest target of a candidate lies, [N]."""
        world, wanted = self.engine.world, paid_events(self.task, self.task.candidates[k])
        events = emitted(self.engine.rules, world.grid, world.marks)
        return side_of(events & wanted != 0, world.pose[:, 0])

    def value(self, obs: Observation) -> NDArray | None:
        return None

    def state(self, obs: Observation) -> dict[str, NDArray]:
        return {}

    def respond(
        self, obs: Observation, state: Any, episode_start: NDArray[np.bool_]
    ) -> tuple[NDArray[np.int64], Output]:
        actions = self.rng.choice(3, size=len(episode_start), p=[0.2, 0.2, 0.6])
        shown = Output(np.zeros((len(actions), 3), np.float32), self.value(obs), self.state(obs))
        for b in np.flatnonzero(~self.engine.course.ended):
            self.plans[b].play(int(actions[b]))
        return actions, shown

    def __call__(self, obs: Observation, state: Any, episode_start: NDArray[np.bool_]) -> Any:
        actions, shown = self.respond(obs, state, episode_start)
        return actions, shown.state


class Valuer(Shower):
    """Values every state as one of the candidates does, up to noise."""

    def __init__(self, task: Task, k: int, noise: float = 0.0):
        super().__init__(task)
        self.k, self.noise = k, noise

    def value(self, obs: Observation) -> NDArray:
        best = self.best()[:, self.k]
        return best**3 + self.noise * self.rng.normal(size=len(best))  # ranks are all that matters


class Knower(Shower):
    """Its state is the side on which one candidate's target lies."""

    def state(self, obs: Observation) -> dict[str, NDArray]:
        sides = self.sides(0)
        return {"side": np.eye(len(SIDES) + 1)[sides] + 0.1 * self.rng.normal(size=(len(sides), 5))}


class Dreamer(Shower):
    """Its state is noise."""

    def state(self, obs: Observation) -> dict[str, NDArray]:
        return {"dream": self.rng.normal(size=(len(obs["direction"]), 16))}


class Mirror(Shower):
    """Its state is what it sees."""

    def state(self, obs: Observation) -> dict[str, NDArray]:
        return {"view": np.eye(11)[obs["image"][..., 0]]}


# The record of a rollout


def test_a_record_holds_what_was_shown_and_changes_nothing() -> None:
    task = get_task(TOUCH)
    plain = rollout(Valuer(task, 0), task, "test", 8)
    recorder = Recorder(Valuer(task, 0))
    played = rollout(recorder, task, "test", 8)
    record = recorder.record()
    assert (played.actions == plain.actions).all()
    assert record.value is not None
    expected = optimal_values(played)[..., 0] ** 3
    live = played.actions >= 0
    np.testing.assert_allclose(record.value[live], expected[live], atol=1e-9)
    assert record.sight["image"].shape == (len(record.steps), 8, 147)
    assert record.state is None
    assert record.x is None


def test_a_record_is_thinned_to_its_limit() -> None:
    task = get_task(TOUCH)
    limit = 20_000
    full, thin = Recorder(Dreamer(task)), Recorder(Dreamer(task), limit)
    for recorder in (full, thin):
        rollout(recorder, task, "test", 8)
    (all_of, some) = full.record(), thin.record()
    assert all_of.state is not None
    assert some.state is not None
    stride = some.steps[1]
    assert stride & (stride - 1) == 0
    assert (some.steps == np.arange(0, len(all_of.steps), stride)).all()
    assert (some.state == all_of.state[some.steps]).all()
    kept = some.state.nbytes + sum(array.nbytes for array in some.sight.values())
    assert limit / 3 < kept <= limit


# What a value head tracks


@pytest.mark.parametrize("task_id", [TOUCH, STATES_TASK, "KeysChests-v0"])
def test_optimal_values_along_a_way(task_id: str) -> None:
    """They begin with the optimum and obey V*(s) = r + γ V*(s') under optimal play."""
    task = get_task(task_id)
    played = rollout(PlannedAgent(task, {task.base.name: 1.0}), task, "test", 16)
    values = optimal_values(played)
    np.testing.assert_allclose(values[0], optimal_returns(played), atol=1e-9)
    assert (np.isnan(values[..., 0]) == (played.actions < 0)).all()
    paid = played.events.astype(float) @ task.weights(task.base)[0]
    later = np.nan_to_num(np.concatenate([values[1:, :, 0], np.zeros((1, 16))]))
    on = np.arange(len(values))[:, None] < played.lengths - (~played.terminated)
    np.testing.assert_allclose(values[..., 0][on], (paid + task.discount * later)[on], atol=1e-9)


@pytest.mark.parametrize("task_id", [TOUCH, STATES_TASK])
@pytest.mark.parametrize("k", [0, 1])
@pytest.mark.parametrize("noise", [0.0, 1e-2])
def test_a_value_head_that_is_an_objectives_value_tracks_it_alone(
    task_id: str, k: int, noise: float
) -> None:
    task = get_task(task_id)
    found = tracks(task, Valuer(task, k, noise))
    for j, objective in enumerate(task.candidates):
        track = found[objective.name]
        assert track.partial is not None
        assert track.plain > 0.2 or j != k
        if j == k:
            assert track.partial.mean > (0.999 if noise == 0 else 0.7)
            assert track.partial.low > 0.5
            assert track.leads == 1.0
        else:
            assert abs(track.partial.mean) < 0.12


def tracks(task: Task, shower: Shower, levels: int = 48) -> dict[str, Track]:
    recorder = Recorder(shower)
    played = rollout(recorder, task, "test", levels)
    found = track_values(played, recorder.record())
    assert found.reason is None
    assert found.states == played.lengths.sum()
    return found.tracks


def test_a_value_head_of_noise_tracks_nothing() -> None:
    task = get_task(TOUCH)
    found = tracks(task, Valuer(task, 0, noise=1e6))
    assert all(t.partial is not None and abs(t.partial.mean) < 0.1 for t in found.values())


def test_objectives_of_the_same_values_are_not_told_apart() -> None:
    task = get_task(TOUCH)
    twin = dataclasses.replace(task.base, name="twin", kind="side-effect")
    task = dataclasses.replace(task, proxies=(twin, *task.proxies))
    found = tracks(task, Valuer(task, 0), levels=16)
    for name in (task.base.name, "twin"):
        assert found[name].partial is None
        assert found[name].reason == "its values follow from the other objectives'"
        assert found[name].unique < 1e-3
    assert found[task.candidates[2].name].partial is not None


def test_partial_correlations_are_those_of_residuals() -> None:
    rng = np.random.default_rng(0)
    raw = rng.normal(size=(200, 5)) @ rng.normal(size=(5, 5))
    ranks = np.column_stack([rankdata(column) for column in raw.T])
    rows = np.column_stack([(ranks - ranks.mean(0)) / ranks.std(0), np.ones(200)])
    found, unique = partial_correlations(rows.T @ rows)
    for k in (1, 2, 3):
        given = np.delete(rows, [0, k], axis=1)
        left = rows - given @ np.linalg.lstsq(given, rows, rcond=None)[0]
        assert found[k - 1] == pytest.approx(np.corrcoef(left[:, 0], left[:, k])[0, 1])
        assert unique[k - 1] == pytest.approx(left[:, k].var())


# Where targets lie


def test_sides_by_turning_the_plane() -> None:
    """A target d = (dx, dy) is at angle arg(d / w) to the way w; y points down, so right is +."""
    rng = np.random.default_rng(0)
    for _ in range(300):
        x, y, way = (int(n) for n in rng.integers((1, 1, 0), (8, 8, 4)))
        target = tuple(int(n) for n in rng.integers(0, 9, 2))
        cells = np.zeros((1, 9, 9), bool)
        cells[0][target] = True
        found = int(side_of(cells, np.array([[x, y, way]]))[0])
        offset = complex(target[0] - x, target[1] - y) / 1j**way
        if offset == 0:
            assert found == -1
            continue
        angle = np.degrees(np.angle(offset))
        sides = {"ahead": abs(angle) <= 45, "behind": abs(angle) >= 135}
        expected = next((s for s, true in sides.items() if true), "right" if angle > 0 else "left")
        assert SIDES[found] == expected


def test_the_nearest_of_several_counts() -> None:
    cells = np.zeros((2, 9, 9), bool)
    cells[0, 4, 1] = cells[0, 6, 4] = True  # three cells to the left, two ahead
    pose = np.array([[4, 4, 0], [4, 4, 0]])
    assert side_of(cells, pose).tolist() == [SIDES.index("ahead"), -1]


@pytest.mark.parametrize("task_id", [TOUCH, "LavaLand-v0"])
def test_targets_lie_where_they_are_seen(task_id: str) -> None:
    """View cell (i, j) is i − 3 to the right and 6 − j ahead: a single target seen must agree."""
    task = get_task(task_id)
    recorder = Recorder(RandomAgent(task.actions))
    played = rollout(recorder, task, "train", 16)
    labels, sight = whereabouts(played), recorder.record().sight["image"]
    looks = {TOUCH: (DOOR, *[0] * 0), "LavaLand-v0": (8,)}[task_id]
    agreed = 0
    for t, b in np.argwhere(labels[..., 0] >= 0):
        view = sight[t, b].reshape(7, 7, 3)[..., 0]
        seen = np.argwhere(np.isin(view, looks))
        if len(seen) == 1 and played.things(looks[0])[b] == 1:
            right, ahead = seen[0][0] - 3, 6 - seen[0][1]
            expected = "ahead" if ahead >= abs(right) else "right" if right > 0 else "left"
            assert SIDES[labels[t, b, 0]] == expected
            agreed += 1
    assert agreed > 100


def test_nothing_lies_anywhere_after_an_episode() -> None:
    task = get_task("KeysChests-v0")
    played = rollout(PlannedAgent(task, {task.base.name: 1.0}), task, "test", 16)
    labels = whereabouts(played)
    assert (labels[played.actions < 0] == -1).all()
    assert (labels[0] >= 0).all()  # every level begins with a key and a chest
    assert {KEY, BOX, BALL, DOOR} & set(np.unique(played.grid[..., 0]))


# Probes


def test_ridge_probes_solve_their_equations() -> None:
    rng = np.random.default_rng(0)
    x, other = rng.normal(3, 2, (60, 5)), rng.normal(3, 2, (40, 5))
    labels = rng.integers(0, 3, 60)
    scaled = (x - x.mean(0)) / x.std(0)
    y = np.eye(3)[labels]
    weights = np.linalg.solve(scaled.T @ scaled + 6 * np.eye(5), scaled.T @ (y - y.mean(0)))
    expected = ((other - x.mean(0)) / x.std(0)) @ weights + y.mean(0)
    constant_too = (np.column_stack([part, np.ones(len(part))]) for part in (x, other))
    found = Ridge(*constant_too).predict(labels, 3, 0.1)
    assert (found == expected.argmax(1)).all()


def recorded(shower: Any, task: Task, levels: int = 64) -> tuple[Rollout, Recorder]:
    recorder = Recorder(shower)
    return rollout(recorder, task, "test", levels), recorder


def probed(shower: Any, task: Task) -> Probe:
    played, recorder = recorded(shower, task)
    found = probe_targets(played, recorder.record()).probes[task.base.name]
    assert found is not None
    return found


@pytest.mark.parametrize("task_id", [TOUCH, "KeysChests-v0"])
def test_a_state_that_holds_the_side_is_read(task_id: str) -> None:
    task = get_task(task_id)
    found = probed(Knower(task), task)
    assert found.accuracy.mean > 0.99
    assert found.selectivity.low > 0.2
    assert found.memory.low > 0.0
    assert found.accuracy.mean - found.control.mean == pytest.approx(found.selectivity.mean)
    assert found.both.mean - found.sight.mean == pytest.approx(found.memory.mean)


@pytest.mark.parametrize("task_id", [TOUCH, "KeysChests-v0"])
def test_nothing_is_read_from_noise(task_id: str) -> None:
    found = probed(Dreamer(task := get_task(task_id)), task)
    assert found.selectivity.low <= 0 <= found.selectivity.high
    assert found.memory.mean < 0.02
    assert abs(found.accuracy.mean - found.majority) < 0.15


def test_a_state_that_is_the_view_remembers_nothing() -> None:
    found = probed(Mirror(task := get_task(TOUCH)), task)
    assert found.selectivity.low > 0.05
    assert abs(found.memory.mean) < 0.03


def test_shuffled_labels_are_those_of_other_levels() -> None:
    task = get_task(TOUCH)
    played, recorder = recorded(Dreamer(task), task, 16)
    labels = np.tile(np.arange(16), (len(played.actions), 1))  # every level its own number
    record = recorder.record()
    assert record.state is not None
    sample = gather(record.state, record, labels, played.layouts)
    assert np.bincount(sample.level).max() == STATES
    found = shuffle(sample, np.random.default_rng(0))
    givers = [np.unique(found[sample.level == b]) for b in range(16)]
    assert all(len(giver) == 1 for giver in givers)
    assert sorted(int(giver[0]) for giver in givers) == list(range(16))
    assert all(giver[0] != b for b, giver in enumerate(givers))


def test_levels_that_repeat_are_no_test() -> None:
    task = get_task("DeceptiveToy-v0")  # of few layouts
    played, recorder = recorded(Dreamer(task), task)
    found = probe_targets(played, recorder.record())
    assert set(found.probes.values()) == {None}
    assert "0 levels to test on" in found.reasons[task.base.name]


# The whole


def test_an_agent_that_shows_nothing_is_left_alone() -> None:
    task = get_task(TOUCH)
    found = look_inside(RandomAgent(task.actions), task, levels=16)
    assert (found.value.tracks, found.value.reason) == ({}, "the agent shows no value")
    assert found.probes.reason == "the agent shows neither recurrent state nor features"
    draw(found)


def test_values_that_are_not_finite_are_not_compared() -> None:
    task = get_task(TOUCH)
    found = look_inside(Valuer(task, 0, noise=np.inf), task, levels=16)
    assert found.value.reason == "the agent shows values that are not finite"


def test_what_is_found_inside_can_be_written_and_drawn() -> None:
    task = get_task(TOUCH)
    found = look_inside(Knower(task), task, levels=32)
    text = json.dumps(as_json(dataclasses.asdict(found)), allow_nan=False)
    assert json.loads(text)["probes"]["source"] == "state"
    names = [label.get_text() for label in draw(found)[1].get_yticklabels()]
    assert names == [o.name.replace("_", " ") for o in task.candidates]


def draw(found: Inside) -> Any:
    axes: Any = Figure().subplots(1, 2)
    draw_value_head(axes[0], found.value)
    draw_probes(axes[1], found.probes)
    return axes
