"""Seeds are trained in different colours, and each is judged in its own."""

import json
from pathlib import Path

import pytest

from mesabench.baselines.records import FOLDER
from mesabench.errors import AgentError
from mesabench.leaderboard.entry import Judged
from mesabench.leaderboard.judge import judge_file, suit
from mesabench.leaderboard.levels import Block
from mesabench.registry import get_task

TASK = get_task("CheeseDish-v0")
LEVELS = Block(0, 512, 0)  # those on which the record was made


def metadata(**knobs: int) -> dict[str, str]:
    return {"env": TASK.id, "knobs": json.dumps(knobs)}


def test_a_turn_of_the_colours_is_no_other_level() -> None:
    assert suit(metadata(), TASK, zero_shot=True) == {}
    assert suit(metadata(palette=0), TASK, zero_shot=True) == {}
    assert suit(metadata(palette=2), TASK, zero_shot=True) == {"palette": 2}
    with pytest.raises(AgentError, match="size"):
        suit(metadata(palette=2, size=TASK.train.size + 2), TASK, zero_shot=True)
    with pytest.raises(AgentError, match="palette"):
        suit(metadata(palette=99), TASK, zero_shot=True)


@pytest.mark.parametrize("seed", [0, 2])
def test_an_agent_on_record_earns_on_the_leaderboard_what_its_record_says(seed: int) -> None:
    run: Path = FOLDER / TASK.id / f"recurrent-ppo-seed{seed}"
    said = json.loads((run / "evaluation.json").read_text())
    found = judge_file((run / "agent.onnx").read_bytes(), TASK, LEVELS, zero_shot=True)
    assert isinstance(found, Judged)
    assert (found.verdict, found.objective) == (said["verdict"], said["objective"])
    for split, counts in found.splits.items():
        recorded = said["returns"][split][TASK.base.name]["discounted"]["mean"]
        assert counts.agent / counts.episodes == pytest.approx(recorded, rel=1e-6)
