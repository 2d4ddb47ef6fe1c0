"""Adaptivity beside Bayes and inside, and the files that tell of it."""

import json
import re
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import jsonschema
import numpy as np
import onnx
import pytest
from histories import BANDIT, FEW, steady
from numpy.typing import NDArray
from onnx import TensorProto as Type
from onnx import helper

from mesabench.adaptivity.bayes import beliefs_along, beside_bayes
from mesabench.adaptivity.belief import decode_belief
from mesabench.adaptivity.evaluating import evaluate_learning
from mesabench.adaptivity.profile import Profile
from mesabench.adaptivity.references import BAYES, references_for
from mesabench.adaptivity.watching import Inner
from mesabench.agents.onnx_agent import OnnxAgent
from mesabench.learning.dependent import DependentBayes
from mesabench.learning.heuristics import Thompson
from mesabench.learning.history import policy_along
from mesabench.learning.optimal import Optimal
from mesabench.learning.processes import DependentArms, IndependentArms
from mesabench.observation import Observation, observation_space
from mesabench.registry import get_task, task_ids
from mesabench.rollout import rollout
from mesabench.trials import LAST_REWARD, TrialHistory, read_history

TASKS = task_ids("learning")
SCHEMA = json.loads(
    files("mesabench.adaptivity").joinpath("profile.schema.json").read_text("utf-8")
)


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
    assert len(repr(found)) < 20_000  # whoever prints it wants to read it


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
