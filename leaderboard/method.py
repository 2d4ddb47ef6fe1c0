"""What the owner of a method says of it: `method.yaml`, from which an entry is begun."""

import json
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import Field

from mesabench.leaderboard.counts import Record
from mesabench.leaderboard.entry import Method, Seed, Slug, TaskId, Training
from mesabench.leaderboard.reading import EntryError, brief, read_bounded, validated

TEMPLATE = Path(__file__).parent / "method.yaml"


class MethodFile(Record):
    """A method as its owner describes it.

    Attributes:
        reported: task → normalised base return on test, as reported.
        agent_url: where an agent's file lies; {task}, {seed} and {name} are filled in.
        seeds: training seeds of files whose name does not end in one.
    """

    slug: Slug
    track: Literal["zero_shot", "open"]
    method: Method
    training: Training
    reported: dict[TaskId, float]
    agent_url: Annotated[str, Field(max_length=400)] | None
    seeds: dict[Annotated[str, Field(max_length=400)], Seed]
    supersedes: Slug | None

    def url(self, task: str, seed: int, name: str) -> str | None:
        """Return where an agent's file lies; None where that is not said."""
        if self.agent_url is None:
            return None
        url = self.agent_url
        for field, value in (("{task}", task), ("{seed}", str(seed)), ("{name}", name)):
            url = url.replace(field, value)
        return url


def read_method(path: Path) -> MethodFile:
    """Read a method file.

    Raises:
        EntryError: it cannot be read, or something in it is missing or wrong.
    """
    try:
        found = yaml.safe_load(read_bounded(path.resolve()))
        text = json.dumps(found)
    except yaml.YAMLError as error:
        raise EntryError(f"{path.name}: not YAML: {brief(error)}") from error
    except (TypeError, ValueError, RecursionError) as error:
        raise EntryError(f"{path.name}: {brief(error)}") from error
    said = validated(MethodFile, text, path.name)
    if said.track == "zero_shot" and said.training.saw_test:
        raise EntryError(
            f"{path.name}: track zero_shot is for methods that never saw the test split; "
            "with saw_test: true the track is open"
        )
    return said
