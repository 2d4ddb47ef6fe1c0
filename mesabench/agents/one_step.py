"""One step of a Stable-Baselines3 policy as a torch module without branches, fit for tracing.

Stable-Baselines3's own forward pass branches on `episode_starts`; a tracer keeps one side and
silently drops the flag. Here the state is multiplied by ``1 - episode_start`` instead.
"""

from typing import Any

import torch
from gymnasium import spaces
from stable_baselines3.common.preprocessing import is_image_space, is_image_space_channels_first
from torch import Tensor, nn
from torch.nn import functional

from mesabench.engine.codes import VIEW
from mesabench.errors import AgentError

CODES = (VIEW, VIEW, 3)  # an image of MiniGrid's codes
CODES_ROW = (VIEW * VIEW * 3,)  # the same as `mesabench.sb3_env` lays it out


class OneStep(nn.Module):
    """One step of a feed-forward actor-critic policy (PPO, A2C).

    Inputs are the observations in the order of `space`, then for recurrent policies
    `episode_start` and the states; outputs are logits [B, actions], value [B] and the next states.

    Attributes:
        space: the observation space as the environment has it, a Dict.
        num_actions: how many logits there are.
        states: shape of one row of each state, by name.
    """

    def __init__(self, policy: Any) -> None:
        super().__init__()
        if not isinstance(policy.action_space, spaces.Discrete):
            raise AgentError(f"expected a Discrete action space, found {policy.action_space}")
        self.policy = policy
        self.num_actions = int(policy.action_space.n)
        self.space = environment_space(policy.observation_space)
        self.states: dict[str, tuple[int, ...]] = {}

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Return logits and value."""
        pi, vf = self.features(inputs)
        extractor = self.policy.mlp_extractor
        return self.heads(extractor.forward_actor(pi), extractor.forward_critic(vf))

    def features(self, inputs: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """Return the features that the actor and the critic see."""
        features = self.policy.extract_features(self.observation(inputs))
        return features if isinstance(features, tuple) else (features, features)

    def observation(self, inputs: tuple[Tensor, ...]) -> Tensor | dict[str, Tensor]:
        """Return the observation as the policy has it, images laid out as it was trained."""
        expected = self.policy.observation_space
        parts = dict(zip(self.space.spaces, inputs, strict=False))
        if not isinstance(expected, spaces.Dict):
            return as_trained(parts["image"], expected)
        return {key: as_trained(part, expected[key]) for key, part in parts.items()}

    def heads(self, pi: Tensor, vf: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits and value from the last hidden layers."""
        return self.policy.action_net(pi), self.policy.value_net(vf).flatten()


class OneLstmStep(OneStep):
    """One step of RecurrentPPO's policy, whose critic has its own, the actor's or no LSTM.

    States are ``h`` and ``c`` of the actor and, if the critic has its own LSTM, ``h_vf`` and
    ``c_vf``: [B, layers, hidden]. Another network may stand where the LSTM does; it has a
    method ``one_step(x, *states)`` and says in ``memory`` which of the states it uses.
    """

    def __init__(self, policy: Any) -> None:
        super().__init__(policy)
        core = policy.lstm_actor
        if isinstance(core, nn.LSTM) and (core.proj_size or core.bidirectional):
            raise AgentError("cannot export an LSTM with projections or in two directions")
        row = (core.num_layers, core.hidden_size)  # of the critic's too
        names: tuple[str, ...] = getattr(core, "memory", ("h", "c"))
        critics = () if policy.lstm_critic is None else tuple(f"{name}_vf" for name in names)
        self.states = dict.fromkeys(names + critics, row)
        self.own = len(names)  # states of the actor, which come first

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Return logits, value and the next states."""
        policy, extractor = self.policy, self.policy.mlp_extractor
        pi, vf = self.features(inputs)
        start, *states = inputs[len(self.space.spaces) :]
        kept = [state * (1 - start).reshape(-1, 1, 1) for state in states]
        pi, following = recurrent_step(policy.lstm_actor, pi, kept[: self.own])
        if policy.lstm_critic is not None:
            vf, more = recurrent_step(policy.lstm_critic, vf, kept[self.own :])
            following += more
        else:
            vf = pi if policy.shared_lstm else policy.critic(vf)
        return *self.heads(extractor.forward_actor(pi), extractor.forward_critic(vf)), *following


class OneRememberingStep(OneStep):
    """One step of an actor-critic policy whose features extractor keeps what it saw before.

    Such an extractor has `memory`, the shape of each part of its observations that is its own
    record, by key, and `remember(observations)`, which returns these parts for the next step. In
    training the environment keeps them; here they are states, zero where an episode starts.
    """

    def __init__(self, policy: Any) -> None:
        super().__init__(policy)
        self.states = memory_of(policy)
        seen = {key: s for key, s in self.space.spaces.items() if key not in self.states}
        self.space = spaces.Dict(seen)

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Return logits, value and the next states."""
        following = self.policy.features_extractor.remember(self.observation(inputs))
        return *super().forward(*inputs), *(following[name].float() for name in self.states)

    def observation(self, inputs: tuple[Tensor, ...]) -> dict[str, Tensor]:
        """Return the observation as the policy has it, what it remembers included."""
        start, *states = inputs[len(self.space.spaces) :]
        kept = (s * (1 - start).reshape(-1, *[1] * (s.dim() - 1)) for s in states)
        found = super().observation(inputs)
        assert isinstance(found, dict)
        return found | dict(zip(self.states, kept, strict=True))


