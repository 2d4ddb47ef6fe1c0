"""The baselines' encoder of MiniGrid observations for Stable-Baselines3."""

from typing import Any, TypeVar

import torch as th
from gymnasium import spaces
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import nn

from mesabench.baselines.cell_kinds import CODES, NUM_STATES, Kinds
from mesabench.baselines.view_sums import Views, glance, tell_apart, view_sums
from mesabench.engine.codes import NUM_COLOURS, NUM_OBJECTS, VIEW
from mesabench.trials import LAST_ACTION, LAST_REWARD

S = TypeVar("S", bound="Sight")

ITEM_SCALE = 4.0  # inventories are divided by it
DIFFERENCES = Views._fields[1:]  # what is told of each view
TENTHS = 10  # rewards from 0 to 1 are told apart in steps of a tenth


class GridEncoder(BaseFeaturesExtractor):
    """Embeds object, colour and state of every cell *separately*, then mixes the cells.

    A joint code for (object, colour) could never tell what a door is from red doors alone, so
    that a blue one would be a new thing to it and a failure would say nothing about objectives.
    The embedding is a one-hot code times a matrix shared by all cells. On a CPU the embeddings of
    the kinds of cells in sight, times the next layer's weights, are a table of what each kind in
    each cell adds to the features, and the features are sums of its rows.

    Args:
        observation_space: Dict with ``image`` [147] and any of ``direction``, ``inventory``.
        cell: size of a cell's embedding.
        hidden: size of the image's features.
    """

    largest: th.Tensor
    offsets: th.Tensor
    steps: th.Tensor

    def __init__(self, observation_space: spaces.Dict, cell: int = 8, hidden: int = 64):
        others = [n for n in observation_space.spaces if n != "image"]
        width = sum(spaces.flatdim(observation_space[n]) for n in others)
        learns = {LAST_ACTION, LAST_REWARD} <= observation_space.spaces.keys()
        width += spaces.flatdim(observation_space[LAST_ACTION]) + TENTHS + 1 if learns else 0
        super().__init__(observation_space, hidden + width)
        self._others, self._learns = others, learns
        self.embed = nn.Linear(CODES, cell, bias=False)
        self.mix = nn.Sequential(nn.Flatten(), nn.Linear(VIEW * VIEW * cell, hidden), nn.ReLU())
        self.register_buffer("steps", th.arange(TENTHS + 1) / TENTHS, persistent=False)
        counts = th.tensor([NUM_OBJECTS, NUM_COLOURS, NUM_STATES], dtype=th.int32)
        self.register_buffer("largest", counts - 1, persistent=False)
        self.register_buffer("offsets", counts.cumsum(0, dtype=th.int32) - counts, persistent=False)

    def forward(self, observations: dict[str, th.Tensor]) -> th.Tensor:
        """Return features [B, hidden + others] of observations with batch axis first."""
        return th.cat([self.view(observations), *self.others(observations)], 1)

    def view(self, observations: dict[str, th.Tensor]) -> th.Tensor:
        """Return the features of the view, [B, hidden]."""
        # A graph for other programs consists of standard operators.
        tracing = th.jit.is_tracing()  # pyright: ignore[reportPrivateImportUsage]
        nothing = len(observations["image"]) == 0
        if self.embed.weight.device.type != "cpu" or tracing or nothing:
            return self.mix(self.cells(observations))
        kinds = Kinds()
        numbers = kinds.find(observations["image"].flatten(1))
        views, no_others = tell_apart(numbers, kinds.count), th.empty(len(numbers), 0)
        return view_sums(self.table(kinds), self.linear.bias, views, no_others)  # pyright: ignore

    def table(self, kinds: Kinds) -> th.Tensor:
        """Return what each kind in each cell adds to the features, [cells, kinds, hidden]."""
        weights = self.linear.weight.unflatten(1, (-1, self.embed.out_features))
        return self.embed(kinds.codes) @ weights.permute(1, 2, 0)

    @property
    def linear(self) -> nn.Linear:
        """The layer that mixes the cells."""
        return next(layer for layer in self.mix if isinstance(layer, nn.Linear))

    def cells(self, observations: dict[str, th.Tensor]) -> th.Tensor:
        """Return the embeddings of the view's cells, [B, 49, cell]; cell (i, j) is at 7 i + j."""
        image = observations["image"].reshape(-1, VIEW * VIEW, 3).int()
        # The space allows codes that no level holds; they must not index out of the table.
        codes = (th.minimum(image, self.largest) + self.offsets).long()
        one_hot = self.embed.weight.new_zeros(*codes.shape[:2], CODES)
        one_hot.scatter_(2, codes, 1.0)
        return self.embed(one_hot)

    def others(self, observations: dict[str, th.Tensor]) -> list[th.Tensor]:
        """Return the features of all that is not the view, [B, n] each."""
        features = []
        for name in self._others:
            value = observations[name].flatten(1).float()
            features.append(value / ITEM_SCALE if name == "inventory" else value)
        if self._learns:
            action, reward = (observations[name].float() for name in (LAST_ACTION, LAST_REWARD))
            reward = reward.reshape(-1, 1)
            features.append(action.flatten(1) * reward)
            # A reward may be a message (ElevenArms): as one number, ten messages are a curve with
            # as many bends; by their places they are a table.
            features.append(th.relu(1.0 - TENTHS * (reward - self.steps).abs()))
        return features


