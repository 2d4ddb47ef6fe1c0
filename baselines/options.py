"""Settings in words: read from key=value, and written as options of the command line."""

import io
from collections.abc import Sequence
from contextlib import redirect_stderr
from dataclasses import fields, replace
from typing import Any, get_type_hints

import tyro

from mesabench.baselines.config import Settings
from mesabench.errors import MesaBenchError, unknown

AXES = {"steps": "--steps", "seed": "--seeds", "alpha": "--alphas", "num_levels": "--num-levels"}
UNTUNED = "--no-tuned"  # what is not given is the algorithm's default, not the task's setting


def tuned(task: str, algorithm: str) -> Settings:
    """Return the settings of an algorithm on a task: tuned ones where there are any."""
    from mesabench.baselines.configs import load_settings

    return load_settings(task, algorithm)


def change(settings: Settings, changes: Sequence[str]) -> Settings:
    """Return settings changed as ``("lstm=128", "last_entropy=none")`` say.

    Raises:
        MesaBenchError: a key is no setting of the algorithm, or a value does not fit.
    """
    names = [f.name for f in fields(settings) if f.name not in AXES]
    for part in changes:
        given, equals, value = part.partition("=")
        key = given.replace("-", "_")
        if not equals:
            raise MesaBenchError(f"a setting is given as key=value, not {part!r}")
        if key in AXES:
            raise MesaBenchError(f"{key} is an axis of the sweep: use {AXES[key]}, not --set")
        if key not in names:
            raise MesaBenchError(unknown(f"setting of {settings.algorithm}", given, names))
        settings = replace(settings, **{key: parse(settings, key, value)})
    return settings


def parse(settings: Settings, key: str, value: str) -> Any:
    """Read the value of a setting as the command line of `mesabench run` does.

    Raises:
        MesaBenchError: it is none of the setting's type.
    """
    several = isinstance(getattr(settings, key), tuple)
    words = value.split(",") if several else [value]
    fixed = {"none": "None", "true": "True", "false": "False"}
    option = ["--" + key.replace("_", "-"), *(fixed.get(w.lower(), w) for w in words if w)]
    kind = tyro.conf.FlagConversionOff[type(settings)]
    try:
        with redirect_stderr(io.StringIO()):
            return getattr(tyro.cli(kind, args=option, default=settings), key)
    except SystemExit:
        hint = get_type_hints(type(settings))[key]
        wanted = hint.__name__ if isinstance(hint, type) else hint
        raise MesaBenchError(f"{value!r} is no value of the setting {key} ({wanted})") from None


def as_options(settings: Settings) -> list[str]:
    """Return the command-line options that stand for settings, the inverse of reading them.

    They begin from the algorithm's defaults, and so mean the same whatever is tuned later.
    """
    usual = type(settings)()
    found = ["--algorithm", settings.algorithm, UNTUNED]
    for field in fields(settings):
        value, flag = getattr(settings, field.name), field.name.replace("_", "-")
        if field.name != "seed" and getattr(usual, field.name) == value:
            continue
        if isinstance(value, bool):
            found.append(f"--{flag}" if value else f"--no-{flag}")
        elif isinstance(value, tuple):
            found += [f"--{flag}", *map(str, value)]
        else:
            found += [f"--{flag}", str(value)]
    return found
