"""What is written beside results: versions, JSON, and files that are whole or not there."""

import os
import platform
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np


def versions() -> dict[str, str]:
    """Return the versions on which figures may depend."""
    packages = ("mesabench", "numpy", "numba", "minigrid", "gymnasium", "scipy", "onnxruntime")
    return {"python": platform.python_version()} | {p: version(p) for p in packages}


def as_json(value: Any) -> Any:
    """Return a value that JSON can hold: NaN becomes null, NumPy numbers become plain ones."""
    if isinstance(value, dict):
        return {str(k): as_json(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(v) for v in value]
    if isinstance(value, float | np.floating):
        return float(value) if np.isfinite(value) else None
    return value.item() if isinstance(value, np.generic) else value


def write_atomically(path: Path, text: str) -> Path:
    """Write a text file whole or not at all; return its path."""
    return write_whole(path, text.encode())


def write_whole(path: Path, data: bytes) -> Path:
    """Write a file whole or not at all; return its path. A full disk leaves no part of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}", delete=False) as file:
        draft = Path(file.name)
        try:
            file.write(data)
            file.flush()
            draft.chmod(0o644)
            os.replace(draft, path)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
    return path
