"""Odd and hostile agents: each fault is found in an agent that has it, and in no other."""

import dataclasses
import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from small_agents import agent as onnx_agent
from small_agents import constant, counter, with_properties
from test_thinking import feed_forward, loaded

from mesabench.agents.onnx_agent import OnnxAgent, Output
from mesabench.agents.planned import PlannedAgent, RandomAgent
from mesabench.agents.walker import GreedyWalker
from mesabench.beside.asking import Timed, differing
from mesabench.beside.oddities import CONSTANT, LEVELS, SLOW, find_oddities, is_slow
from mesabench.engine.codes import RIGHT
from mesabench.errors import NonFiniteLogits
from mesabench.files import as_json
from mesabench.observation import Observation, observation_space
from mesabench.registry import get_task
from mesabench.rollout import rollout

TASK = get_task("RedDoor-v0")
Act = Callable[[Observation, Any, NDArray[np.bool_]], Any]


def number(obs: Observation) -> NDArray[np.int64]:
    """Return a number of each view, so that agents act by what they see."""
    weights = np.arange(1, 148).reshape(7, 7, 3)
    return (obs["image"].astype(np.int64) * weights).sum((1, 2, 3)) + obs["direction"]


def reactive(obs: Observation, state: Any, start: NDArray[np.bool_]) -> Any:
    """Act by the view alone."""
    return number(obs) % 3, state


def constant_action(obs: Observation, state: Any, start: NDArray[np.bool_]) -> Any:
    return np.full(len(start), RIGHT), state


def wrong_action(obs: Observation, state: Any, start: NDArray[np.bool_]) -> Any:
    return np.full(len(start), 9), state


def late_wrong_action(obs: Observation, state: Any, start: NDArray[np.bool_]) -> Any:
    """Break only in batches larger than those that are played first."""
    return np.full(len(start), 0 if len(start) <= LEVELS else 9), state


def crash(obs: Observation, state: Any, start: NDArray[np.bool_]) -> Any:
    raise KeyError("inventory")


def forgetless(obs: Observation, state: Any, start: NDArray[np.bool_]) -> Any:
    """Carry state on without a look at `start`."""
    state = np.zeros(len(start), np.int64) if state is None else state + 1
    return (number(obs) + state) % 3, state


def counting(obs: Observation, state: Any, start: NDArray[np.bool_]) -> Any:
    """Carry state as one should."""
    state = np.zeros(len(start), np.int64) if state is None else np.where(start, 0, state + 1)
    return (number(obs) + state) % 3, state


