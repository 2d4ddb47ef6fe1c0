"""Commands whose options depend on the task and algorithm that stand on the same command line."""

from collections.abc import Callable, Sequence
from inspect import Parameter, Signature, signature
from typing import Annotated, Any, Literal

import tyro
from rich.console import Console

from mesabench.baselines.algorithms import ALGORITHMS, FLAGSHIP, get_algorithm
from mesabench.baselines.config import Settings
from mesabench.baselines.options import UNTUNED, tuned
from mesabench.errors import MesaBenchError
from mesabench.registry import NAMESPACE, task_ids

OPTION, TUNED = "--algorithm", "--tuned"
PREFIX = f"{NAMESPACE}/"
HELP = "algorithm that trains; it decides which settings there are: " + "; ".join(
    f"{name}: {about}" for name, about in ALGORITHMS.items()
)

TUNED_HELP = "begin from the task's tuned settings; from the algorithm's defaults with --no-tuned"


class ByAlgorithm:
    """A command that has the settings of an algorithm as options.

    What they are where they are not given is what is tuned for the task (``configs/``), or the
    algorithm's defaults where the command line says so.

    Args:
        perform: what the command does; its parameter ``config`` takes the settings.
    """

    def __init__(self, perform: Callable[..., None]):
        self.perform = perform

    def __call__(self, *given: Any, **options: Any) -> None:
        """Perform it with settings from Python."""
        self.perform(*given, **options)

    def for_arguments(self, arguments: Sequence[str]) -> Callable[..., None]:
        """Return the function whose signature the command line is made from.

        Args:
            arguments: the command line; empty where it is another command's.

        Raises:
            MesaBenchError: the arguments name an algorithm that does not exist.
        """
        arguments = [*map(dashed, arguments)]
        chosen, task = named(arguments), task_of(arguments)
        usual, perform = settings_for(arguments, task, chosen), self.perform

        def command(env: str, *, algorithm: str, tuned: bool, **options: Any) -> None:
            if tuned and task not in (None, env):
                raise MesaBenchError(
                    f"settings begin from those of {task!r}, which stands first, but the task is "
                    f"{env!r}: put it before the options"
                )
            if tuned and usual != get_algorithm(chosen).Args():
                said = "settings begin from what is tuned for the task; --no-tuned: from defaults"
                Console().print(said, soft_wrap=True, highlight=False)
            perform(env, **options)

        parameters = [p for p in signature(perform).parameters.values() if p.name != "config"]
        settings = Annotated[type(usual), tyro.conf.arg(name="")]
        choice = Annotated[Literal[tuple(ALGORITHMS)], tyro.conf.arg(help=HELP)]
        for name, default, annotation in (
            ("algorithm", chosen, choice),
            ("tuned", True, Annotated[bool, tyro.conf.arg(help=TUNED_HELP)]),
            ("config", usual, settings),
        ):
            parameters.append(
                Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
            )
        command.__doc__ = perform.__doc__
        vars(command)["__signature__"] = Signature(parameters)
        command.__annotations__ = {p.name: p.annotation for p in parameters}
        return command


def dashed(argument: str) -> str:
    """Return an option's name as it is listed: tyro takes ``--no_tuned`` for ``--no-tuned``."""
    name, equals, value = argument.partition("=")
    return name.replace("_", "-") + equals + value if name.startswith("--") else argument


def named(arguments: Sequence[str]) -> str:
    """Return the algorithm that a command line asks for, the last one as everywhere."""
    found = FLAGSHIP
    for place, argument in enumerate(arguments):
        option, equals, value = argument.partition("=")
        if option == OPTION:
            found = value if equals else "".join(arguments[place + 1 : place + 2])
    return found


def task_of(arguments: Sequence[str]) -> str | None:
    """Return the first argument that is the id of a task, if there is one."""
    known = task_ids(None)
    return next((a for a in arguments if a.removeprefix(PREFIX) in known), None)


def settings_for(arguments: Sequence[str], task: str | None, algorithm: str) -> Settings:
    """Return the settings that a command line begins from.

    They are the tuned ones of the task that it names, and the algorithm's defaults where it names
    none or does not want them.
    """
    said = [argument for argument in arguments if argument in (TUNED, UNTUNED)]
    if task is None or (said and said[-1] == UNTUNED):
        return get_algorithm(algorithm).Args()
    return tuned(task, algorithm)