class OneQStep(OneStep):
    """One step of a Q-network (DQN, QRDQN): the logits are the action values."""

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Return the action values and their maximum."""
        values = action_values(self.policy, self.observation(inputs))
        return values, values.amax(dim=1)


def one_step(policy: Any) -> OneStep:
    """Return the module for one step of a Stable-Baselines3 policy.

    Raises:
        AgentError: the policy is of a kind that is not covered.
    """
    if hasattr(policy, "lstm_actor"):
        return OneLstmStep(policy)
    if hasattr(policy, "q_net") or hasattr(policy, "quantile_net"):
        return OneQStep(policy)
    if hasattr(policy, "action_net"):
        return OneRememberingStep(policy) if memory_of(policy) else OneStep(policy)
    raise AgentError(f"cannot export {type(policy).__name__}; use RecurrentPPO, PPO, DQN or QRDQN")


def memory_of(policy: Any) -> dict[str, tuple[int, ...]]:
    """Return the shapes of what a policy's features extractor remembers, by key."""
    return dict(getattr(getattr(policy, "features_extractor", None), "memory", {}))


def action_values(policy: Any, obs: Any) -> Tensor:
    """Return the action values [B, actions] of DQN's or QRDQN's policy."""
    if hasattr(policy, "q_net"):
        return policy.q_net(obs)
    return policy.quantile_net(obs).mean(dim=1)


def recurrent_step(core: Any, x: Tensor, states: list[Tensor]) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Advance an LSTM, or the network in its place, by one step; as `lstm_step`."""
    if hasattr(core, "one_step"):
        return core.one_step(x, *states)
    return lstm_step(core, x, *states)


def lstm_step(lstm: nn.LSTM, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Advance an LSTM by one step, from its weights.

    Written out because the exporter's LSTM operator is slower for single steps and warns about
    batch sizes. The gates are in torch's order: input, forget, cell, output.

    Arguments:
        lstm: the module.
        x: [B, features].
        h: [B, layers, hidden].
        c: [B, layers, hidden].

    Returns:
        The last layer's output [B, hidden], and the next (h, c).
    """
    hs, cs = [], []
    for layer, (w_x, w_h, *bias) in enumerate(lstm.all_weights):
        b_x, b_h = bias or (None, None)
        gates = functional.linear(x, w_x, b_x) + functional.linear(h[:, layer], w_h, b_h)
        i, f, g, o = gates.split(lstm.hidden_size, dim=1)
        cs.append(torch.sigmoid(f) * c[:, layer] + torch.sigmoid(i) * torch.tanh(g))
        x = torch.sigmoid(o) * torch.tanh(cs[-1])
        hs.append(x)
    return x, (torch.stack(hs, dim=1), torch.stack(cs, dim=1))


def as_trained(part: Tensor, space: spaces.Space) -> Tensor:
    """Return a batch of the environment's images as `space` lays them out; others as they are."""
    if space.shape == CODES_ROW and part.dim() == 4:
        return part.flatten(1)
    return part.permute(0, 3, 1, 2) if transposed(space) else part


def environment_space(space: spaces.Space) -> spaces.Dict:
    """Return a model's observation space as its environment has it.

    A bare Box becomes the key ``image``; images that Stable-Baselines3 transposed to channels
    first get their channels back at the end; a view laid out as one row becomes a view again.
    """
    parts = space.spaces if isinstance(space, spaces.Dict) else {"image": space}
    return spaces.Dict({key: _environment_part(key, part) for key, part in parts.items()})


def _environment_part(key: str, part: spaces.Space) -> spaces.Space:
    if not isinstance(part, spaces.Box):
        return part
    low, high = part.low, part.high
    if key == "image" and part.shape == CODES_ROW:
        low, high = low.reshape(CODES), high.reshape(CODES)
    elif transposed(part):
        low, high = low.transpose(1, 2, 0), high.transpose(1, 2, 0)
    return spaces.Box(low, high, dtype=part.dtype.type)


def transposed(space: spaces.Space) -> bool:
    """Return whether `space` is of images with the channels first."""
    return (
        isinstance(space, spaces.Box)
        and is_image_space(space)
        and is_image_space_channels_first(space)
    )
