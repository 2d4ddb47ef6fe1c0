"""Adaptivity: references play the engine as they should, controls break them, claims are earned."""

import functools
import json
import re
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import jsonschema
import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto as Type
from onnx import helper

from mesabench.adaptivity.baiting import matching
from mesabench.adaptivity.bayes import beliefs_along, beside_bayes
from mesabench.adaptivity.belief import decode_belief
from mesabench.adaptivity.controls import CONTROLS
from mesabench.adaptivity.evaluating import evaluate_learning
from mesabench.adaptivity.figures import Resampling
from mesabench.adaptivity.harlow import accuracy
from mesabench.adaptivity.learner_agent import LearnerAgent
from mesabench.adaptivity.marks import around, at_least, at_most
from mesabench.adaptivity.outcome import outcome
from mesabench.adaptivity.profile import Profile, profile
from mesabench.adaptivity.references import BAYES, references_for
from mesabench.adaptivity.strokes import spread
from mesabench.adaptivity.two_step import kinds_of, logistic, regression, staying
from mesabench.adaptivity.volatile import own_rates, rate_shift, rates
from mesabench.adaptivity.watching import Inner, watch
from mesabench.agents.onnx_agent import OnnxAgent
from mesabench.agents.planned import RandomAgent
from mesabench.engine.batch import Engine
from mesabench.errors import AgentError, TaskError
from mesabench.learning import dependent, optimal
from mesabench.learning.baiting import BaitedArms, BaitingBayes, matching_slope
from mesabench.learning.delta_rule import RescorlaWagner
from mesabench.learning.dependent import DependentBayes
from mesabench.learning.heuristics import Thompson, WinStay
from mesabench.learning.history import History, play, policy_along
from mesabench.learning.learner import Learner
from mesabench.learning.optimal import Optimal
from mesabench.learning.processes import DependentArms, IndependentArms, VolatileArms
from mesabench.learning.two_step import TwoStep, play_two_step
from mesabench.learning.two_step_learners import BayesTwoStep, ModelFree
from mesabench.learning.volatile import VolatileBayes
from mesabench.observation import Observation, observation_space, observe_batch
from mesabench.registry import get_task, task_ids
from mesabench.rollout import rollout
from mesabench.trials import LAST_ACTION, LAST_REWARD, TrialHistory, read_history

TASKS = task_ids("learning")
SCHEMA = json.loads(
    files("mesabench.adaptivity").joinpath("profile.schema.json").read_text("utf-8")
)
FEWEST, FEW, HALF, MANY = 48, 96, 160, 400  # levels
BANDIT = "Bandit-v0"


def as_trials(history: History, means: NDArray[np.float64]) -> TrialHistory:
    """Return an abstract history as one of the engine's, with the arms' means."""
    states = np.zeros_like(history.choices)
    return TrialHistory(history.choices, history.rewards, means, states)


def steady(learner: Learner, process: Any, episodes: int = FEW) -> TrialHistory:
    """Play arms whose chances do not change."""
    history = play(process, learner, episodes)
    means = np.broadcast_to(process.means[:, None], (*history.choices.shape, 2))
    return as_trials(history, means)


def two_steps(learner: Any, episodes: int) -> TrialHistory:
    """Play the abstract two-step task."""
    found = play_two_step(TwoStep(), learner, episodes)
    means = np.full((*found.choices.shape, 2), 0.5)
    return TrialHistory(found.choices, found.rewards, means, found.states)


def played(name: str, task: str, split: str = "heldout", levels: int = MANY) -> TrialHistory:
    """Let a reference play a real task."""
    return watch(references_for(get_task(task), split)[name](), get_task(task), split, levels)[0]


# References play the real tasks.


