"""Write a Stable-Baselines3 model as an ONNX agent: one file, checked against the model.

Torch and Stable-Baselines3 are imported when they are used: reading agents needs neither.
"""

import copy
import os
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import onnx

from mesabench.agents.onnx_agent import ACTIONS, OnnxAgent
from mesabench.agents.signature import (
    EPISODE_START,
    FEATURES,
    LOGITS,
    NEXT,
    VALUE,
    Rows,
    observed,
)
from mesabench.errors import AgentError, listed, unknown

if TYPE_CHECKING:
    import torch
    from stable_baselines3.common.base_class import BaseAlgorithm

    from mesabench.agents.showing import ShowingStep

OPSET = 17
ALGORITHMS = ("RecurrentPPO", "PPO", "A2C", "DQN", "QRDQN", "MaskablePPO")


def export_sb3(
    model: "BaseAlgorithm",
    path: str | Path,
    *,
    metadata: Mapping[str, str] | None = None,
    action: Literal["greedy", "sample"] = "greedy",
) -> Path:
    """Write `model`'s policy to the ONNX file `path`.

    Normalisation outside the model (VecNormalize) is not part of what is written. The model is
    left as it was, so a training run can export checkpoints.

    Arguments:
        model: RecurrentPPO, PPO, A2C, DQN, QRDQN or a subclass.
        path: the file; its folder is made. It is replaced only once the new one is complete and
            has passed the comparison.
        metadata: properties to store beside `algorithm`, `training_seed` and `training_steps`.
        action: how whoever runs the agent chooses its actions.

    Returns:
        The path written.

    Raises:
        AgentError: the policy is of a kind that is not covered, or the exported graph does not
            act as the model does (see `mesabench.agents.parity`).
    """
    from mesabench.agents.one_step import one_step
    from mesabench.agents.parity import require_parity
    from mesabench.agents.showing import ShowingStep

    if action not in ACTIONS:
        raise AgentError(unknown("action", action, ACTIONS))
    # The last action distribution may hold tensors of a training graph, which cannot be copied.
    spent = getattr(model.policy, "action_dist", None)
    policy = copy.deepcopy(model.policy, {id(spent): spent}).to("cpu")
    policy.set_training_mode(False)
    step = one_step(policy)
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Beside the target, for a replacement on one file system is atomic.
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".export-") as folder:
        draft = Path(folder) / path.name
        showing = ShowingStep(step)
        _trace(showing, draft)
        _label(draft, showing.size, {**_origin(model), **(metadata or {}), "action": action})
        agent = OnnxAgent(draft.read_bytes(), step.space, step.num_actions)
        require_parity(policy, agent, step.space)
        os.replace(draft, path)
    return path


def export_zip(
    path_zip: str | Path,
    path: str | Path,
    *,
    algorithm: str = "RecurrentPPO",
    metadata: Mapping[str, str] | None = None,
    action: Literal["greedy", "sample"] = "greedy",
) -> Path:
    """Write the model that Stable-Baselines3 saved at `path_zip` to the ONNX file `path`.

    Loading such a zip file unpickles it and so runs code that it may contain: do this to your own
    files only, and publish the ONNX file.

    Arguments:
        path_zip: what ``model.save`` wrote.
        path: the ONNX file, as in `export_sb3`.
        algorithm: the name of the class that saved it.
        metadata: as in `export_sb3`.
        action: as in `export_sb3`.

    Raises:
        AgentError: the algorithm is unknown, the file cannot be loaded, or `export_sb3` refuses.
    """
    if algorithm not in ALGORITHMS:
        raise AgentError(unknown("algorithm", algorithm, ALGORITHMS))
    if not Path(path_zip).is_file() and not Path(f"{path_zip}.zip").is_file():
        raise AgentError(f"there is no file {str(path_zip)!r}")
    import sb3_contrib
    import stable_baselines3

    kind = getattr(sb3_contrib, algorithm, None) or getattr(stable_baselines3, algorithm)
    try:
        model = kind.load(path_zip, device="cpu")
    # Unpickling raises whatever the file's classes raise.
    except Exception as error:
        others = listed([name for name in ALGORITHMS if name != algorithm])
        raise AgentError(
            f"{algorithm} cannot load {str(path_zip)!r}: {error}; if another class wrote it, say "
            f"which: --algorithm {others}"
        ) from error
    return export_sb3(model, path, metadata=metadata, action=action)


def _trace(showing: "ShowingStep", path: Path) -> None:
    """Write a step as a graph whose batch axis is dynamic."""
    import torch

    step = showing.step
    inputs = observed(step.space)
    if step.states:
        inputs[EPISODE_START] = Rows(np.dtype(np.float32), ())
        inputs |= {name: Rows(np.dtype(np.float32), shape) for name, shape in step.states.items()}
    outputs = [LOGITS, VALUE, *(name + NEXT for name in step.states), FEATURES]
    # One tensor per input: the exporter takes a shared one for a shared input, without a word.
    examples = tuple(torch.zeros(2, *r.shape, dtype=_torch_type(r)) for r in inputs.values())
    with warnings.catch_warnings():
        # The exporter that needs no further package is the older one, and says so every time.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            showing,
            examples,
            str(path),
            input_names=list(inputs),
            output_names=outputs,
            dynamic_axes={name: {0: "batch"} for name in (*inputs, *outputs)},
            opset_version=OPSET,
            dynamo=False,
        )


def _torch_type(rows: Rows) -> "torch.dtype":
    import torch

    return getattr(torch, rows.dtype.name)


def _label(path: Path, features: int, properties: Mapping[str, str]) -> None:
    """Store how many features there are, and `properties`; drop what tells of this machine."""
    model = onnx.load(path)
    for output in model.graph.output:
        if output.name == FEATURES:
            output.type.tensor_type.shape.dim[1].dim_value = features
    for part in (model, model.graph, *model.graph.node):
        part.ClearField("doc_string")
    onnx.helper.set_model_props(model, dict(properties))
    onnx.save(model, path)


def _origin(model: "BaseAlgorithm") -> dict[str, str]:
    return {
        "algorithm": type(model).__name__,
        "training_seed": str(model.seed),
        "training_steps": str(model.num_timesteps),
    }
