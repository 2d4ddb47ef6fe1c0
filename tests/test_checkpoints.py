"""Checkpoints are whole or left aside, and nothing in them is executed."""

import io
from pathlib import Path

import pytest
import torch as th
from tiny_runs import TINY, TOY, weights

import mesabench
from mesabench.baselines.checkpoints import load_checkpoint, save_checkpoint
from mesabench.baselines.train import build_model


@pytest.fixture(params=[TOY, "KeysChests-v0", "Bandit-v0"])
def task(request):
    return mesabench.get_task(request.param)


def test_a_damaged_checkpoint_gives_way_to_the_one_before(task, tmp_path):
    model, fingerprint = build_model(task, TINY), TINY.fingerprint(task.id)
    model.num_timesteps = 512
    save_checkpoint(model, tmp_path, fingerprint)
    sound = weights(model)
    model.num_timesteps = 1024
    with th.no_grad():
        for parameter in model.policy.parameters():
            parameter.add_(1.0)
    damaged = save_checkpoint(model, tmp_path, fingerprint)
    data = bytearray(damaged.read_bytes())
    for cut in (bytes(data[: len(data) // 2]), bytes(data[:-9]) + b"\xff" + bytes(data[-8:]), b""):
        damaged.write_bytes(cut)
        said: list[str] = []
        assert load_checkpoint(model, tmp_path, fingerprint, said.append) == 512
        assert damaged.name in said[0]
        assert not damaged.exists()
        assert damaged.with_suffix(".damaged").read_bytes() == cut
        assert all((weights(model)[name] == value).all() for name, value in sound.items())


def test_a_checkpoint_of_other_settings_is_left_aside(task, tmp_path):
    model = build_model(task, TINY)
    model.num_timesteps = 512
    save_checkpoint(model, tmp_path, "another fingerprint")
    said: list[str] = []
    assert load_checkpoint(model, tmp_path, TINY.fingerprint(task.id), said.append) == 0
    assert "other settings" in said[0]
    for steps in (128, 256):  # are not taken for the oldest of three
        model.num_timesteps = steps
        save_checkpoint(model, tmp_path, TINY.fingerprint(task.id))
    assert [path.stem for path in sorted(tmp_path.glob("*.pt"))] == [f"{128:012d}", f"{256:012d}"]
    assert len([*tmp_path.glob("*.other")]) == 1


def test_checkpoints_execute_nothing(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "boom",))

    import hashlib

    payload = io.BytesIO()
    th.save({"fingerprint": Bomb()}, payload)
    data = payload.getvalue()
    (tmp_path / "1.pt").write_bytes(hashlib.sha256(data).digest() + data)
    said: list[str] = []
    model = build_model(mesabench.get_task(mesabench.task_ids(None)[0]), TINY)
    assert load_checkpoint(model, tmp_path, "x", said.append) == 0
    assert said
    assert not (tmp_path / "boom").exists()
