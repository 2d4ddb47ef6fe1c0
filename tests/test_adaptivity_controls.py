"""Controls break what they say they break, and headlines claim what was shown."""

import functools
from typing import Any

import numpy as np
import pytest
from histories import (
    BANDIT,
    FEW,
    FEWEST,
    HALF,
    observed,
)
from numpy.typing import NDArray

from mesabench.adaptivity.controls import CONTROLS
from mesabench.adaptivity.learner_agent import LearnerAgent
from mesabench.adaptivity.profile import Profile, profile
from mesabench.agents.planned import RandomAgent
from mesabench.learning.heuristics import Thompson, WinStay
from mesabench.observation import Observation
from mesabench.registry import get_task
from mesabench.trials import LAST_ACTION, LAST_REWARD


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