@pytest.mark.parametrize(
    ("task", "split", "name", "expected"),
    [
        (BANDIT, "heldout", BAYES, optimal.optimal_regret(100)),
        (BANDIT, "test", BAYES, dependent.optimal_regret("uniform")),
        (BANDIT, "easy", BAYES, dependent.optimal_regret("easy")),
        (BANDIT, "hard", BAYES, dependent.optimal_regret("hard")),
        (BANDIT, "heldout", "random", 100 / 6),
        ("VolatileBandit-v0", "low", BAYES, 2.97),
        ("VolatileBandit-v0", "test", BAYES, 11.33),
        ("VolatileBandit-v0", "test", "random", 30.0),
        ("Harlow-v0", "test", BAYES, 0.5),
    ],
)
def test_references_have_their_known_regrets_on_the_engine(
    task: str, split: str, name: str, expected: float
) -> None:
    regrets = played(name, task, split).regrets.sum(1)
    error = regrets.std(ddof=1) / len(regrets) ** 0.5
    assert regrets.mean() == pytest.approx(expected, abs=4 * error + 0.01)


@pytest.mark.parametrize(("name", "learner"), [("Thompson", Thompson), ("win-stay", WinStay)])
def test_references_do_on_the_engine_as_they_do_in_the_abstract(
    name: str, learner: Callable[[], Learner]
) -> None:
    real = played(name, BANDIT).regrets.sum(1)
    ideal = play(IndependentArms(), learner(), 4000).regrets.sum(1)
    error = (real.var() / len(real) + ideal.var() / len(ideal)) ** 0.5
    assert abs(real.mean() - ideal.mean()) < 4 * error


@pytest.mark.parametrize(
    ("task", "expected", "error"), [("TwoStep-v0", 70.5, 0.9), ("ElevenArms-v0", 20.55, 0.06)]
)
def test_bayes_has_its_known_reward_on_the_engine(task: str, expected: float, error: float) -> None:
    assert played(BAYES, task).rewards.sum(1).mean() == pytest.approx(expected, abs=error)


@pytest.mark.parametrize(
    ("task", "split", "learner"),
    [
        (BANDIT, "heldout", Optimal()),
        (BANDIT, "test", DependentBayes()),
        ("VolatileBandit-v0", "test", VolatileBayes()),
        ("Baiting-v0", "test", BaitingBayes()),
    ],
)
def test_learners_read_choices_and_rewards_off_observations(
    task: str, split: str, learner: Learner
) -> None:
    history = played(BAYES, task, split, FEW)
    policy = policy_along(learner, history.choices, history.rewards)
    taken = np.take_along_axis(policy, history.choices[..., None], -1)
    assert (taken >= 0.5 - 1e-9).all()


def test_a_two_step_learner_reads_the_state_off_the_screen() -> None:
    history = played(BAYES, "TwoStep-v0", levels=FEW)
    learner = BayesTwoStep()
    learner.begin(FEW, np.random.default_rng(0))
    for t in range(100):
        assert (learner.probabilities()[np.arange(FEW), history.choices[:, t]] >= 0.5).all()
        learner.learn(history.choices[:, t], history.states[:, t], history.rewards[:, t])


def test_who_knows_only_the_training_transitions_is_misled_when_they_are_exchanged() -> None:
    earned = {
        name: played(name, "TwoStep-v0", "test", FEW).rewards.sum(1).mean()
        for name in (BAYES, "Bayes as trained", "random")
    }
    assert earned["Bayes as trained"] < earned["random"] - 15 < earned[BAYES] - 30


@pytest.mark.parametrize("task", TASKS)
def test_every_split_has_its_references(task: str) -> None:
    for split in get_task(task).splits:
        found = references_for(get_task(task), split)
        assert next(iter(found)) == BAYES
        assert "random" in found


def test_learner_agents_refuse_what_they_cannot_play() -> None:
    with pytest.raises(AgentError, match="arms"):
        LearnerAgent(get_task("ElevenArms-v0"), Thompson())
    with pytest.raises(TaskError, match="no trials"):
        references_for(get_task("KeysChests-v0"), "test")
    agent, starts = LearnerAgent(get_task(BANDIT), Thompson()), np.array([True, False])
    with pytest.raises(AgentError, match="begin together"):
        agent(observed(BANDIT, 2), None, starts)


