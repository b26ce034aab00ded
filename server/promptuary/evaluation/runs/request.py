"""The requests to submit and to resume a run, shared by the command line, the routes and the service."""

from typing import Annotated

from pydantic import Discriminator, Field, Tag

from promptuary.core.wire import RequestModel
from promptuary.models.model_spec import ModelSpec, model_tag
from promptuary.prompt.name import Name

VersionNumber = Annotated[int, Field(ge=1, le=2**31 - 1)]
ModelChoice = Annotated[
    Annotated[str, Field(min_length=1, max_length=400), Tag("<name>")] | Annotated[ModelSpec, Tag("<model>")],
    Discriminator(model_tag),
]
Dollars = Annotated[float, Field(gt=0, le=1_000_000, allow_inf_nan=False)]


class RunRequest(RequestModel):
    """A suite to run, and what differs from the suite's definition.

    Attributes:
        suite: the suite's name.
        label: of the candidate; None for the suite's.
        version: of the candidate, instead of a label.
        versions: of several candidates, each on the same cases, instead of a label.
        baseline: a version or a label to compare with, besides those that the gate names.
        models: instead of the suite's; also labels of those.
        repeats: instead of the suite's.
        dataset_version: None for the newest.
        cases: the ids of the only cases that are run.
        failing_in: a run; only cases that did not pass in it, or had no verdict, are run.
        sample: only so many of the cases are run, chosen at random.
        seed: of the sample.
        cache: whether cached responses are used.
        max_cost: the cost limit in US dollars; None for the suite's.
    """

    suite: Name
    label: Name | None = None
    version: VersionNumber | None = None
    versions: Annotated[list[VersionNumber], Field(min_length=1, max_length=50)] | None = None
    baseline: VersionNumber | Name | None = None
    models: Annotated[list[ModelChoice], Field(min_length=1, max_length=50)] | None = None
    repeats: Annotated[int, Field(ge=1, le=100)] | None = None
    dataset_version: VersionNumber | None = None
    cases: (
        Annotated[list[Annotated[str, Field(min_length=1, max_length=200)]], Field(min_length=1, max_length=10_000)] | None
    ) = None
    failing_in: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    sample: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    seed: Annotated[int, Field(ge=0, lt=2**53)] = 0
    cache: bool = True
    max_cost: Dollars | None = None


class ResumeRequest(RequestModel):
    """How a run is resumed.

    Attributes:
        max_cost: the new cost limit in US dollars, over what is spent already; None for the run's own.
    """

    max_cost: Dollars | None = None
