"""Hashes of what every task's results are about: ``python tests/golden.py`` writes them anew.

Published results are about these very levels and objectives. Whoever changes them raises the
version suffix of the task's id before running this file.
"""

import json
from pathlib import Path
from typing import Any

import mesabench
from mesabench.fingerprint import describe
from mesabench.registry import get_task

FILE = Path(__file__).with_suffix(".json")


def golden() -> dict[str, dict[str, Any]]:
    """Return, for every task, what is paid for, and the hashes of every split."""
    return {name: describe(get_task(name)) for name in mesabench.task_ids(None)}


if __name__ == "__main__":
    FILE.write_text(json.dumps(golden(), indent=2) + "\n")
