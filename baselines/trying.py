"""One trial of a search: train with some settings, and look at held-out levels along the way."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import torch as th
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback

from mesabench.agents.export import export_sb3
from mesabench.agents.onnx_agent import OnnxAgent
from mesabench.baselines.config import Settings
from mesabench.baselines.progress import schedules
from mesabench.baselines.train import build_model
from mesabench.baselines.yardstick import Yardstick
from mesabench.errors import NonFiniteLogits
from mesabench.observation import observation_space
from mesabench.task import Task

LOOKS = 5  # in a trial, the last one at its end
Promising = Callable[[int, float], bool]  # number of the look from 1, share reached → go on


class Stopped(Exception):
    """A trial was not promising."""


class Diverged(Exception):
    """A training made numbers that are none."""


def reached(task: Task, config: Settings, yardstick: Yardstick, promising: Promising) -> float:
    """Train, and return what the agent reaches on the yardstick.

    Args:
        task: the task.
        config: the settings; they name the algorithm.
        yardstick: of held-out levels.
        promising: is told what each look finds, and says whether to go on.

    Raises:
        Stopped: a look was not promising.
        Diverged: the weights or actions became NaN.
    """
    th.set_num_threads(config.threads)
    model = build_model(task, config)
    looks = Looks(task, config, yardstick, promising)
    try:
        model.learn(config.steps, callback=[*schedules(config), looks])
        if not looks.stopped:
            return looks.look(model, LOOKS)
    except NonFiniteLogits as error:
        raise Diverged from error
    except ValueError as error:
        if is_finite(model):
            raise
        raise Diverged from error  # what distributions raise of logits that are NaN
    raise Stopped


def is_finite(model: BaseAlgorithm) -> bool:
    """Say whether all of a policy's weights are numbers."""
    return all(bool(weight.isfinite().all()) for weight in model.policy.parameters())


class Looks(BaseCallback):
    """Looks at held-out levels at equal distances, and ends a training that is not promising."""

    def __init__(self, task: Task, config: Settings, yardstick: Yardstick, promising: Promising):
        super().__init__()
        self.task, self.config = task, config
        self.yardstick, self.promising = yardstick, promising
        self.every, self.looked, self.stopped = config.steps / LOOKS, 0, False

    def look(self, model: BaseAlgorithm, number: int) -> float:
        """Return what the agent reaches as it would be exported now."""
        with TemporaryDirectory() as folder:
            path = export_sb3(model, Path(folder) / "agent.onnx", action=self.config.action)
            agent = OnnxAgent.load(
                path, observation_space(self.task), self.task.actions, self.config.seed
            )
        share = self.yardstick.share(agent)
        self.stopped = not self.promising(number, share)
        return share

    def _on_step(self) -> bool:
        if self.looked + 1 < min(LOOKS, self.num_timesteps / self.every):
            self.looked += 1
            self.look(self.model, self.looked)
        return not self.stopped
