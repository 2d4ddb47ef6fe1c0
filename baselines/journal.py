"""The journal of a search's trials, an append-only file of Optuna's."""

from pathlib import Path

from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from mesabench.errors import MesaBenchError


def open_journal(file: Path) -> JournalStorage:
    """Open a journal; a line that a full disk or a kill cut short is taken off its end.

    Optuna passes over such a line while it is the last, but would write the next one behind it.

    Raises:
        MesaBenchError: the journal is damaged.
    """
    if file.is_file():
        with file.open("r+b") as journal:
            journal.truncate(journal.read().rfind(b"\n") + 1)
    try:
        return JournalStorage(JournalFileBackend(str(file)))
    except ValueError as error:
        raise MesaBenchError(
            f"{str(file)!r} is damaged ({error}); remove it to search anew, or choose another --out"
        ) from error
