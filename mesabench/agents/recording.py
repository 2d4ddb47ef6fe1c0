"""`Recorder`: an agent wrapped so that what it shows of itself along a rollout is kept.

An agent shows what its `respond` returns beside the actions (see `OnnxAgent.respond`): a value,
features and its recurrent state. One that has no `respond` shows its state alone, if that is a
mapping of arrays.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from mesabench.agents.kinds import Agent, Privileged
from mesabench.engine.batch import Engine
from mesabench.observation import Observation

LIMIT = 2**28  # bytes that a record takes at most, as long as one step alone does not
SIGHT, STATE, VALUE, FEATURES = "obs.", "state.", "value", "x"

Step = dict[str, NDArray]


class Answer(Protocol):
    """What an agent shows of itself for a batch of B rows; `Output` is one."""

    @property
    def value(self) -> NDArray[np.float32] | None:
        """What it expects to earn, [B]."""
        ...

    @property
    def state(self) -> Mapping[str, NDArray[np.float32]]:
        """Its recurrent state after this step, by name, each [B, ...]."""
        ...

    @property
    def x(self) -> NDArray[np.float32] | None:
        """The features from which it chooses, [B, D]."""
        ...


@runtime_checkable
class Responsive(Protocol):
    """An agent that shows more than its actions."""

    def respond(
        self, obs: Observation, state: Any, episode_start: NDArray[np.bool_]
    ) -> tuple[NDArray[np.integer], Answer]:
        """Return the actions [B] and what the agent shows."""
        ...


@dataclass(frozen=True)
class Record:
    """What an agent saw and showed at S steps of a rollout of N episodes.

    Steps after an episode's end are recorded like others; the rollout says which those are.

    Attributes:
        steps: int64 [S] the steps, ascending, evenly spaced from 0.
        value: float32 [S, N], None where the agent shows none.
        x: float32 [S, N, D], None where the agent shows none.
        state: float32 [S, N, D] all recurrent state side by side, None where there is none.
        sight: name of an observation → [S, N, D] with the observation's own dtype.
    """

    steps: NDArray[np.int64]
    value: NDArray[np.float32] | None
    x: NDArray[np.float32] | None
    state: NDArray[np.float32] | None
    sight: dict[str, NDArray]


class Recorder:
    """Acts as `agent` does and notes what it saw and showed.

    Once more than `limit` bytes are kept, every other step is dropped, and from then on only
    every other one is noted. A record begins anew with every rollout.

    Args:
        agent: the agent.
        limit: bytes.
    """

    def __init__(self, agent: Agent, limit: int = LIMIT):
        self.agent, self.limit = agent, limit
        self._forget()

    def attach(self, engine: Engine) -> None:
        """Begin a record; show the engine to an agent that asks for it."""
        self._forget()
        if isinstance(self.agent, Privileged):
            self.agent.attach(engine)

    def __call__(
        self, obs: Observation, state: Any, episode_start: NDArray[np.bool_]
    ) -> tuple[NDArray[np.integer], Any]:
        """Return the agent's actions [N] and its next state."""
        noted: Step = {SIGHT + name: array for name, array in obs.items() if name != "mission"}
        if isinstance(self.agent, Responsive):
            actions, answer = self.agent.respond(obs, state, episode_start)
            following = answer.state
            shown = {VALUE: answer.value, FEATURES: answer.x}
            noted |= {name: array for name, array in shown.items() if array is not None}
        else:
            actions, following = self.agent(obs, state, episode_start)
        if isinstance(following, Mapping):
            noted |= {STATE + name: array for name, array in following.items()}
        self._note(noted)
        return actions, following

    def record(self) -> Record:
        """Return what was noted since the last rollout began."""
        names = self._kept[0] if self._kept else {}
        joined = {name: np.stack([step[name] for step in self._kept]) for name in names}
        state = [part for name, part in joined.items() if name.startswith(STATE)]
        return Record(
            steps=np.arange(len(self._kept)) * self._stride,
            value=None if VALUE not in joined else joined[VALUE][..., 0],
            x=joined.get(FEATURES),
            state=np.concatenate(state, -1) if state else None,
            sight={n.removeprefix(SIGHT): a for n, a in joined.items() if n.startswith(SIGHT)},
        )

    def _forget(self) -> None:
        self._kept: list[Step] = []
        self._step, self._stride = 0, 1

    def _note(self, noted: Step) -> None:
        if self._step % self._stride == 0:
            rows = {name: np.asarray(array) for name, array in noted.items()}
            flat = {name: array.reshape(len(array), -1).copy() for name, array in rows.items()}
            self._kept.append(flat)
            size = sum(array.nbytes for array in flat.values())
            if len(self._kept) > 1 and len(self._kept) * size > self.limit:
                self._kept, self._stride = self._kept[::2], 2 * self._stride
        self._step += 1
