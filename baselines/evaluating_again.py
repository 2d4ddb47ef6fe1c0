"""The evaluation that goes on record: of the file on record, and no longer than it must be."""

import json
from pathlib import Path
from typing import Any

from mesabench.agents.onnx_agent import OnnxAgent
from mesabench.files import as_json
from mesabench.observation import observation_space
from mesabench.task import Task

MOST_TEXT = 100_000  # bytes of an evaluation
PARTS = ("beside", "references", "controls", "splits")  # in the order in which they are shortened


def evaluate_again(path: Path, task: Task, before: dict[str, Any]) -> dict[str, Any]:
    """Evaluate an agent's file as it was evaluated before: the same levels, seed and knobs."""
    agent = OnnxAgent.load(path, observation_space(task), task.actions, seed=before["seed"])
    levels, seed = before["levels"]["heldout"]["count"], before["seed"]
    if task.trials is not None:
        from mesabench.adaptivity.evaluating import as_dict
        from mesabench.adaptivity.profile import profile

        return as_json(as_dict(profile(agent, task, levels=levels, seed=seed, name=path.name)))
    from mesabench.evaluation import evaluate

    found = evaluate(
        agent,
        task,
        levels=levels,
        judged=before["judged_levels"],
        seed=seed,
        name=path.name,
        beside=before["beside"] is not None,
        **before["knobs"],
    )
    return as_json(found.as_dict())


def shortened(evaluation: dict[str, Any]) -> tuple[str, list[str]]:
    """Return an evaluation as JSON of at most `MOST_TEXT` bytes, and what was left out for that.

    That is what is beside a verdict; on the learning track curves and samples, of the references
    first, then of the controls, then the agent's own. Every other figure stays.
    """
    left_out = list[str]()
    for part in PARTS:
        if part in evaluation and len(as_text(evaluation).encode()) > MOST_TEXT:
            beside = part == "beside"
            evaluation |= {part: None if beside else without_curves(evaluation[part])}
            left_out.append(
                "what is beside the verdict" if beside else f"curves and samples of {part}"
            )
    return as_text(evaluation), left_out


def as_text(evaluation: dict[str, Any]) -> str:
    """Return an evaluation as JSON, in lines unless that makes it too long."""
    text = json.dumps(evaluation, indent=1, allow_nan=False) + "\n"
    if len(text.encode()) <= MOST_TEXT:
        return text
    return json.dumps(evaluation, separators=(",", ":"), allow_nan=False) + "\n"


def without_curves(shown: Any) -> Any:
    """Return what somebody showed with neither curves nor samples."""
    if not isinstance(shown, dict):
        return shown
    return {
        name: {} if name in ("curves", "samples") else without_curves(part)
        for name, part in shown.items()
    }
