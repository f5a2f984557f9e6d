"""What the record of a prediction says of the pipeline that made it."""

from __future__ import annotations

from pydantic import ConfigDict, Field, JsonValue, ValidationError

from histpred.core.errors import UsageError, first_few
from histpred.core.strict_json import parse
from histpred.scoring.promise import Part


class Launch(Part):
    """The run of a pipeline.

    revision: of its repository, None if it has none. container: name of the image, None without
    containers; container_digest: None if the name is all that is known. parameters: those that
    differ from their defaults, as the user gave them.
    """

    model_config = ConfigDict(extra="forbid")

    pipeline: str
    version: str
    revision: str | None = None
    nextflow: str
    profile: str
    container: str | None = None
    container_digest: str | None = None
    parameters: dict[str, JsonValue] = Field(default_factory=dict)


def parse_launch(text: str) -> Launch:
    """The run that a JSON object describes; UsageError if it is not one."""
    hint = "the pipeline writes it; without a pipeline, omit --launched-by"
    try:
        return Launch.model_validate(parse(text))
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()]
        raise UsageError(f"--launched-by: {first_few(problems)}", hint) from error
    except ValueError as error:
        raise UsageError(f"--launched-by: not valid JSON: {error}", hint) from error


def launch_words(launch: Launch) -> str:
    """The run of a pipeline in one line, for reports."""
    container = launch.container_digest or launch.container
    words = [
        f"{launch.pipeline} {launch.version}",
        f"revision {launch.revision}" if launch.revision else "",
        f"Nextflow {launch.nextflow}",
        f"profile {launch.profile}",
        f"container {container}" if container else "no container",
        *(f"--{name} {value}" for name, value in launch.parameters.items()),
    ]
    return ", ".join(word for word in words if word)
