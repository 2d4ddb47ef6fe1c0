"""Deep Repeated ConvLSTM: a recurrent map of the view that is thought over before each action.

A ConvLSTM runs several ticks on one observation. In the source, such networks came to behave as
planners do without a model of the world: more ticks made them better. A network that searches is
what mesa-optimisation is about; does it pursue another objective than one that only reacts?

Each tick, every layer's gates see its own state, that of the layer below (the top one's of the
tick before, for the lowest) and the observation. With `inject`, they also see the state's mean and
maximum over the map (the source's pool-and-inject), which carry news over all of it in one tick;
without it, news travels one cell a tick. The heads see the top layer's state and the observation.
As in the source, actor and critic share the network.

Source: Guez et al. 2019, "An investigation of model-free planning".
"""

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import torch as th
from torch import nn
from torch.nn import functional

from mesabench.baselines.config import OnPolicy
from mesabench.baselines.cores import Core, SharedCorePolicy, States
from mesabench.baselines.encoder import CellEncoder
from mesabench.baselines.on_policy import on_policy
from mesabench.baselines.recurrent_ppo import FlatRecurrentPPO
from mesabench.engine.codes import VIEW
from mesabench.task import Task

if TYPE_CHECKING:
    from stable_baselines3.common.vec_env import VecEnv

__all__ = ["Args", "build"]

GATES = 4  # input, forget, output, cell
REMEMBER = 1.5  # of the forget gates at first: three ticks then keep half of the state
Maps = list[th.Tensor]  # of each layer, [B, channels, 7, 7]


@dataclass(frozen=True)
class Args(OnPolicy):
    """Settings of the Deep Repeated ConvLSTM."""

    algorithm = "drc"

    channels: int = 8
    """Channels of a layer's state at each cell of the view."""
    depth: int = 1
    """Layers of ConvLSTM."""
    ticks: int = 3
    """Times that the layers run on one observation."""
    inject: bool = False
    """Give the gates the mean and the maximum of the state over the map (a third slower)."""
    rollout: int = 32
    """Steps in each world between two updates."""
    epochs: int = 2
    """Passes over the data of an update; most of the time goes there."""


def build(task: Task, args: Args, env: "VecEnv") -> FlatRecurrentPPO:
    """Build an untrained model."""
    core = partial(
        ConvLstm,
        cell=args.cell,
        channels=args.channels,
        output_size=args.hidden,
        depth=args.depth,
        ticks=args.ticks,
        inject=args.inject,
    )
    return FlatRecurrentPPO(
        SharedCorePolicy,
        env,
        **on_policy(task, args),
        policy_kwargs={
            "features_extractor_class": CellEncoder,
            "features_extractor_kwargs": {"cell": args.cell},
            "core": core,
            "lstm_hidden_size": args.hidden,
            "net_arch": [],
        },
    )