class Sight:
    """What a `GridEncoder` does before its weights have a part in it.

    Args:
        encoder: on a CPU.
    """

    def __init__(self, encoder: GridEncoder):
        self.encoder, self.kinds = encoder, Kinds()
        seen: Any = encoder._observation_space
        discrete = {name: s for name, s in seen.items() if isinstance(s, spaces.Discrete)}
        self._one_hot = {name: th.eye(int(space.n)) for name, space in discrete.items()}

    def see(self, observations: dict[str, th.Tensor]) -> tuple[th.Tensor, th.Tensor]:
        """Return the kinds of cells, int16 [B, cells], and features without weights [B, n].

        Observations are as they are before preprocessing.
        """
        numbers = {
            name: self._one_hot[name][x.flatten().long()] if name in self._one_hot else x
            for name, x in observations.items()
            if name != "image"
        }
        image = observations["image"]
        others = th.cat([th.empty(len(image), 0), *self.encoder.others(numbers)], 1)
        return self.kinds.find(image), others


class Digest(Sight):
    """A `GridEncoder`'s work in two: for the samples of a rollout, the first part is done once."""

    def take_in(self, observations: dict[str, th.Tensor]) -> dict[str, th.Tensor]:
        """Do the first part; return what the second one needs to know of each sample."""
        kinds, others = self.see(observations)
        self._common, *differences = tell_apart(kinds, self.kinds.count)
        return dict(zip(DIFFERENCES, differences, strict=True)) | {"others": others}

    def features(self, taken: dict[str, th.Tensor]) -> th.Tensor:
        """Do the rest, for some of the samples: return features, [B, hidden + others]."""
        views = Views(self._common, *(taken[name] for name in DIFFERENCES))
        table, bias = self.encoder.table(self.kinds), self.encoder.linear.bias
        return view_sums(table, bias, views, taken["others"])  # pyright: ignore


class Glance(Sight):
    """What a `GridEncoder` makes of observations as long as its weights stay as they are."""

    _table, _known = th.empty(0), 0

    def __call__(self, observations: dict[str, th.Tensor]) -> th.Tensor:
        """Return features [B, hidden + others] of observations as they are before preprocessing."""
        kinds, others = self.see(observations)
        if self.kinds.count > self._known:
            self._known, self._table = self.kinds.count, self.encoder.table(self.kinds).detach()
        return glance(self._table, self.encoder.linear.bias.detach(), kinds, others)


def sight_of(policy: ActorCriticPolicy, kind: type[S]) -> S | None:
    """Return the sight of a policy's encoder.

    None where that is another one, or there are two, or more is done than they do: by a policy with
    a way of its own, by hooks, or to observations of other kinds.
    """
    encoder: Any = policy.features_extractor
    stock = "extract_features" not in vars(policy) and (
        type(policy).extract_features is ActorCriticPolicy.extract_features
    )
    # Subclasses see what they see in ways of their own.
    plain = stock and policy.share_features_extractor and type(encoder) is GridEncoder
    if not plain or encoder.embed.weight.device.type != "cpu" or has_hooks(encoder):
        return None
    seen: Any = encoder._observation_space
    as_numbers = all(
        isinstance(space, spaces.Discrete)
        or (isinstance(space, spaces.Box) and len(space.shape) == 1)
        for space in seen.values()
    )
    return kind(encoder) if as_numbers else None


def has_hooks(network: nn.Module) -> bool:
    """Say whether something happens around a call of one of a network's modules."""
    return any(m._forward_pre_hooks or m._forward_hooks for m in network.modules())


class CellEncoder(GridEncoder):
    """The embeddings of the view's cells as they are, for networks that need the map.

    Features are [B, 49 · cell + others]: the cells one after the other, then the rest.
    """

    def __init__(self, observation_space: spaces.Dict, cell: int = 8):
        super().__init__(observation_space, cell, hidden=VIEW * VIEW * cell)
        self.mix = nn.Sequential(nn.Flatten())

    def view(self, observations: dict[str, th.Tensor]) -> th.Tensor:
        """Return the embeddings of the view's cells, [B, 49 · cell]."""
        return self.mix(self.cells(observations))
