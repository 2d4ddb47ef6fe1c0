"""`OnnxAgent`: a trained agent from an ONNX file, as a batched policy with explicit state."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
from gymnasium import spaces
from numpy.typing import ArrayLike, NDArray

from mesabench.agents.session import Session
from mesabench.agents.signature import EPISODE_START, FEATURES, LOGITS, NEXT, VALUE, Rows, match
from mesabench.agents.vetting import MAX_BYTES, check, vet
from mesabench.errors import AgentError, NonFiniteLogits, unknown

ACTIONS = ("greedy", "sample")
# One row finds a lost batch axis, three find an axis fixed at one or two.
PROBES = (1, 3)

State = Mapping[str, NDArray[np.float32]]


class Output(NamedTuple):
    """What the graph answers for a batch of B rows."""

    logits: NDArray[np.float32]  # [B, actions]
    value: NDArray[np.float32] | None  # [B]
    state: State  # by input name, each [B, ...]
    x: NDArray[np.float32] | None = None  # [B, D]


class OnnxAgent:
    """A policy read from the bytes of an ONNX file: ``agent(obs, state, start) → actions, state``.

    The file may be a stranger's: see `mesabench.agents.vetting` for what is refused. Recurrent
    state is zero at every episode start, whether or not the graph sees to it.

    Arguments:
        data: the file's bytes.
        observation_space: the environment's, a Dict.
        num_actions: the environment's number of actions.
        seed: of the generator from which actions are drawn if the file asks for sampling. Draws
            advance the generator: a new agent with the same seed, or `reseed`, repeats a run.
        threads: CPU threads for one step.

    Attributes:
        metadata: the file's properties; an exporter's words, to be escaped where they are shown.
        action: "greedy" or "sample", as the file asks.
        signature: what the graph reads and writes.
        row_wise: whether an action depends on its own row alone; draws depend on the others'.

    Raises:
        AgentError: the file is refused, or does not fit the contract or the environment.
    """

    def __init__(
        self,
        data: bytes,
        observation_space: spaces.Dict,
        num_actions: int,
        seed: int = 0,
        *,
        threads: int = 1,
    ) -> None:
        model = vet(data)
        self.model = model
        self.metadata: dict[str, str] = {p.key: p.value for p in model.metadata_props}
        self.action = self.metadata.get("action", "greedy")
        if self.action not in ACTIONS:
            raise AgentError(unknown("value of the property action:", self.action, ACTIONS))
        self.signature = match(model.graph, observation_space, num_actions)
        check(model)  # after the contract's own errors, which say more
        self._session = Session(model, threads)
        self._rng = np.random.default_rng(seed)
        for batch in PROBES:
            self._probe(batch)

    @classmethod
    def load(
        cls,
        path: str | Path,
        observation_space: spaces.Dict,
        num_actions: int,
        seed: int = 0,
        *,
        threads: int = 1,
    ) -> Self:
        """Read an agent from the file at `path`; arguments and errors are the class's."""
        try:
            with Path(path).open("rb") as file:
                data = file.read(MAX_BYTES + 1)
        except OSError as error:
            raise AgentError(f"cannot read the agent {str(path)!r}: {error.strerror}") from error
        try:
            return cls(data, observation_space, num_actions, seed, threads=threads)
        except AgentError as error:
            raise AgentError(f"agent {str(path)!r}: {error}") from error

    @property
    def row_wise(self) -> bool:
        """Whether an action depends on its own row alone, as `mesabench.agents.kinds` asks."""
        return self.action == "greedy"

    def __call__(
        self, obs: Mapping[str, ArrayLike], state: State | None, episode_start: ArrayLike
    ) -> tuple[NDArray[np.int64], State]:
        """Choose an action for each row of a batch.

        Arguments:
            obs: arrays by key, each [B, ...]; keys that the agent does not read are ignored.
            state: what the last call returned; None before the first.
            episode_start: [B], true where an episode begins with this observation.

        Returns:
            The actions, int64 [B], and the state for the next call.

        Raises:
            NonFiniteLogits: some rows' logits allow no choice; its `rows` says which.
            AgentError: an observation or the state is missing or of the wrong shape.
        """
        actions, output = self.respond(obs, state, episode_start)
        return actions, output.state

    def respond(
        self, obs: Mapping[str, ArrayLike], state: State | None, episode_start: ArrayLike
    ) -> tuple[NDArray[np.int64], Output]:
        """Choose as a call does, and show the graph's whole answer.

        Arguments and errors are those of a call.

        Returns:
            The actions, int64 [B], and the answer; its state is for the next call.
        """
        start = np.asarray(episode_start, np.float32)
        if state is not None:
            state = {name: _restarted(array, start) for name, array in state.items()}
        output = self.infer(obs, state, start)
        return self._choose(output.logits), output

    def reseed(self, seed: int) -> None:
        """Begin the generator of sampled actions anew, so that a run can be repeated."""
        self._rng = np.random.default_rng(seed)

    def infer(
        self, obs: Mapping[str, ArrayLike], state: State | None, episode_start: ArrayLike
    ) -> Output:
        """Run the graph alone: `state` goes in as it is, also where an episode starts.

        Arguments are those of a call; logits come back whatever they are.

        Raises:
            AgentError: an observation or the state is missing or of the wrong shape.
        """
        start = np.asarray(episode_start, np.float32)
        batch = len(start)
        feed = {
            name: _fit(name, rows, obs.get(name.removeprefix("obs.")), batch)
            for name, rows in self.signature.observations.items()
        }
        for name, rows in self.signature.states.items():
            part = np.zeros((batch, *rows.shape), rows.dtype) if state is None else state.get(name)
            feed[name] = _fit(name, rows, part, batch)
        if self.signature.reads_episode_start:
            feed[EPISODE_START] = start
        found = self._session.run(feed)
        following = {name: found[name + NEXT] for name in self.signature.states}
        return Output(found[LOGITS], found.get(VALUE), following, found.get(FEATURES))

    def _choose(self, logits: NDArray[np.float32]) -> NDArray[np.int64]:
        """Return the best actions, or draws from softmax(logits) as argmax(logits + Gumbel noise).

        A logit of minus infinity is an action never taken; the row's largest must be finite.
        """
        rows = np.flatnonzero(~np.isfinite(logits.max(axis=1)))
        if len(rows):
            shown = ", ".join(map(str, rows[:10])) + (", …" if len(rows) > 10 else "")
            raise NonFiniteLogits(
                f"logits are not finite in {len(rows)} of {len(logits)} rows: {shown}", rows
            )
        noise = self._rng.gumbel(size=logits.shape) if self.action == "sample" else 0.0
        return (logits + noise).argmax(axis=1)

    def _probe(self, batch: int) -> None:
        """Run the graph on zeros and compare the outputs' shapes with the contract's."""
        signature = self.signature
        feed = {
            name: np.zeros((batch, *rows.shape), rows.dtype)
            for name, rows in {**signature.observations, **signature.states}.items()
        }
        if signature.reads_episode_start:
            feed[EPISODE_START] = np.ones(batch, np.float32)
        for name, array in self._session.run(feed).items():
            rows = signature.outputs[name]
            if array.shape != (batch, *rows.shape):
                raise AgentError(
                    f"output {name!r}: expected {rows}, found {list(array.shape)} for B = {batch}"
                )


def _restarted(array: NDArray[np.float32], start: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a copy of the state [B, ...] that is zero in the rows where `start` [B] is not.

    The rows are overwritten, not multiplied: 0 * NaN would carry a broken episode into the next.
    """
    if len(array) != len(start):
        raise AgentError(f"the state has {len(array)} rows, the batch {len(start)}")
    array = array.copy()
    array[start != 0] = 0
    return array


def _fit(name: str, rows: Rows, array: ArrayLike | None, batch: int) -> NDArray:
    """Return `array` as the graph's input `name`."""
    if array is None:
        raise AgentError(f"the agent reads {name!r}, which it was not given")
    array = np.ascontiguousarray(array, rows.dtype)
    if array.shape != (batch, *rows.shape):
        raise AgentError(f"{name!r}: expected {rows} with B = {batch}, found {list(array.shape)}")
    return array
