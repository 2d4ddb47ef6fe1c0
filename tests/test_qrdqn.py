"""QR-DQN: worlds explore one by one, and a resumed run goes on where it was."""

from typing import Any

import pytest
from stable_baselines3.common.callbacks import BaseCallback

import mesabench
from mesabench.baselines.algorithms.qrdqn import Args
from mesabench.baselines.checkpoints import load_checkpoint, save_checkpoint
from mesabench.baselines.quantiles import ParallelQRDQN
from mesabench.baselines.train import build_model
from mesabench.errors import MesaBenchError

TASK = mesabench.get_task("RedDoor-v0")
ARGS = Args(
    steps=4096,
    num_envs=32,
    hidden=8,
    width=8,
    warmup=512,
    buffer_size=4096,
    batch_size=16,
    target_update_interval=512,
    exploration_fraction=0.5,
    final_epsilon=0.1,
    threads=1,
)


class Watch(BaseCallback):
    """Notes for each step: steps before it, exploration rate, transitions kept, updates."""

    def __init__(self):
        super().__init__()
        self.rows: list[tuple[int, float, int, int]] = []

    def _on_step(self) -> bool:
        model: Any = self.model
        before = model.num_timesteps - model.n_envs
        held = model.replay_buffer.size() * model.n_envs
        self.rows.append((before, model.exploration_rate, held, model._n_updates))
        return True


def epsilon(steps: int) -> float:
    """The exploration rate: from 1 to 0.1 in a straight line over half of the training."""
    return 1 - 0.9 * min(1.0, steps / (0.5 * ARGS.steps))


def build() -> ParallelQRDQN:
    model = build_model(TASK, ARGS)
    assert isinstance(model, ParallelQRDQN)
    return model


def test_exploration_falls_in_a_straight_line():
    watch = Watch()
    build().learn(ARGS.steps, callback=watch)
    for steps, rate, *_ in watch.rows:
        assert rate == pytest.approx(epsilon(steps))


def test_a_resumed_run_explores_as_before_and_learns_once_its_buffer_is_warm(tmp_path):
    model = build()
    model.learn(1024)
    model.num_timesteps = 1024
    save_checkpoint(model, tmp_path, "same")
    resumed, watch = build(), Watch()
    assert load_checkpoint(resumed, tmp_path, "same", print) == 1024
    for name, value in model.policy.state_dict().items():  # both networks
        assert (resumed.policy.state_dict()[name] == value).all()
    assert resumed.quantile_net_target is resumed.policy.quantile_net_target
    updates = resumed._n_updates
    resumed.learn(ARGS.steps - 1024, callback=watch, reset_num_timesteps=False)
    for steps, rate, *_ in watch.rows:
        assert rate == pytest.approx(epsilon(steps))
    assert watch.rows[0][2] == 0
    for *_, held, now in watch.rows:
        if held < ARGS.warmup:
            assert now == updates
    assert watch.rows[-1][3] > updates


def test_worlds_explore_independently():
    model = build()
    model.learn(1024)
    model._total_timesteps = ARGS.steps
    differing, draws = 0, 100
    for _ in range(draws):
        greedy, _ = model.predict(model._last_obs, deterministic=True)  # type: ignore[arg-type]
        actions, kept = model._sample_action(0, n_envs=32)
        assert (actions == kept).all()
        differ = int((actions != greedy).sum())
        assert 0 < differ < 32
        differing += differ
    # An exploring world may draw the best action too.
    share = epsilon(model.num_timesteps) * (1 - 1 / TASK.actions)
    deviation = (share * (1 - share) / (32 * draws)) ** 0.5
    assert abs(differing / (32 * draws) - share) < 5 * deviation


def test_settings_that_could_never_learn_are_refused():
    with pytest.raises(MesaBenchError, match="larger buffer-size or a smaller warmup"):
        build_model(TASK, Args(buffer_size=1000, warmup=2000))
    with pytest.raises(MesaBenchError, match="no probabilities"):
        build_model(TASK, Args(action="sample"))
