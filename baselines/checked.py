"""Values from a file of settings, checked against the fields of the dataclass that they are for."""

import types
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from mesabench.errors import MesaBenchError, unknown


def check_fields(
    path: Path, where: str, values: Mapping[str, Any], kind: type[Any]
) -> dict[str, Any]:
    """Return values for the fields of a dataclass: lists as tuples, whole numbers as floats.

    Args:
        path: the file that they are from.
        where: the block that they are from.
        values: name of a field → its value.
        kind: the dataclass.

    Raises:
        MesaBenchError: there is no such field, or the value is not of its type.
    """
    hints = get_type_hints(kind)
    known = [f.name for f in fields(kind)]
    for name, value in values.items():
        if name not in known:
            raise MesaBenchError(f"{path}: {where}: {unknown('setting', str(name), known)}")
        if not fits(value, hints[name]):
            raise MesaBenchError(
                f"{path}: {where}.{name} must be {words(hints[name])}, not {value!r}"
                + (" (YAML's numbers have a point: 1.0e-3)" if is_number(value) else "")
            )
    return {name: converted(value, hints[name]) for name, value in values.items()}


def fits(value: Any, hint: Any) -> bool:
    """Tell whether a value from YAML is of an annotated type."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return any(fits(value, each) for each in arguments)
    if origin is Literal:
        return value in arguments
    if origin is tuple:
        return isinstance(value, list) and all(fits(each, arguments[0]) for each in value)
    if hint in (int, float):
        return isinstance(value, (int, hint)) and not isinstance(value, bool)
    return isinstance(value, hint)


def converted(value: Any, hint: Any) -> Any:
    """Return a value that fits a type as the dataclass would have it."""
    if isinstance(value, list):
        return tuple(value)
    whole = isinstance(value, int) and not isinstance(value, bool)
    kinds = get_args(hint) or (hint,)
    return float(value) if whole and float in kinds and int not in kinds else value


def words(hint: Any) -> str:
    """Return a type in words."""
    return hint.__name__ if isinstance(hint, type) and not get_args(hint) else str(hint)


def is_number(value: Any) -> bool:
    """Tell whether a text is a number that YAML takes for a text, such as 1e-3."""
    try:
        float(value)
    except (ValueError, TypeError):
        return False
    return isinstance(value, str)
