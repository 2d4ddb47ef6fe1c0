"""Entries as files: read as a stranger's data, written whole or not at all.

Reading runs nothing of what is read, and whatever is wrong with it is an `EntryError`.
"""

import json
import os
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from mesabench.errors import MesaBenchError
from mesabench.files import write_atomically
from mesabench.leaderboard.counts import Record
from mesabench.leaderboard.entry import Entry, repeated

MAX_BYTES = 4 * 2**20  # of an entry's file
SCHEMA = Path(__file__).parent / "schema.json"

R = TypeVar("R", bound=Record)


class EntryError(MesaBenchError, ValueError):
    """An entry, a method file or a change of entries that is not as it must be."""


def read_entry(path: str | Path) -> Entry:
    """Read an entry's file, whose name must be its slug.

    Raises:
        EntryError: the file cannot be read, is too long, or is no entry.
    """
    path = Path(path)
    entry = parse_entry(read_bounded(path), path.name)
    if path.name != f"{entry.slug}.json":
        raise EntryError(f"{path.name}: its slug is {entry.slug!r}, so it is {entry.slug}.json")
    return entry


def read_bounded(path: Path) -> bytes:
    """Return the bytes of an entry's file, or of another small one.

    Raises:
        EntryError: it cannot be read, is no plain file, or is longer than `MAX_BYTES`.
    """
    try:
        # Neither a link to another file nor a device, on which reading could wait for ever.
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with open(handle, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise EntryError(f"cannot read {str(path)!r}: {error.strerror}") from error
    if data is None or len(data) > MAX_BYTES:
        raise EntryError(f"{path.name} has more than {MAX_BYTES:,} bytes; no more are read")
    return data


def parse_entry(data: bytes | str, name: str = "entry") -> Entry:
    """Read an entry's text.

    Raises:
        EntryError: it is no entry; the message names the first fields that are wrong.
    """
    return _as_written(data) or validated(Entry, decoded(data, name), name)


def _as_written(data: bytes | str) -> Entry | None:
    """Return the entry whose file holds exactly this text; None where there is none.

    A text that an entry is written as has no key twice and no odd number, so most files need not be
    read a second time to find that out.
    """
    try:
        entry = Entry.model_validate_json(data)
        text = entry_text(entry)
        return entry if text == data or text.encode() == data else None
    except ValueError:  # pydantic's and Unicode's errors are such
        return None


def decoded(data: bytes | str, name: str) -> str:
    """Return JSON's text, in which no key occurs twice.

    Raises:
        EntryError: it is no such text.
    """
    try:
        text = data if isinstance(data, str) else data.decode("utf-8")
        json.loads(text, object_pairs_hook=_unique, parse_constant=_finite)
        text.encode("utf-8")
    # RecursionError: thousands of opening brackets.
    except (ValueError, RecursionError) as error:
        raise EntryError(f"{name}: not JSON as an entry has it: {brief(error)}") from error
    return text


def validated(kind: type[R], text: str, name: str) -> R:
    """Return a record from JSON text.

    Raises:
        EntryError: it does not hold one; the message names the first fields that are wrong.
    """
    try:
        return kind.model_validate_json(text)
    except ValidationError as error:
        raise EntryError(f"{name}: {told(error)}") from error


def told(error: ValidationError) -> str:
    """Say the first things that pydantic found wrong, in one line."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    lines = [
        f"{'.'.join(brief(part) for part in one['loc']) or 'entry'}: {brief(one['msg'])}"
        for one in found[:5]
    ]
    more = f"; and {len(found) - 5} more" if len(found) > 5 else ""
    return "; ".join(lines) + more


def brief(what: object) -> str:
    """Return a foreign text in one printable line of bounded length."""
    return "".join(c if c.isprintable() else "?" for c in str(what))[:300]


def entry_text(entry: Entry) -> str:
    """Return what an entry's file holds."""
    return entry.model_dump_json(indent=1) + "\n"


def write_entry(entry: Entry, folder: str | Path) -> Path:
    """Write ``<slug>.json`` into a folder, whole or not at all; return its path."""
    return write_atomically(Path(folder) / f"{entry.slug}.json", entry_text(entry))


def schema() -> dict[str, Any]:
    """Return the JSON Schema of an entry."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Entry.model_json_schema(mode="validation"),
    }


def schema_text() -> str:
    """Return what `schema.json` holds."""
    return json.dumps(schema(), indent=1) + "\n"


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Build an object; readers differ in which of two equal keys they take."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError(f"key {brief(repeated(key for key, _ in pairs))!r} occurs more than once")
    return found


def _finite(constant: str) -> float:
    raise ValueError(f"{constant} is no number of JSON")