class Hidden:
    """Carries state in itself, out of the caller's sight."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, obs: Observation, state: Any, start: NDArray[np.bool_]) -> Any:
        self.calls += 1
        return (number(obs) + self.calls) % 3, state


def normalising(obs: Observation, state: Any, start: NDArray[np.bool_]) -> Any:
    """Act by how a view compares with the others of the batch."""
    seen = number(obs)
    return np.where(seen > seen.mean(), 2, seen % 2), state


def by_row(obs: Observation, state: Any, start: NDArray[np.bool_]) -> Any:
    """Act by the place in the batch."""
    return (number(obs) + np.arange(len(start))) % 3, state


def kinds(agent: Any) -> list[str]:
    return [finding.kind for finding in find_oddities(agent, TASK).findings]


@pytest.mark.parametrize(
    ("agent", "kind", "severity", "words"),
    [
        (constant_action, "constant", "warning", "action 1 in 100.0 %"),
        (wrong_action, "broken", "error", "action 9 at RedDoor-v0/test/0, step 0"),
        (late_wrong_action, "broken", "error", "from 0 to 2, not to 9"),
        (crash, "broken", "error", "KeyError: 'inventory'"),
        (forgetless, "carries", "warning", "across episodes"),
        (Hidden(), "carries", "warning", "across episodes"),
        (normalising, "batch", "warning", "what else is in its batch"),
        (by_row, "batch", "warning", "what else is in its batch"),
        (RandomAgent(3), "samples", "note", "on 16 of 16 levels"),
    ],
)
def test_a_fault_is_found_and_no_other(agent: Act, kind: str, severity: str, words: str) -> None:
    (found,) = find_oddities(agent, TASK).findings
    assert (found.kind, found.severity) == (kind, severity)
    assert words in found.sentence


def test_an_agent_that_only_turns_is_constant_and_nothing_else() -> None:
    found = find_oddities(constant_action, TASK)
    assert found.action_shares == [0.0, 1.0, 0.0]
    assert max(find_oddities(reactive, TASK).action_shares) < CONSTANT


@pytest.mark.parametrize(("seconds", "slow"), [(0.1, True), (0.0, False)])
def test_slow_agents_are_noted(seconds: float, slow: bool) -> None:
    def sleepy(obs: Observation, state: Any, start: NDArray[np.bool_]) -> Any:
        time.sleep(seconds)
        return reactive(obs, state, start)

    timed, start = Timed(sleepy), np.ones(10, bool)
    obs = {"image": np.zeros((10, 7, 7, 3), np.uint8), "direction": np.zeros(10, np.int64)}
    for _ in range(3):
        timed(obs, None, start)
    assert timed.rate <= 10 / seconds if slow else timed.rate > SLOW
    assert (is_slow(timed.rate) is not None) == slow


@pytest.mark.parametrize("agent", [reactive, counting])
def test_nothing_is_found_in_agents_without_fault(agent: Act) -> None:
    found = find_oddities(agent, TASK)
    assert (found.findings, found.untested) == ([], [])
    assert found.steps_per_second is not None
    assert found.steps_per_second > 0


@pytest.mark.parametrize("task_id", ["RedDoor-v0", "KeysChests-v0", "ButtonLamp-v0"])
def test_planned_agents_and_walkers_do_nothing_but_draw_lots(task_id: str) -> None:
    task = get_task(task_id)
    for agent in (PlannedAgent(task, {task.base.name: 1.0}), GreedyWalker(task, task.base.name)):
        findings = find_oddities(agent, task).findings
        assert [f.kind for f in findings] in ([], ["samples"])


def test_lots_keep_other_checks_from_being_made() -> None:
    assert find_oddities(RandomAgent(3), TASK).untested


class Unsteady(OnnxAgent):
    """A greedy file that is run by something with noise in it."""

    noise = np.random.default_rng(0)

    def infer(self, obs: Any, state: Any, episode_start: Any) -> Output:
        output = super().infer(obs, state, episode_start)
        noise = self.noise.normal(size=output.logits.shape).astype(np.float32)
        return output._replace(logits=output.logits + noise)


def test_files_have_no_oddities() -> None:
    """Not even a graph that ignores `episode_start`: its state is reset for it."""
    assert kinds(loaded(counter())) == []
    assert kinds(loaded(feed_forward("greedy"))) == []
    assert kinds(loaded(feed_forward("sample"))) == ["samples"]


def test_a_greedy_file_that_is_not_steady_is_doubtful() -> None:
    data = feed_forward("greedy").SerializeToString()
    found = find_oddities(Unsteady(data, observation_space(TASK), 3), TASK).findings
    assert (found[0].kind, found[0].severity) == ("unsteady", "warning")


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_logits_without_a_choice_name_level_and_step(bad: float) -> None:
    proto = counter()
    for place, tensor in enumerate(proto.graph.initializer):
        if tensor.name == "one":  # the count is lost after the first step
            proto.graph.initializer[place].CopyFrom(constant("one", bad))
    broken = loaded(proto)
    with pytest.raises(NonFiniteLogits, match=r"at RedDoor-v0/test/0, step 1"):
        rollout(broken, TASK, "test", 4)
    (found,) = find_oddities(broken, TASK).findings
    assert (found.kind, found.severity) == ("broken", "error")
    assert "step 1" in found.sentence


def test_masked_actions_are_no_difference() -> None:
    proto = with_properties(counter(), action="greedy")
    for place, tensor in enumerate(proto.graph.initializer):
        if tensor.name == "actions":
            proto.graph.initializer[place].CopyFrom(constant("actions", [0, np.inf, 2]))
    assert np.isneginf(onnx_agent(proto).infer({}, None, np.ones(1)).logits[0, 1])
    assert kinds(loaded(proto)) == []


def test_answers_differ_by_more_than_precision() -> None:
    first = np.zeros((4, 3, 2))
    first[0, :, 0] = 100.0
    second = first.copy()
    second[0, 1, 0] += 1e-3  # of 100
    second[2, 2, 1] += 1e-3  # of 0
    assert differing(first, second).tolist() == [False, False, True]
    second[3, 0] = np.nan
    assert differing(first, second).tolist() == [True, False, True]


def test_findings_can_be_written() -> None:
    found = find_oddities(crash, TASK)
    assert json.loads(json.dumps(as_json(dataclasses.asdict(found))))["steps_per_second"] is None
