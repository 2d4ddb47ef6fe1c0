"""`mesabench`: the command line. A package adds commands as entry points `mesabench.commands`."""

import errno
import os
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import entry_points, version
from typing import Any

import tyro
from rich.console import Console
from rich.markup import escape

from mesabench import commands
from mesabench.audit.commands import audit, gallery
from mesabench.errors import MesaBenchError
from mesabench.learning.commands import references
from mesabench.validation.commands import validate

GROUP = "mesabench.commands"
# What a file or folder says that is not what a command takes it for, or not the user's.
IN_THE_WAY = (
    errno.EACCES,
    errno.EEXIST,
    errno.EISDIR,
    errno.ENOTDIR,
    errno.EPERM,
    errno.EROFS,
)


def all_commands(arguments: Sequence[str] = ()) -> dict[str, Callable[..., Any]]:
    """Return every command by name: the library's own, then those of other packages.

    A command whose options depend on what else stands on the command line has a method
    ``for_arguments`` that returns the function with the right ones; it is told of them where it is
    the command that stands there.
    """
    own = {
        "list": commands.list_,
        "info": commands.info,
        "evaluate": commands.evaluate,
        "export": commands.export,
        "play": commands.play,
        "render": commands.render,
        "bench": commands.bench,
        "audit": audit,
        "gallery": gallery,
        "validate": validate,
        "references": references,
    }
    found = own | {entry.name: entry.load() for entry in sorted(entry_points(group=GROUP))}
    for name, command in found.items():
        if hasattr(command, "for_arguments"):
            found[name] = command.for_arguments(arguments if name in arguments[:1] else ())
    return found


def main(args: list[str] | None = None) -> None:
    """Run the command that the arguments name, or say which version this is."""
    if (sys.argv[1:] if args is None else args) == ["--version"]:
        print(f"mesabench {version('mesabench')}")
        return
    try:
        tyro.extras.subcommand_cli_from_dict(
            all_commands(sys.argv[1:] if args is None else args),
            prog="mesabench",
            description="Which objective did this trained agent learn?",
            args=args,
        )
    except MesaBenchError as error:
        Console(stderr=True).print(f"[red]error:[/red] {escape(str(error))}", soft_wrap=True)
        sys.exit(2)
    except BrokenPipeError:  # whoever read the output, such as `head`, has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        place = error.filename2 or error.filename
        if error.errno in IN_THE_WAY and place is not None:
            said = escape(f"{str(place)!r}: {error.strerror}; choose another place")
            Console(stderr=True).print(f"[red]error:[/red] {said}", soft_wrap=True)
            sys.exit(2)
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        where = escape(f": {error.filename}" if error.filename else "")
        Console(stderr=True).print(
            f"[red]error:[/red] the disk is full{where}. Files written before are whole; make room "
            "and give the same command again",
            soft_wrap=True,
        )
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
