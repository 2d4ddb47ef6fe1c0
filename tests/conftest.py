"""One thread for each worker's numerical libraries; what takes long comes first."""

import os

import pytest

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")  # read when NumPy and torch are first imported


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the long tests begin first: at the end one worker would wait for another's."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)
