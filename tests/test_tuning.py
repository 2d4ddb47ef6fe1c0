"""Files of settings are read as they were written, and bad ones are refused."""

from pathlib import Path

import pytest
import yaml

import mesabench
from mesabench.baselines.algorithms import ALGORITHMS, get_algorithm
from mesabench.baselines.config import TrainConfig
from mesabench.baselines.configs import (
    FOLDER,
    Found,
    load_settings,
    read_configs,
    read_found,
    write_settings,
)
from mesabench.errors import MesaBenchError

FILES = sorted(FOLDER.glob("*.yaml"))
FOUND = Found(0.9, 0.7, 1000, 0, 2, "mesabench tune RedDoor-v0")


def test_there_is_a_file_for_every_task() -> None:
    assert [path.stem for path in FILES] == [*mesabench.task_ids(None)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_file_holds_settings_that_a_training_can_begin_with(path: Path) -> None:
    for algorithm, settings in read_configs(path.stem).items():
        assert settings.algorithm == algorithm
        found = read_found(path.stem, algorithm)
        if found is not None:
            assert found.command.startswith(f"mesabench tune {path.stem} --algorithm {algorithm}")
            assert found.trials > 0
        if isinstance(settings, TrainConfig):
            assert settings.num_envs * settings.rollout % settings.minibatches == 0


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_an_algorithm_without_a_block_has_its_defaults(algorithm: str, tmp_path: Path) -> None:
    assert (
        load_settings("RedDoor-v0", algorithm, folder=tmp_path) == get_algorithm(algorithm).Args()
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("recurrent-ppo: {learning_rat: 0.1}", r"unknown setting 'learning_rat'.*'learning_rate'"),
        ("recurrent-ppo: {learning_rate: 1e-3}", r"learning_rate must be float.*1\.0e-3"),
        ("recurrent-ppo: {rollout: 64.5}", "rollout must be int, not 64.5"),
        ("recurrent-ppo: {recolour: 1}", "recolour must be bool, not 1"),
        ("recurrent-ppo: {threads: true}", "threads must be int, not True"),
        ("recurrent-ppo: {level: size}", "level must be tuple"),
        ("recurrent-ppo: {found: {heldout: high}}", "found.heldout must be float"),
        ("recurrent-ppo: {found: 3}", "found must be null or a block, not 3"),
        (
            "recurrent-ppo: {found: {heldout: 1}}",
            "found lacks before, steps, seed, trials, command",
        ),
        ("recurent-ppo: {}", "unknown algorithm 'recurent-ppo'.*'recurrent-ppo'"),
        ("recurrent-ppo: 3", "must map names of algorithms"),
        ("a: {b", "is no YAML"),
    ],
)
def test_a_bad_file_is_refused_and_named(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "RedDoor-v0.yaml").write_text(text)
    with pytest.raises(MesaBenchError, match=rf"(?s)RedDoor-v0\.yaml.*{said}"):
        read_configs("RedDoor-v0", folder=tmp_path)


def test_settings_are_read_as_they_were_written_beside_those_of_others(tmp_path: Path) -> None:
    (tmp_path / "RedDoor-v0.yaml").write_text("other: {x: 1}\n")
    settings = TrainConfig(learning_rate=2e-3, level=("size=7",), last_entropy=0.0, discount=None)
    path = write_settings(settings, "RedDoor-v0", FOUND, folder=tmp_path)
    blocks = yaml.safe_load(path.read_text())
    assert blocks.pop("other") == {"x": 1}
    assert {*blocks["recurrent-ppo"]} == {"learning_rate", "level", "last_entropy", "found"}
    path.write_text(yaml.safe_dump(blocks))
    assert load_settings("RedDoor-v0", "recurrent-ppo", folder=tmp_path) == settings
    assert read_found("RedDoor-v0", "recurrent-ppo", folder=tmp_path) == FOUND


def test_whole_numbers_are_read_as_floats_where_floats_are_asked_for(tmp_path: Path) -> None:
    (tmp_path / "RedDoor-v0.yaml").write_text("recurrent-ppo: {alpha: 1, discount: 1}")
    found = load_settings("RedDoor-v0", "recurrent-ppo", folder=tmp_path)
    assert isinstance(found.alpha, float)
    assert isinstance(found.discount, float)
