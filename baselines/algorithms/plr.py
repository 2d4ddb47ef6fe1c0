"""RecurrentPPO with prioritised level replay: a mitigation that trains on the levels that teach.

Half of the levels are old ones whose returns the critic still gets wrong. If a level on which proxy
and base objective part, rare as it is in training, is such a level, it is seen more often.

Source: Jiang, Grefenstette & Rocktäschel 2021, "Prioritized level replay"; positive errors as the
score from Jiang, Dennis et al. 2021, "Replay-guided adversarial environment design".
"""

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal

from mesabench.baselines.algorithms import recurrent_ppo
from mesabench.baselines.config import TrainConfig
from mesabench.errors import MesaBenchError
from mesabench.task import Task

if TYPE_CHECKING:
    from stable_baselines3.common.vec_env import VecEnv

    from mesabench.baselines.curriculum import Curriculum
    from mesabench.baselines.recurrent_ppo import FlatRecurrentPPO


@dataclass(frozen=True)
class Args(TrainConfig):
    """Settings of RecurrentPPO with prioritised level replay."""

    algorithm = "plr"

    score: Literal["absolute", "positive"] = "absolute"
    """Errors of the critic that a level's score is the mean of: all, or where too little was
    expected."""
    replay: float = 0.5
    """Probability that a level is an old one."""
    temperature: float = 1.0
    """Of the ranks; with 0.1, as published, all worlds at once would play the same few levels."""
    staleness: float = 0.3
    """Share of the replay that goes by how long ago a level was played."""
    kept_levels: int = 4000
    """Levels that may be replayed."""


def make_env(task: Task, args: Args) -> "VecEnv":
    """Make the batch of worlds, whose levels are chosen.

    Raises:
        MesaBenchError: the task is about what one episode leaves to the next, or a setting is out
            of its range.
    """
    from mesabench.baselines.curriculum import ReplayedLevels
    from mesabench.baselines.train import make_env

    chosen = partial(ReplayedLevels, curriculum=curriculum(args))
    return make_env(task, args, kind=chosen)


def curriculum(args: Args) -> "Curriculum":
    """Return what chooses the levels of a run."""
    from mesabench.baselines.curriculum import Curriculum
    from mesabench.baselines.level_replay import LevelScores

    if not (0 <= args.replay <= 1 and 0 <= args.staleness <= 1):
        raise MesaBenchError(
            f"replay ({args.replay}) and staleness ({args.staleness}) are shares, in [0, 1]"
        )
    if args.temperature <= 0 or args.kept_levels < 1:
        raise MesaBenchError(
            f"temperature ({args.temperature}) and kept-levels ({args.kept_levels}) are above 0"
        )
    return Curriculum(
        LevelScores(args.kept_levels, temperature=args.temperature, mix=args.staleness),
        worlds=args.num_envs,
        replay=args.replay,
        positive=args.score == "positive",
        seed=args.seed,
    )


def build(task: Task, args: Args, env: "VecEnv") -> "FlatRecurrentPPO":
    """Build an untrained model."""
    from mesabench.baselines.curriculum import ScoringPPO

    return recurrent_ppo.build(task, args, env, kind=ScoringPPO)