class ConvLstm(Core):
    """Layers of ConvLSTM that run several ticks a step.

    Args:
        input_size: features per step: the embeddings of 49 cells, then what is not in the view.
        cell: size of an embedding.
        channels: of a layer's state.
        output_size: of the layer behind the state.
        depth: layers.
        ticks: per step.
        inject: whether gates see the state's mean and maximum over the map.
    """

    def __init__(
        self,
        input_size: int,
        cell: int,
        channels: int,
        output_size: int,
        depth: int = 1,
        ticks: int = 3,
        *,
        inject: bool = False,
    ):
        super().__init__()
        self.input_size, self.output_size = input_size, output_size
        self.num_layers, self.hidden_size = depth, channels * VIEW * VIEW
        self.cell, self.channels, self.ticks = cell, channels, ticks
        gates, seen = GATES * channels, channels * min(depth, 2)
        self.in_view = cell * VIEW * VIEW
        others = input_size - self.in_view
        self.look = nn.Conv2d(cell, gates * depth, 3, padding=1)
        self.tell = nn.Linear(others, gates * depth, bias=False) if others else None
        self.recur = nn.ModuleList(
            nn.Conv2d(seen, gates, 3, padding=1, bias=False) for _ in range(depth)
        )
        self.inject = nn.ModuleList(
            nn.Linear(2 * channels, gates, bias=False) for _ in range(depth if inject else 0)
        )
        self.out = nn.Linear(self.hidden_size + input_size, output_size)
        with th.no_grad():
            self.look.bias.view(depth, GATES, channels)[:, 1] += REMEMBER  # type: ignore[union-attr]

    def forward(
        self, inputs: th.Tensor, states: States, resets: th.Tensor | None = None
    ) -> tuple[th.Tensor, States]:
        """Run over a sequence, as `Core.forward` describes."""
        seen = self.observe(inputs.flatten(0, 1)).unflatten(0, inputs.shape[:2])
        kept = [None] * len(inputs) if resets is None else (1 - resets[..., None, None]).unbind()
        h, c = self.maps(states[0]), self.maps(states[1])
        tops = []
        # Unbound, for the gradient of each index would be as large as the sequence.
        for at_step, keep in zip(seen.unbind(), kept, strict=True):
            h, c = self.think(at_step, h, c)
            tops.append(h[-1].flatten(1))
            if keep is not None:
                h, c = [keep * m for m in h], [keep * m for m in c]
        return self.read(th.stack(tops), inputs), (self.rows(h, 0), self.rows(c, 0))

    def one_step(self, x: th.Tensor, *states: th.Tensor) -> tuple[th.Tensor, tuple[th.Tensor, ...]]:
        """Advance by one step, as `Core.one_step` describes."""
        h, c = (self.maps(state.transpose(0, 1)) for state in states)
        h, c = self.think(self.observe(x), h, c)
        return self.read(h[-1].flatten(1), x), (self.rows(h, 1), self.rows(c, 1))

    def maps(self, state: th.Tensor) -> Maps:
        """Turn states [layers, B, hidden] into maps."""
        layers = [state[layer] for layer in range(self.num_layers)]
        return [layer.reshape(-1, self.channels, VIEW, VIEW) for layer in layers]

    def rows(self, maps: Maps, axis: int) -> th.Tensor:
        """Turn maps into states, with the axis of the layers where it is asked for."""
        return th.stack([m.flatten(1) for m in maps], dim=axis)

    def observe(self, x: th.Tensor) -> th.Tensor:
        """Return what an observation [B, input_size] adds to all gates, [B, gates, 7, 7]."""
        cells, others = x[:, : self.in_view], x[:, self.in_view :]
        view = cells.reshape(-1, VIEW, VIEW, self.cell).permute(0, 3, 1, 2)
        seen = self.look(view)
        return seen if self.tell is None else seen + self.tell(others)[:, :, None, None]

    def think(self, seen: th.Tensor, h: Maps, c: Maps) -> tuple[Maps, Maps]:
        """Run all ticks of one step; `seen` is what `observe` returns."""
        h, c, from_view = [*h], [*c], seen.chunk(self.num_layers, dim=1)
        for _ in range(self.ticks):
            for d, recur in enumerate(self.recur):
                around = h[d] if self.num_layers == 1 else th.cat((h[d], h[d - 1]), dim=1)
                gates = from_view[d] + recur(around)
                if self.inject:
                    pooled = th.cat((h[d].mean((2, 3)), h[d].amax((2, 3))), dim=1)
                    gates = gates + self.inject[d](pooled)[:, :, None, None]
                h[d], c[d] = advance(gates, c[d])
        return h, c

    def read(self, top: th.Tensor, inputs: th.Tensor) -> th.Tensor:
        """Return the output from the top layer's state and the observation, [..., output_size]."""
        return functional.relu(self.out(th.cat((top, inputs), dim=-1)))


def advance(gates: th.Tensor, c: th.Tensor) -> tuple[th.Tensor, th.Tensor]:
    """Return the next hidden and cell state of a layer from its gates' pre-activations."""
    size = c.shape[1]
    i, f, o = gates[:, : 3 * size].sigmoid().chunk(3, dim=1)
    c = f * c + i * gates[:, 3 * size :].tanh()
    return o * c.tanh(), c