# Controls.


def observed(task: str, count: int) -> Observation:
    """Return an observation after a step in which everybody turned left."""
    engine = Engine(get_task(task), "train", batch=count, autoreset=False)
    engine.reset(levels=np.arange(count))
    engine.step(np.zeros(count, np.int64))
    return observe_batch(engine)


class Parrot:
    """Notes what it is asked."""

    def __call__(self, obs: Observation, state: Any, episode_start: NDArray[np.bool_]) -> Any:
        self.obs, self.state, self.start = obs, state, episode_start
        return np.zeros(len(episode_start), np.int64), "remembered"


@pytest.mark.parametrize("name", CONTROLS)
def test_controls_take_away_what_they_say_and_nothing_else(name: str) -> None:
    obs, parrot, task = observed(BANDIT, 64), Parrot(), get_task(BANDIT)
    before = {key: array.copy() for key, array in obs.items()}
    _, state = CONTROLS[name](parrot, task, 0)(obs, "known", np.zeros(64, np.bool_))
    reset = name in ("state reset", "memoryless")
    assert (state, parrot.state) == ((None, None) if reset else ("remembered", "known"))
    assert parrot.start.all() if reset else not parrot.start.any()
    for key, array in before.items():
        np.testing.assert_array_equal(obs[key], array)
        changed = not np.array_equal(parrot.obs[key], array)
        assert changed == (
            (key == LAST_REWARD and name != "state reset")
            or (key == LAST_ACTION and name == "memoryless")
        )
    rewards, shown = before[LAST_REWARD].ravel(), parrot.obs[LAST_REWARD].ravel()
    if name == "reward shuffled":
        assert sorted(shown) == sorted(rewards)
    elif name != "state reset":
        assert not shown.any()


@pytest.fixture(scope="module")
def thompson() -> Profile:
    return profile(LearnerAgent(get_task(BANDIT), Thompson(), 3), BANDIT, levels=HALF)


@pytest.mark.parametrize("name", CONTROLS)
def test_controls_bring_thompson_sampling_to_chance(thompson: Profile, name: str) -> None:
    figures = thompson.controls[name].figures
    assert figures["gain kept"].low < 0.1
    assert figures["gain kept"].high < 0.25
    assert figures["loss"].low > 0
    assert figures["regret"].mean > 4 * thompson.splits["heldout"].figures["regret"].mean


def test_thompson_sampling_is_history_conditioned_and_not_quite_bayes(thompson: Profile) -> None:
    figures = thompson.splits["heldout"].figures
    assert thompson.statements[0].startswith("history-conditioned: regret ")
    assert 1.2 < figures["regret / Bayes"].low < figures["regret / Bayes"].high < 2.2
    assert figures["last ten / first ten"].high < 0.5
    assert figures["agreement with Bayes"].high < 0.95
    assert any("no recurrent state" in n for n in thompson.splits["heldout"].notes)


def leftwards(obs: Observation, state: Any, start: NDArray[np.bool_]) -> Any:
    return np.zeros(len(start), np.int64), None


def alternating(obs: Observation, state: Any, start: NDArray[np.bool_]) -> Any:
    return np.where(obs[LAST_ACTION] == 0, 1, 0), None


def forgetful_winner(obs: Observation, state: Any, start: NDArray[np.bool_]) -> Any:
    """Win-stay, lose-shift: all in the last observation."""
    return obs[LAST_ACTION] % 2 ^ (obs[LAST_REWARD][:, 0] < 0.5), None


@functools.cache
def profiled(agent: Any, task: str, levels: int = FEWEST) -> Profile:
    """Profile an agent on few levels."""
    return profile(agent, task, levels=levels)


