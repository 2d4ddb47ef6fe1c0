"""Whether an exported graph does what its model does, step by step in closed loop."""

from typing import Any, NamedTuple

import numpy as np
import torch
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray
from torch import Tensor

from mesabench.agents.one_step import action_values, memory_of
from mesabench.agents.onnx_agent import OnnxAgent, Output
from mesabench.agents.sb3_agent import as_trained
from mesabench.errors import AgentError

ROWS, STEPS = 64, 64
RESTART = 0.1  # probability that an episode starts at a step, so that episodes differ in length
TOLERANCE = 1e-4  # of log-probabilities and values up to 1; in proportion above


class Answer(NamedTuple):
    """What the model itself says for a batch of B rows."""

    actions: Tensor  # [B] its deterministic choice
    logits: Tensor  # [B, actions]
    value: Tensor  # [B]
    state: Any  # Stable-Baselines3's own, for the next call


def require_parity(policy: Any, agent: OnnxAgent, space: Any) -> None:
    """Run a policy and its exported graph side by side on random observations.

    Each carries its own recurrent state; the graph must reset its own where an episode starts.

    Arguments:
        policy: the Stable-Baselines3 policy, in evaluation mode.
        agent: the exported graph.
        space: the observation space, a Dict.

    Raises:
        AgentError: log-probabilities or values differ by more than `TOLERANCE`, or the model
            chooses an action that is not the graph's best up to that much.
    """
    batched = batch_space(space, ROWS)
    batched.seed(0)
    restarts = np.random.default_rng(0).random((STEPS, ROWS)) < RESTART
    restarts[0] = True
    theirs, ours = None, None
    for step, start in enumerate(restarts):
        obs = batched.sample()
        with torch.no_grad():
            answer = ask(policy, obs, theirs, start)
        output = agent.infer(obs, ours, start)
        theirs, ours = answer.state, output.state
        if difference := compare(output, answer):
            raise AgentError(
                "the exported graph does not act as the model does: at step"
                f" {step} of random play {difference}"
            )


def compare(output: Output, answer: Answer) -> str:
    """Return in what the graph's output differs from the model's answer, "" if in nothing."""
    logits = answer.logits.numpy()
    found, wanted = log_softmax(output.logits), log_softmax(logits)
    chosen = found[np.arange(len(found)), answer.actions.numpy()]
    # Comparisons are negated, so that NaN is a difference too.
    if not (gap := np.abs(found - wanted).max()) <= TOLERANCE * scale(logits):
        return f"log-probabilities differ by {gap:.2g}"
    if not (gap := (found.max(axis=1) - chosen).max()) <= TOLERANCE * scale(logits):
        return f"the model's action is {gap:.2g} below the graph's best"
    value = answer.value.numpy()
    if output.value is not None and not (
        (gap := np.abs(output.value - value).max()) <= TOLERANCE * scale(value)
    ):
        return f"values differ by {gap:.2g}"
    return ""


def ask(policy: Any, obs: dict[str, NDArray], state: Any, start: NDArray[np.bool_]) -> Answer:
    """Return what `policy` itself says, by the code that it uses in training."""
    memory = recall(policy, state, start)
    tensors, _ = policy.obs_to_tensor(as_trained(obs | memory, policy.observation_space))
    if hasattr(policy, "lstm_actor"):
        return _ask_recurrent(policy, tensors, state, torch.as_tensor(start, dtype=torch.float32))
    if not hasattr(policy, "action_net"):
        values = action_values(policy, tensors)
        actions = policy._predict(tensors, deterministic=True)
        return Answer(actions, values, values.amax(dim=1), None)
    actions, value, _ = policy.forward(tensors, deterministic=True)
    logits = policy.get_distribution(tensors).distribution.logits
    following = {}
    if memory:
        kept = policy.features_extractor.remember(tensors)
        following = {name: part.numpy() for name, part in kept.items()}
    return Answer(actions, logits, value.flatten(), following)


def recall(policy: Any, state: Any, start: NDArray[np.bool_]) -> dict[str, NDArray]:
    """Return what a policy's features extractor remembers, zero where an episode starts."""
    memory: dict[str, NDArray] = {}
    for name, shape in memory_of(policy).items():
        before = np.zeros((len(start), *shape), np.float32) if state is None else state[name]
        memory[name] = before.copy()
        memory[name][start] = 0
    return memory


def _ask_recurrent(policy: Any, tensors: Any, state: Any, start: Tensor) -> Answer:
    from sb3_contrib.common.recurrent.type_aliases import RNNStates

    if state is None:
        layers, _, hidden = policy.lstm_hidden_state_shape
        pair = (torch.zeros(layers, len(start), hidden), torch.zeros(layers, len(start), hidden))
        state = RNNStates(pair, pair)
    distribution, _ = policy.get_distribution(tensors, state.pi, start)
    actions, value, _, following = policy.forward(tensors, state, start, deterministic=True)
    return Answer(actions, distribution.distribution.logits, value.flatten(), following)


def log_softmax(logits: NDArray) -> NDArray:
    """Return log-probabilities of logits [B, actions]."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def scale(array: NDArray) -> float:
    """Return the largest magnitude in `array`, at least 1: large numbers are rounded coarsely."""
    return max(1.0, float(np.abs(array).max()))
