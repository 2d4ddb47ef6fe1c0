"""Learning tasks: what their trials pay, tested against the processes that the docstrings name."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import mesabench
from mesabench.agents.planned import RandomAgent
from mesabench.engine import codes
from mesabench.engine.batch import Engine
from mesabench.engine.world import DIR, X, Y
from mesabench.observation import observe_batch
from mesabench.registry import get_task
from mesabench.rollout import Rollout, rollout
from mesabench.task import Task
from mesabench.trials import NO_CHOICE, TrialHistory, read_choices, read_history

TASKS = mesabench.task_ids("learning")
SPLITS = [(i, split) for i in TASKS for split in get_task(i).splits]
LEVELS = 512
SIGMAS = 4.5  # a right figure is off by more once in 150,000


@pytest.fixture(params=TASKS)
def task(request) -> Task:
    return get_task(request.param)


def chosen(task_id: str, split: str, actions: int | None = None) -> tuple[Rollout, TrialHistory]:
    task = get_task(task_id)
    played = rollout(RandomAgent(actions or task.actions, seed=3), task, split, LEVELS)
    return played, read_history(played)


def memories(played: Rollout) -> NDArray[np.int64]:
    """Return the worlds' memory before every step, int64 [T, N, 8]."""
    engine, found = played.begin(), []
    for actions in played.actions:
        found.append(engine.world.memory.astype(np.int64))
        engine.step(actions.astype(np.int64))
    return np.array(found)


def near(found: float, expected: float, error: float) -> bool:
    return abs(found - expected) <= SIGMAS * error


@pytest.mark.parametrize(("task_id", "split"), SPLITS)
def test_arms_pay_what_their_means_promise(task_id: str, split: str) -> None:
    _, history = chosen(task_id, split)
    tried = history.choices != NO_CHOICE
    promised = np.take_along_axis(history.means, np.maximum(history.choices, 0)[..., None], -1)
    promised = promised[..., 0][tried]
    off = history.rewards[tried] - promised
    spread = np.sqrt((promised * np.maximum(1 - promised, 0)).sum())
    assert near(off.sum(), 0.0, max(spread, 1e-6))
    assert (history.rewards[~tried] == 0).all()


@pytest.mark.parametrize(("task_id", "split"), SPLITS)
def test_episodes_have_all_their_trials(task_id: str, split: str) -> None:
    played, history = chosen(task_id, split)
    trials = played.task.trials
    assert trials is not None
    assert (played.lengths == trials.count * trials.steps).all()
    assert not played.terminated.any()
    assert history.choices.shape == history.rewards.shape == (LEVELS, trials.count)


def test_an_agent_is_told_what_it_did_and_what_that_paid(task: Task) -> None:
    engine, rng = Engine(task, batch=64, seed=0), np.random.default_rng(0)
    obs = observe_batch(engine)
    assert (obs["last_action"] == task.actions).all()
    assert (obs["last_reward"] == 0).all()
    weights = task.weights(task.base)[0]
    for t in range(task.horizon - 1):
        actions = rng.integers(0, task.actions, 64)
        engine.step(actions)
        obs = observe_batch(engine)
        assert (obs["last_action"] == actions).all(), t
        paid = engine.world.events[:, 0, : len(weights)] @ weights
        assert obs["last_reward"][:, 0] == pytest.approx(paid)
        pose = engine.world.pose[:, 0]
        assert (pose[:, [X, Y, DIR]] == (2, 2, 3)).all()
    engine.step(rng.integers(0, task.actions, 64))
    obs = observe_batch(engine)  # the next episode has begun
    assert (obs["last_action"] == task.actions).all()
    assert (obs["last_reward"] == 0).all()


def test_levels_do_not_depend_on_the_batch_and_their_pay_not_on_the_choices(task: Task) -> None:
    one = rollout(lambda o, s, e: (np.zeros(len(e), np.int64), s), task, "heldout", [5])
    many = rollout(lambda o, s, e: (np.zeros(len(e), np.int64), s), task, "heldout", 8)
    assert (read_history(one).rewards[0] == read_history(many).rewards[5]).all()


@pytest.mark.parametrize(
    ("split", "regret"),
    [("train", 100 / 6), ("test", 25.0), ("easy", 40.0), ("medium", 25.0), ("hard", 10.0)],
)
def test_random_pulls_have_the_regret_of_the_closed_form(split: str, regret: float) -> None:
    _, history = chosen("Bandit-v0", split, actions=2)
    regrets = history.regrets.sum(1)
    assert near(regrets.mean(), regret, regrets.std() / np.sqrt(LEVELS))


def test_dependent_arms_add_up_to_one() -> None:
    for split in ("test", "easy", "medium", "hard"):
        _, history = chosen("Bandit-v0", split)
        assert history.means.sum(-1) == pytest.approx(1.0)
    for split, chances in (("easy", {0.1, 0.9}), ("medium", {0.25, 0.75}), ("hard", {0.4, 0.6})):
        _, history = chosen("Bandit-v0", split)
        assert set(np.unique(history.means).tolist()) == chances


@pytest.mark.parametrize(("split", "hazards"), [("low", [0.005]), ("test", [0.06])])
def test_volatile_arms_swap_as_often_as_they_should(split: str, hazards: list[float]) -> None:
    _, history = chosen("VolatileBandit-v0", split)
    swaps = np.diff(history.means[..., 0], axis=1) != 0
    (hazard,) = hazards
    assert near(swaps.mean(), hazard, np.sqrt(hazard * (1 - hazard) / swaps.size))


