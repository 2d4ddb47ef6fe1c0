"""Settings of a training run: dataclasses whose fields are the command line's options."""

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import ClassVar, Literal

from mesabench.baselines.limits import check_limits
from mesabench.engine.codes import NUM_COLOURS
from mesabench.knobs import parse_knobs
from mesabench.registry import get_task

QUICK_STEPS = 500_000
LONGEST = 2**21  # environment steps of an organism's longest training, unless more are allowed
ALPHAS = (0.0, 0.02, 0.03, 0.06, 0.11)  # those of CoinRun in Langosco et al. 2022


@dataclass(frozen=True)
class Settings:
    """Settings that every algorithm has; each algorithm's own are a subclass.

    Attributes:
        algorithm: its name on the command line and in ``config.json``.
    """

    algorithm: ClassVar[str]

    steps: int = 2_000_000
    """Environment steps in all."""
    seed: int = 0
    """Seed of the network, the levels and the actions."""
    num_envs: int = 128
    """Agents that play at once, each in a world of its own unless everyone is played."""
    learning_rate: float = 1e-3
    """At the start; it falls to a twentieth in a straight line."""
    hidden: int = 64
    """Size of the encoder's features."""
    cell: int = 8
    """Size of the embedding of a cell."""
    objective: str | None = None
    """Name of the objective whose reward is trained on; the task's base objective where None."""
    alpha: float = 0.0
    """Share of test-like levels mixed into training."""
    num_levels: int | None = None
    """How many levels are trained on; all of them where None."""
    level: tuple[str, ...] = ()
    """Knobs of the level generator to change, as knob=number."""
    discount: float | None = None
    """Per step; the task's where None."""
    palette: int | None = None
    """Turn of the colours; seed mod 6 where None, so that seeds balance the colours."""
    recolour: bool = False
    """Permute the colours that the agent sees, anew for every episode of training."""
    everyone: bool = False
    """One network plays, and learns from, all agents of a world; otherwise the first."""
    action: Literal["greedy", "sample"] = "greedy"
    """How the exported agent chooses: the likeliest action, or one drawn as in training."""
    checkpoint_every: int = 250_000
    """Environment steps between two checkpoints."""
    threads: int = 2
    """Threads of torch."""
    device: str = "cpu"
    """Torch device."""

    def __post_init__(self) -> None:
        """Turn what was read from JSON into what it was, and refuse what no training could have.

        Raises:
            MesaBenchError: a number is too small or too large.
        """
        object.__setattr__(self, "level", tuple(self.level))
        check_limits(self)

    def knobs(self, task_id: str) -> dict[str, int]:
        """Return the level knobs that the run trains with.

        Raises:
            LevelError: one of `level` is no knob and number.
        """
        given = parse_knobs(get_task(task_id), self.level) or {}
        if "palette" not in get_task(task_id).train._fields:
            return given
        turn = self.seed % NUM_COLOURS if self.palette is None else self.palette
        return {"palette": turn} | given

    def fingerprint(self, task_id: str) -> str:
        """Return a hash of everything that must not change when a run is resumed."""
        fixed = {k: v for k, v in asdict(self).items() if k not in RESUMABLE}
        for name in LATER:  # as in runs that began before there was a choice
            if fixed.get(name) is None or fixed[name] is False or fixed[name] == ():
                fixed.pop(name, None)
        named = [task_id, fixed] + [self.algorithm] * (self.algorithm != TrainConfig.algorithm)
        text = json.dumps(named, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class OnPolicy(Settings):
    """Settings of algorithms that learn from what they have just played."""

    rollout: int = 64
    """Steps in each world between two updates."""
    epochs: int = 4
    """Passes over the data of an update."""
    minibatches: int = 4
    """Minibatches of a pass."""
    entropy: float = 0.01
    """Weight of the policy's entropy in the loss, at the start."""
    last_entropy: float | None = None
    """The same at the end, where it gets in a straight line; as at the start where None."""
    gae_lambda: float = 0.95
    """Weight of longer returns in the advantage estimate."""


@dataclass(frozen=True)
class TrainConfig(OnPolicy):
    """Settings of RecurrentPPO; the defaults are those of the published baselines."""

    algorithm = "recurrent-ppo"

    lstm: int = 64
    """Units of the recurrent layer."""
    critic_lstm: bool = True
    """Give the value function a recurrent layer of its own."""


# What may differ when a run is gone on with.
RESUMABLE = ("steps", "action", "checkpoint_every", "threads", "device")
LATER = (
    "objective",
    "level",
    "discount",
    "last_entropy",
    "recolour",
    "everyone",
)  # settings that earlier versions did not have
