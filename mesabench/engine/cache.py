"""The `kernel` decorator: Numba-compiled, cached on disk, and not stale.

Numba notices an edit of the file that holds a kernel, but not of another file whose kernel is
inlined into it. The cache folder is therefore keyed by the contents of the engine *and* of the
kernel's own file with all files beside it that it imports, so that an edit of any of them starts a
fresh folder, and an edit of another task does not. Kernels that a package keeps in other folders
than the one of its task are not followed.
"""

import ast
import functools
import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba
from numba import config, types
from numba.core.caching import FunctionCache
from numba.core.registry import CPUDispatcher
from numba.core.runtime.nrt import rtsys
from platformdirs import user_cache_path

F = TypeVar("F", bound=Callable)


class KernelCache(FunctionCache):
    """Numba's cache, but for what it costs to load."""

    def load_overload(self, sig, target_context):
        """Load what is on disk, without Numba's registries: only compiling needs those."""
        rtsys.initialize(target_context)
        with self._guard_against_spurious_io_errors():
            return self._load_overload(sig, target_context)


class Kernel(CPUDispatcher):
    """Numba's dispatcher, but for what it costs to compile.

    To Numba a literal argument has a type of its own, so that put(.., WALL) and put(.., EMPTY)
    would be compiled one by one.
    """

    def enable_caching(self):
        """Keep compiled code on disk."""
        self._cache = KernelCache(self.py_func)

    def get_call_template(self, args, kws):
        """Resolve a call by another kernel, by the plain types of its arguments."""
        plain = {name: types.unliteral(arg) for name, arg in dict(kws).items()}
        return super().get_call_template([types.unliteral(arg) for arg in args], plain)


class Inner(Kernel):
    """A kernel without an entry for Python: a third of the time to compile one goes into that."""

    def add_overload(self, cres):
        """Keep compiled code; Numba would also list it, by its missing entry, for Python."""
        self.overloads[tuple(cres.signature.args)] = cres

    def _compile_for_args(self, *args, **kws):
        raise TypeError(f"{self.py_func.__qualname__} is for kernels: make it a @kernel itself")


def kernel(function: F) -> F:
    """Compile `function` with Numba: cached on disk, without the GIL.

    ``NUMBA_DISABLE_JIT=1`` leaves it as it is, for debugging and coverage.
    """
    return compiled(Kernel, function)


def inner(function: F) -> F:
    """Compile a function that only kernels call: as `kernel` does, but in less time."""
    return compiled(Inner, function, no_cpython_wrapper=True, no_cfunc_wrapper=True)


def compiled(kind: type[Kernel], function: Callable, **options: Any) -> Any:
    """Return `function` as a kernel of a kind, with Numba's options."""
    settings: Any = config  # its attributes are set when Numba is imported
    if settings.DISABLE_JIT:
        return function
    dispatcher = kind(function, targetoptions={"nopython": True, "nogil": True, **options})
    before = settings.CACHE_DIR
    settings.CACHE_DIR = str(cache_folder(Path(function.__code__.co_filename)))
    try:
        dispatcher.enable_caching()
    finally:
        settings.CACHE_DIR = before
    return dispatcher


@functools.cache
def cache_folder(source: Path) -> Path:
    """Return the cache folder for the kernels of a file."""
    digest = hashlib.sha256(numba.__version__.encode())
    engine = Path(__file__).parent
    kept = set(engine.glob("*.py")) | (set() if source.parent == engine else imported(source))
    for file in sorted(kept):
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    folder = cache_root() / digest.hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def imported(source: Path) -> set[Path]:
    """Return a file and those beside it that it imports, directly or not (or only seems to)."""
    found, waiting = set(), [source]
    while waiting:
        file = waiting.pop()
        if file in found or not file.exists():
            continue
        found.add(file)
        for node in ast.walk(ast.parse(file.read_bytes())):
            if isinstance(node, ast.Import | ast.ImportFrom):
                origin = (getattr(node, "module", None) or "").split(".")
                names = {*origin, *(part for n in node.names for part in n.name.split("."))}
                waiting += [file.with_name(f"{name}.py") for name in names if name]
    return found


@functools.cache
def cache_root(kind: str = "kernels") -> Path:
    """Return the writable folder below which things of a kind are kept, compiled kernels or others.

    It is in ``MESABENCH_CACHE_DIR`` where that is set, else in the user's cache folder, else (on a
    read-only home) a folder below the system's temporary one.
    """
    chosen = os.environ.get("MESABENCH_CACHE_DIR")
    folder = (Path(chosen) if chosen else user_cache_path("mesabench")) / kind
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError:
        fallback = Path(tempfile.gettempdir()) / f"mesabench-{kind}-{os.getuid()}"
        fallback.mkdir(mode=0o700, parents=True, exist_ok=True)
        return fallback