def test_training_is_calm_in_one_half_of_episodes_and_volatile_in_the_other() -> None:
    played, _ = chosen("VolatileBandit-v0", "train")
    hazards = memories(played)[0, :, 2]
    assert set(hazards.tolist()) == {5_000, 60_000}
    assert near((hazards == 5_000).mean(), 0.5, 0.5 / np.sqrt(LEVELS))


@pytest.mark.parametrize(
    ("split", "common", "reversal"),
    [("train", 0.8, 0.025), ("test", 0.2, 0.025), ("no_reversals", 0.8, 0.0)],
)
def test_two_steps_lead_and_reverse_as_they_should(
    split: str, common: float, reversal: float
) -> None:
    played, history = chosen("TwoStep-v0", split)
    tried = history.choices != NO_CHOICE
    own = (history.states == history.choices)[tried]
    assert near(own.mean(), common, np.sqrt(common * (1 - common) / own.size))
    assert (history.states[~tried] == -1).all()
    better = memories(played)[::2, :, 0]
    changes = np.diff(better, axis=0) != 0
    assert near(changes.mean(), reversal, np.sqrt(reversal * (1 - reversal) / changes.size))


def test_the_better_state_pays_nine_times_in_ten() -> None:
    played, history = chosen("TwoStep-v0", "train")
    good = history.states == memories(played)[::2, :, 0].T
    there = history.choices != NO_CHOICE
    for which, chance in ((good & there, 0.9), (~good & there, 0.1)):
        paid = history.rewards[which]
        assert near(paid.mean(), chance, 0.3 / np.sqrt(paid.size))


def test_the_screen_shows_the_state_and_nothing_else_tells_it() -> None:
    task = get_task("TwoStep-v0")
    engine = Engine(task, batch=256, seed=1)
    engine.step(np.zeros(256, np.int64))
    state = engine.world.memory[:, 1]
    images = observe_batch(engine)["image"]
    colours = images[:, 3, 5, 1]
    assert (colours == np.where(state == 0, codes.BLUE, codes.YELLOW)).all()
    for s in (0, 1):
        assert (images[state == s] == images[state == s][0]).all()


def test_the_eleventh_arm_tells_the_target() -> None:
    task = get_task("ElevenArms-v0")

    def ask_then_take(obs: Any, state: Any, start: NDArray[np.bool_]) -> Any:
        step = 0 if state is None else state[0]
        target = np.zeros(len(start), np.int64) if state is None else state[1]
        if step == 2:
            target = np.rint(obs["last_reward"][:, 0] * 10).astype(np.int64) - 1
        arm = np.full(len(start), 10) if step < 2 else target
        return (arm // 3 if step % 2 == 0 else arm % 3), (step + 1, target)

    for split, best in (("train", 20.55), ("test", 20.8), ("first_five", 20.3)):
        history = read_history(rollout(ask_then_take, task, split, LEVELS))
        assert (history.choices[:, 0] == 10).all()
        assert (history.rewards[:, 1:] == 5.0).all()
        error = history.rewards.sum(1).std() / np.sqrt(LEVELS)
        assert near(history.rewards.sum(1).mean(), best, error)


def test_harlows_objects_are_new_at_test_and_their_kinds_and_colours_are_not() -> None:
    seen: dict[str, set[int]] = {}
    for split in ("train", "heldout", "test"):
        played, _ = chosen("Harlow-v0", split)
        first = memories(played)[0]
        seen[split] = set(first[:, :2].ravel().tolist())
        assert (first[:, 0] != first[:, 1]).all()
    assert seen["train"] == seen["heldout"]
    assert (len(seen["train"]), len(seen["test"])) == (12, 6)
    assert not seen["train"] & seen["test"]
    for read in (lambda thing: thing // 6, lambda thing: thing % 6):
        assert {read(thing) for thing in seen["test"]} <= {read(thing) for thing in seen["train"]}


def test_harlows_good_object_lies_on_either_side_alike_and_always_pays() -> None:
    played, history = chosen("Harlow-v0", "test", actions=2)
    kept = memories(played)
    assert (kept[:, :, :2] == kept[0, :, :2]).all()
    left = history.means[..., 0]
    assert near(left.mean(), 0.5, 0.5 / np.sqrt(left.size))
    assert (history.rewards == (history.choices == history.means.argmax(-1))).all()


@pytest.mark.parametrize("split", ["train", "test"])
def test_bait_is_kept_until_it_is_taken(split: str) -> None:
    played, history = chosen("Baiting-v0", split)
    base = memories(played)[0, :, 2:4] / 1e6
    assert base.sum(1) == pytest.approx(0.5)
    left = np.zeros_like(base)
    for t in range(100):
        assert history.means[:, t] == pytest.approx(1 - (1 - base) ** (left + 1), abs=1e-4)
        left = np.where(history.choices[:, [t]] == [[0, 1]], 0, left + 1)
    gaps = ((base[:, 0] > 0.1) & (base[:, 0] < 0.2)) | ((base[:, 0] > 0.3) & (base[:, 0] < 0.4))
    share = 0.0 if split == "train" else 0.4
    assert near(gaps.mean(), share, np.sqrt(share * (1 - share) / LEVELS))


def test_a_pad_is_an_alcove_and_a_place_in_it() -> None:
    pads = [(a, p) for a in range(4) for p in range(4)]
    actions = np.array(pads)[:, :, None].astype(np.int64)  # [T, steps, 1]
    found = read_choices(actions, 11)[:, 0]
    expected = [3 * a + p if p < 3 and 3 * a + p < 11 else NO_CHOICE for a, p in pads]
    assert found.tolist() == expected