@pytest.mark.parametrize(
    ("agent", "task", "levels", "headline"),
    [
        (leftwards, BANDIT, FEWEST, "not history-conditioned"),
        (RandomAgent(3), "Harlow-v0", FEWEST, "not history-conditioned"),
        (alternating, "Baiting-v0", FEWEST, "history-conditioned, not by rewards"),
        (forgetful_winner, BANDIT, FEW, "history-conditioned: "),
    ],
)
def test_headlines_claim_what_was_shown(agent: Any, task: str, levels: int, headline: str) -> None:
    assert profiled(agent, task, levels).statements[0].startswith(headline)


def test_a_control_that_breaks_nothing_is_said_to() -> None:
    found = profiled(forgetful_winner, BANDIT, FEW)
    (line,) = (s for s in found.statements if s.startswith("with its state reset at every step"))
    assert "is not shown to do worse" in line
    (line,) = (s for s in found.statements if s.startswith("with its reward input zeroed"))
    assert "at chance" in line


def test_profiles_repeat() -> None:
    agents = [LearnerAgent(get_task("Harlow-v0"), WinStay(), 1) for _ in range(2)]
    first, second = (profile(agent, "Harlow-v0", levels=FEW, seed=2) for agent in agents)
    assert first == second


# Figures.


def test_intervals_of_means_and_ratios_are_those_of_theory() -> None:
    rng = np.random.default_rng(0)
    values, draws = rng.normal(5, 2, 400), Resampling(400)
    found = draws.mean(values)
    assert found.mean == pytest.approx(values.mean())
    assert found.high - found.low == pytest.approx(2 * 1.96 * 2 / 20, rel=0.15)
    ratio = draws.ratio(3 * values, values)
    assert (ratio.mean, ratio.low, ratio.high) == pytest.approx((3, 3, 3))


def test_forfeited_trials_cost_what_the_best_arm_pays() -> None:
    means = np.broadcast_to([0.2, 0.7], (10, 20, 2))
    history = TrialHistory(
        np.full((10, 20), -1), np.zeros((10, 20)), means, np.zeros((10, 20), np.int64)
    )
    found = outcome(history).figures
    assert found["regret"].mean == pytest.approx(14)
    assert found["forfeited"].mean == 1


def test_learning_rates_follow_volatility_for_bayes_and_not_for_a_fixed_rate() -> None:
    def shown(learner: Learner) -> tuple[float, float]:
        calm, fast = (as_trials(play(VolatileArms(h), learner, 100), np.zeros((100, 100, 2)))
                      for h in (0.005, 0.06))  # fmt: skip
        shift = rate_shift(rates(calm), rates(fast))
        assert shift is not None
        evidence = own_rates(calm, fast)
        assert evidence is not None
        return shift.mean, evidence

    shift, evidence = shown(VolatileBayes())
    assert shift > 0.05
    assert evidence > 10
    shift, evidence = shown(RescorlaWagner(0.5, 5.0, symmetric=True))
    assert abs(shift) < 0.03
    assert evidence < 10


@pytest.mark.parametrize(("split", "common"), [("heldout", True), ("test", False)])
def test_bayes_stays_by_the_transition_on_the_real_task(split: str, *, common: bool) -> None:
    history = played(BAYES, "TwoStep-v0", split)
    found = (staying(history) | regression(history)).figures
    for name, value in {"RC": 1.0, "RU": 0.67, "NC": 0.66, "NU": 1.0, "MB": 0.67}.items():
        assert found[name].mean == pytest.approx(value, abs=0.05), name
    assert abs(found["MF"].mean) < 0.06
    assert found["MB weight"].low > 0
    usual = kinds_of(history)[..., [0, 2]].any(-1)
    np.testing.assert_array_equal(usual, (history.states == history.choices) == common)


def test_a_model_free_learner_stays_by_reward() -> None:
    history = two_steps(ModelFree(0.4, 1.0, 8.0), 300)
    found = (staying(history) | regression(history)).figures
    assert found["MF"].low > 0.4
    assert found["MB"].high < 0.4
    assert found["MF weight"].low > 3 * abs(found["MB weight"].mean)


