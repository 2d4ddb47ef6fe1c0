"""PPO with a planner inside: value iteration on a reward map that the network draws of its view.

Which cells are worth what is learnt; that worth spreads over the map by steps is built in. So is
search, then, as in no other baseline, while the objective is still the network's own: it can be
looked at as a picture, the reward map. There is no memory: what is out of view is out of mind.

Source: Tamar et al. 2016, "Value iteration networks".
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch as th
from gymnasium import spaces
from stable_baselines3 import PPO
from torch import nn
from torch.nn import functional

from mesabench.baselines.config import OnPolicy
from mesabench.baselines.encoder import GridEncoder
from mesabench.baselines.on_policy import on_policy
from mesabench.engine.codes import VIEW
from mesabench.task import Task

if TYPE_CHECKING:
    from stable_baselines3.common.vec_env import VecEnv

__all__ = ["Args", "build"]

AGENT = VIEW // 2, VIEW - 1  # where it stands in the view
AROUND = slice(VIEW // 2 - 1, VIEW // 2 + 2), slice(VIEW - 2, VIEW)  # its cell and those beside it
CELLS_AROUND = 6
TARGETS = 4, 1, 3, 5, 7, 0, 2, 6, 8  # of the moves, cells of a 3 × 3 block counted by rows
AIM = 3.0  # logit of a move's target: 0.7 of the probability


@dataclass(frozen=True)
class Args(OnPolicy):
    """Settings of PPO with a value-iteration network."""

    algorithm = "planner-head"

    iterations: int = 10
    """Of value iteration, at least 2; it sees one step fewer ahead."""
    moves: int = 5
    """Actions of the model inside, over which the maximum is taken."""
    width: int = 64
    """Units of the layer before each head."""


def build(task: Task, args: Args, env: "VecEnv") -> PPO:
    """Build an untrained model."""
    return PPO(
        "MultiInputPolicy",
        env,
        **on_policy(task, args),
        policy_kwargs={
            "features_extractor_class": PlannerEncoder,
            "features_extractor_kwargs": {
                "cell": args.cell,
                "hidden": args.hidden,
                "iterations": args.iterations,
                "moves": args.moves,
            },
            "net_arch": [args.width],
        },
    )


class PlannerEncoder(GridEncoder):
    """The encoder's features, and values from a plan on the view, as features.

    Args:
        observation_space: as that of `GridEncoder`.
        cell: size of a cell's embedding.
        hidden: size of the image's features.
        iterations: of value iteration.
        moves: actions of the model inside.
    """

    def __init__(
        self,
        observation_space: spaces.Dict,
        cell: int = 8,
        hidden: int = 64,
        iterations: int = 10,
        moves: int = 5,
    ):
        super().__init__(observation_space, cell, hidden)
        self._features_dim += CELLS_AROUND + moves
        self.reward = nn.Sequential(
            nn.Conv2d(cell, 2 * cell, 3, padding=1), nn.ReLU(), nn.Conv2d(2 * cell, 1, 1)
        )
        self.plan = ValueIteration(iterations, moves)

    def forward(self, observations: dict[str, th.Tensor]) -> th.Tensor:
        """Return features [B, hidden + others + planned]."""
        cells = self.cells(observations)
        view = cells.reshape(-1, VIEW, VIEW, cells.shape[2]).permute(0, 3, 1, 2)
        values, choices = self.plan(self.reward(view))
        planned = values[:, 0, AROUND[0], AROUND[1]].flatten(1), choices[:, :, AGENT[0], AGENT[1]]
        return th.cat([self.mix(cells), *self.others(observations), *planned], 1)


class ValueIteration(nn.Module):
    """Value iteration in a world whose moves lead from every cell alike: they are a convolution.

    ``Q(s, a) = r(s) + γ Σ P(u | a) V(s + u)`` over the 3 × 3 cells around s, ``V = max_a Q``, with
    V = 0 at first and beyond the edge. What cannot be entered has to be drawn as a loss. The
    source leaves the kernels free; here they are probabilities, so that values stay bounded.

    Args:
        iterations: how often V is computed.
        moves: actions; at first they stay, go to the four cells beside, then to the diagonal ones.
        discount: γ.
    """

    def __init__(self, iterations: int, moves: int, discount: float = 0.95):
        super().__init__()
        self.iterations, self.discount = iterations, discount
        logits = th.zeros(moves, 9)
        logits[th.arange(moves), th.tensor(TARGETS)[th.arange(moves) % len(TARGETS)]] = AIM
        self.logits = nn.Parameter(logits)

    def forward(self, reward: th.Tensor) -> tuple[th.Tensor, th.Tensor]:
        """Return V [B, 1, W, H] and Q [B, moves, W, H] of a reward map [B, 1, W, H]."""
        kernels = self.discount * self.logits.softmax(dim=1).reshape(-1, 1, 3, 3)
        values, choices = reward, reward
        for _ in range(self.iterations - 1):
            choices = reward + functional.conv2d(values, kernels, padding=1)
            values = choices.amax(dim=1, keepdim=True)
        return values, choices
