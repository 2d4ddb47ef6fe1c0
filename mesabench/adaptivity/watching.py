"""`Watcher`: notes what an agent shows of itself before every choice of a trial."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesabench.agents.kinds import Agent, Privileged
from mesabench.agents.onnx_agent import OnnxAgent
from mesabench.agents.recording import Responsive
from mesabench.agents.untrained import untrained_agents
from mesabench.engine.batch import Engine
from mesabench.errors import AgentError
from mesabench.observation import Observation
from mesabench.rollout import rollout
from mesabench.task import Task
from mesabench.trials import LAST_ACTION, TrialHistory, read_history

PROBED = 128  # episodes whose state is kept


@dataclass(frozen=True)
class Inner:
    """What was seen and shown before each of T choices in N episodes.

    Attributes:
        logits: float [N, T, A], None where the agent shows none.
        state: float [M, T, D] of the first M episodes, None where the agent shows none.
        sight: float [M, T, S] the observation.
        untrained: float [M, T, D] state of the agent's network with permuted weights, which saw
            the same.
    """

    logits: NDArray | None
    state: NDArray | None
    sight: NDArray
    untrained: NDArray | None


class Watcher:
    """Acts as `agent` does, and notes what it shows at the first step of every trial.

    Args:
        agent: the agent.
        steps: engine steps of a trial.
        actions: how many actions there are.
        shadow: an agent that sees the same and decides nothing.
    """

    def __init__(self, agent: Agent, steps: int, actions: int, shadow: Agent | None = None):
        self.agent, self.steps, self.actions, self.shadow = agent, steps, actions, shadow
        self._notes: dict[str, list[NDArray]] = {}
        self._step, self._shadow_state = 0, None

    def attach(self, engine: Engine) -> None:
        """Begin anew; show the engine to an agent that asks for it."""
        self._notes, self._step, self._shadow_state = {}, 0, None
        if isinstance(self.agent, Privileged):
            self.agent.attach(engine)

    def __call__(
        self, obs: Observation, state: Any, episode_start: NDArray[np.bool_]
    ) -> tuple[NDArray[np.integer], Any]:
        """Return the agent's actions [N] and its next state."""
        logits = None
        if isinstance(self.agent, Responsive):
            chosen, answer = self.agent.respond(obs, state, episode_start)
            following, logits = answer.state, getattr(answer, "logits", None)
        else:
            chosen, following = self.agent(obs, state, episode_start)
        if self.shadow is not None:
            _, self._shadow_state = self.shadow(obs, self._shadow_state, episode_start)
        if self._step % self.steps == 0:
            self._note("sight", flat_sight(obs, self.actions)[:PROBED])
            self._note("logits", logits)
            self._note("state", flat_state(following))
            self._note("untrained", flat_state(self._shadow_state))
        self._step += 1
        return chosen, following

    def _note(self, name: str, array: NDArray | None) -> None:
        if array is not None:
            self._notes.setdefault(name, []).append(np.array(array, np.float32))

    def inner(self) -> Inner:
        """Return what was noted since the last rollout began."""
        found = {name: np.stack(arrays, 1) for name, arrays in self._notes.items()}
        parts = (found.get(name) for name in ("logits", "state", "untrained"))
        logits, state, untrained = parts
        return Inner(logits, state, found["sight"], untrained)


def flat_state(state: Any) -> NDArray | None:
    """Return the recurrent state of the first episodes side by side, [M, D]; None without one."""
    if not isinstance(state, Mapping) or not state:
        return None
    parts = [np.asarray(part)[:PROBED] for part in state.values()]
    return np.concatenate([part.reshape(len(part), -1) for part in parts], 1)


def flat_sight(obs: Observation, actions: int) -> NDArray:
    """Return an observation side by side [N, S], with the last action as an indicator."""
    parts = [np.eye(actions + 1)[obs[LAST_ACTION]]]
    parts += [
        a.reshape(len(a), -1) for name, a in obs.items() if name not in (LAST_ACTION, "mission")
    ]
    return np.concatenate(parts, 1)


def untrained(agent: Agent, task: Task) -> Agent | None:
    """Return an agent's network with permuted weights; None where there is no network to see."""
    if not isinstance(agent, OnnxAgent):
        return None
    try:
        return untrained_agents(agent.model, task, seeds=1)[0]
    except AgentError:
        return None


def watch(
    agent: Agent, task: Task, split: str, levels: int, *, inside: bool = False, seed: int = 0
) -> tuple[TrialHistory, Inner | None]:
    """Let an agent play the first levels of a split.

    Args:
        agent: the agent; one that draws its actions is seeded anew.
        task: a task with trials.
        split: name of the split.
        levels: how many levels, from number 0.
        inside: whether to note what the agent shows of itself.
        seed: of drawn actions.

    Returns:
        What was chosen and paid, and what was noted.
    """
    assert task.trials is not None
    if isinstance(agent, OnnxAgent):
        agent.reseed(seed)
    if not inside:
        return read_history(rollout(agent, task, split, levels)), None
    watcher = Watcher(agent, task.trials.steps, task.actions, untrained(agent, task))
    return read_history(rollout(watcher, task, split, levels)), watcher.inner()
