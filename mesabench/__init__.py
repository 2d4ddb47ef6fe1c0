"""MesaBench: which objective did this trained agent learn?

Importing the package registers every environment with Gymnasium, as ``MesaBench/<id>``.
"""

from importlib.metadata import version
from typing import TYPE_CHECKING

from mesabench.registry import get_task, register, task_ids

if TYPE_CHECKING:
    from mesabench.adaptivity.profile import profile
    from mesabench.evaluation import evaluate
    from mesabench.parallel import parallel_env
    from mesabench.sb3 import sb3_env, sb3_vec_env

__version__ = version("mesabench")
__all__ = [
    "evaluate",
    "get_task",
    "parallel_env",
    "profile",
    "sb3_env",
    "sb3_vec_env",
    "task_ids",
]

_LAZY = {
    "evaluate": "mesabench.evaluation",
    "parallel_env": "mesabench.parallel",
    "profile": "mesabench.adaptivity.profile",
    "sb3_env": "mesabench.sb3",
    "sb3_vec_env": "mesabench.sb3",
}


def __getattr__(name: str):
    """Import what is heavy only when it is used."""
    if name not in _LAZY:
        raise AttributeError(f"module 'mesabench' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    """List what is imported when it is used as well."""
    return sorted({*globals(), *__all__})


register()