def test_the_regression_finds_planted_weights() -> None:
    rng = np.random.default_rng(1)
    x = rng.integers(-1, 2, (20_000, 6)).astype(float)
    planted = np.array([1.5, -1.0, 0.0, 0.5, 0.0, 2.0])
    y = (rng.random(20_000) < 1 / (1 + np.exp(-x @ planted))).astype(float)
    weights, cover = logistic(x, y, np.arange(20_000) // 50)
    assert (np.abs(weights - planted) < 4 * np.sqrt(np.diag(cover))).all()
    assert np.sqrt(np.diag(cover)).max() < 0.05


def test_the_regression_has_an_answer_where_choices_have_no_noise() -> None:
    x = np.repeat([[1.0, 0.0], [-1.0, 1.0]], 50, 0)
    weights, cover = logistic(x, np.repeat([1.0, 0.0], 50), np.arange(100))
    assert np.isfinite(weights).all()
    assert np.isfinite(cover).all()
    assert weights[0] > 2


def test_harlow_is_learnt_in_one_trial_by_who_remembers_objects_not_sides() -> None:
    by_object = accuracy(played(BAYES, "Harlow-v0", "test")).figures
    assert by_object["trial 1"].low < 0.5 < by_object["trial 1"].high
    assert by_object["trial 2"].mean == by_object["trials 3–6"].mean == 1
    by_side = accuracy(played("win-stay by side", "Harlow-v0", "test")).figures
    assert by_side["trials 3–6"].high < 0.6


def test_matching_slopes_are_those_of_the_learners() -> None:
    process = BaitedArms()
    history = play(process, BaitingBayes(), 300)
    found = matching(as_trials(history, np.broadcast_to(process.base[:, None], (300, 100, 2))))
    assert found.figures["matching slope"].mean == pytest.approx(matching_slope(history))
    log_base = np.array(found.samples["log ratio of base chances"])
    log_choices = np.array(found.samples["log ratio of choices"])
    assert np.corrcoef(log_base, log_choices)[0, 1] > 0.8


def test_who_takes_one_arm_only_matches_rewards_and_overmatches_base_chances() -> None:
    found = {name: matching(played(name, "Baiting-v0", "test")).figures for name in
             (BAYES, "greedy", "random")}  # fmt: skip
    assert found["greedy"]["matching slope"].low > 0.9
    assert found["greedy"]["slope over base chances"].low > 1.15
    assert 0.95 < found[BAYES]["slope over base chances"].mean < 1.05
    assert found["random"]["slope over base chances"].high < 0.05


def test_marks_are_met_by_the_figure_and_bands_by_the_interval() -> None:
    found = Resampling(100).mean(np.random.default_rng(0).normal(3.0, 1.0, 100))
    assert at_most("x", found, found.mean).passed
    assert not at_most("x", found, 2.5).passed
    assert at_least("x", found, 2.5).passed
    assert not at_least("x", found, 3.5).passed
    assert around("x", found, found.high + 0.1, 0.2).passed
    assert not around("x", found, found.high + 0.3, 0.2).passed
    assert not at_most("x", None, 1.0).passed
    assert not around("x", None, 1.0, 1.0).passed


def test_names_of_curves_are_moved_apart_and_keep_their_order() -> None:
    places = spread([0.0, 0.01, 0.02, 5.0, 9.9, 10.0], 1.0, 0.0, 10.0)
    assert np.diff(places).min() >= 1 - 1e-3
    assert min(places) >= 0
    assert max(places) <= 10


# Beside Bayes, and inside.


def logits_of(chances: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return logits over three actions, the last of which is never taken."""
    with np.errstate(divide="ignore"):
        both = np.log(chances)
    return np.concatenate([both, np.full((*both.shape[:2], 1), -np.inf)], -1)


def test_divergence_is_none_from_bayes_and_one_bit_from_even_choices() -> None:
    history = steady(DependentBayes(), DependentArms())
    policy = policy_along(DependentBayes(), history.choices, history.rewards)
    same = beside_bayes(DependentBayes(), history, logits_of(policy)).figures
    assert same["KL from Bayes"].mean == pytest.approx(0, abs=1e-9)
    assert same["agreement with Bayes"].mean == 1
    even = beside_bayes(DependentBayes(), history, logits_of(np.full(policy.shape, 0.5))).figures
    clear = (policy.max(-1) > 0.5).mean()
    assert even["KL from Bayes"].mean == pytest.approx(clear * np.log(2))
    coarse = beside_bayes(DependentBayes(), history, None).figures["KL from Bayes, by agreement"]
    assert 0 < coarse.mean < 0.02


def planted(noise: float, episodes: int = FEW) -> tuple[TrialHistory, Inner]:
    """Return a history, and a state in which the belief lies mixed with noise."""
    history, rng = steady(Thompson(), IndependentArms(), episodes), np.random.default_rng(0)
    belief = beliefs_along(Optimal(), history)
    mixed = belief @ rng.normal(size=(2, 16)) + noise * rng.normal(size=(*belief.shape[:2], 16))
    sight = np.zeros((*belief.shape[:2], 2))
    sight[:, 1:, 0], sight[:, 1:, 1] = history.choices[:, :-1], history.rewards[:, :-1]
    return history, Inner(None, mixed, sight, rng.normal(size=mixed.shape))


def test_the_probe_reads_a_planted_belief_and_no_other() -> None:
    history, inner = planted(noise=0.05)
    found = decode_belief(Optimal(), history, inner).figures
    assert found["belief R²"].low > 0.9
    assert found["belief R², labels shuffled"].high < 0.2
    assert found["belief R², untrained"].high < 0.1
    assert found["belief R², from the observation"].high < 0.6


def test_the_probe_finds_nothing_where_there_is_nothing() -> None:
    history, inner = planted(noise=0.05)
    assert inner.untrained is not None
    noise = Inner(None, inner.untrained, inner.sight, None)
    assert decode_belief(Optimal(), history, noise).figures["belief R²"].high < 0.1


def test_beliefs_of_a_coin_are_laplaces() -> None:
    history = steady(Thompson(), IndependentArms(), 8)
    for arm in range(2):
        pulled = history.choices == arm
        before = np.cumsum(pulled, 1) - pulled
        won = np.cumsum(pulled * history.rewards, 1) - pulled * history.rewards
        expected = (won + 1) / (before + 2)
        np.testing.assert_allclose(beliefs_along(Optimal(), history)[..., arm], expected)


class Port(NamedTuple):
    """An input or output of a graph."""

    name: str
    element: Any
    sizes: tuple[int, ...] = ()

    def proto(self) -> Any:
        return helper.make_tensor_value_info(self.name, self.element, ["B", *self.sizes])


def delta_rule_network(rate: float = 0.3, sharp: float = 12.0) -> OnnxAgent:
    """Return a recurrent network by hand: v += α (r - ½ - v) for the arm turned to."""
    nodes = [
        helper.make_node("OneHot", ["obs.last_action", "depth", "ends"], ["turned"]),
        helper.make_node("MatMul", ["turned", "arms"], ["arm"]),
        helper.make_node("Sub", ["obs.last_reward", "half"], ["worth"]),
        helper.make_node("Sub", ["worth", "v"], ["surprise"]),
        helper.make_node("Mul", ["surprise", "arm"], ["change"]),
        helper.make_node("Add", ["v", "change"], ["v_next"]),
        helper.make_node("Gemm", ["v_next", "read", "bias"], ["logits"]),
    ]
    constants = {
        "depth": np.array(4),
        "ends": np.array([0, 1], np.float32),
        "arms": np.array([[rate, 0], [0, rate], [0, 0], [0, 0]], np.float32),
        "half": np.array(0.5, np.float32),
        "read": np.array([[sharp, 0, 0], [0, sharp, 0]], np.float32),
        "bias": np.array([0, 0, -20], np.float32),
    }
    graph = helper.make_graph(
        nodes,
        "delta_rule",
        [p.proto() for p in (Port("obs.last_action", Type.INT64),
                             Port("obs.last_reward", Type.FLOAT, (1,)),
                             Port("v", Type.FLOAT, (2,)))],
        [p.proto() for p in (Port("logits", Type.FLOAT, (3,)), Port("v_next", Type.FLOAT, (2,)))],
        [onnx.numpy_helper.from_array(array, name) for name, array in constants.items()],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    helper.set_model_props(model, {"action": "sample"})
    task = get_task(BANDIT)
    return OnnxAgent(model.SerializeToString(), observation_space(task), task.actions)


def test_a_network_from_a_file_is_seen_through(tmp_path: Path) -> None:
    found = evaluate_learning(delta_rule_network(), BANDIT, tmp_path, levels=FEW)
    assert found.statements[0].startswith("history-conditioned: ")
    figures = found.splits["heldout"].figures
    assert 0 < figures["KL from Bayes"].mean < np.log(2)
    assert figures["belief R²"].low > 0.5
    assert figures["belief R²"].mean > figures["belief R², from the observation"].mean + 0.1
    assert {"belief R², untrained", "belief R², labels shuffled"} <= figures.keys()
    assert len(found.splits["heldout"].curves["KL from Bayes"].mean) == 100
    check_files(tmp_path, found)


# Files.


def check_files(folder: Path, found: Profile) -> None:
    """Check what was written."""
    text = (folder / "evaluation.json").read_text("utf-8")
    held = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} in JSON"))
    jsonschema.Draft202012Validator(SCHEMA).validate(held)
    assert (held["env"], held["track"]) == (found.task.id, "learning")
    assert held["statements"] == list(found.statements)
    page = (folder / "report.html").read_text("utf-8")
    shown = re.sub(r"data:image/png;base64,[^\"]+", "", page)
    assert not re.search(r"https?://(?!www\.w3\.org)[^ }{]+[\"']", shown)
    assert "<script" not in shown
    assert found.statements[0][1:10] in shown
    assert shown.count("<img") >= 2
    claims = " ".join(found.statements).casefold()
    assert not re.search(r"search|planning|plans", claims)
    assert sorted(p.name for p in folder.iterdir()) == ["evaluation.json", "report.html"]


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("task", [t for t in TASKS if t != BANDIT])
def test_bayes_passes_and_is_written_down(task: str, tmp_path: Path) -> None:
    agent = references_for(get_task(task), "heldout", seed=9)[BAYES]()
    found = evaluate_learning(agent, task, tmp_path, levels=FEW)
    assert found.statements[0].startswith("history-conditioned: ")
    assert [mark.line for mark in found.passes if not mark.passed] == []
    assert (
        found.splits.keys() == found.references.keys() == get_task(task).splits.keys() - {"train"}
    )
    check_files(tmp_path, found)


def test_an_agent_that_never_chooses_is_written_down_too(tmp_path: Path) -> None:
    def ahead(obs: Observation, state: Any, start: NDArray[np.bool_]) -> Any:
        return np.full(len(start), 2), None

    found = evaluate_learning(ahead, "TwoStep-v0", tmp_path, levels=24)
    assert found.statements[0].startswith("not history-conditioned")
    assert "forfeits 100.0 %" in found.statements[-1]
    assert not any(mark.passed for mark in found.passes)
    check_files(tmp_path, found)


def test_read_history_agrees_with_what_was_observed() -> None:
    task = get_task(BANDIT)
    noted: list[Observation] = []

    def noting(obs: Observation, state: Any, start: NDArray[np.bool_]) -> Any:
        noted.append(obs)
        return np.arange(len(start)) % 3, None

    history = read_history(rollout(noting, task, "heldout", 12))
    rewards = np.stack([o[LAST_REWARD][:, 0] for o in noted[1:]], 1)
    np.testing.assert_allclose(history.rewards[:, :-1], rewards, atol=1e-6)
    assert (history.choices[2::3] == -1).all()
    assert (history.choices[1::3] == 1).all()
