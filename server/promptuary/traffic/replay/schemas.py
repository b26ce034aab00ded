"""The wire models of replays."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from promptuary.core.parameters import Timestamp
from promptuary.core.wire import RequestModel, ResponseModel
from promptuary.evaluation.runs.request import Dollars, ModelChoice, RunRequest, VersionNumber
from promptuary.prompt.name import Name
from promptuary.traffic.replay.selection import CallSelection
from promptuary.traffic.tables import Stratum

CALLS_LIMIT = 100_000
StratumName = Annotated[Stratum, Field(strict=False)]


class CallSelectionIn(RequestModel):
    """Which calls of the sample are meant.

    Attributes:
        since: from when on they began.
        until: before when they began; None for now.
        traffic_version: the version that answered; None for any.
        traffic_label: the label by which the application looked it up; None for any.
        stratum: why they are in the sample; None for all.
        limit: the most calls, chosen at random.
        seed: of that choice.
    """

    since: Timestamp
    until: Timestamp | None = None
    traffic_version: VersionNumber | None = None
    traffic_label: Name | None = None
    stratum: StratumName | None = None
    limit: Annotated[int, Field(ge=1, le=CALLS_LIMIT)] | None = None
    seed: Annotated[int, Field(ge=0, lt=2**53)] = 0

    def selection(self, now: datetime) -> CallSelection:
        """Return the domain value."""
        return CallSelection(
            self.since, self.until or now, self.traffic_version, self.traffic_label, self.stratum, self.limit, self.seed
        )


class TrafficDatasetIn(CallSelectionIn):
    """Sampled calls of a prompt, and the dataset that gets their inputs."""

    prompt: Name
    dataset: Name


class TrafficDatasetOut(ResponseModel):
    """What became of the sampled calls: cases that are new, inputs that were there, and calls that make no case."""

    dataset: str
    version: int | None
    cases: int
    calls: int
    added: int
    present: int
    dropped: dict[str, int]
    dropped_share: float
    examples: dict[str, tuple[str, ...]]


class TrafficRunIn(CallSelectionIn):
    """A suite to run on sampled calls; `label`, `version` or `versions` are the candidate, as in `POST /v1/runs`."""

    suite: Name
    label: Name | None = None
    version: VersionNumber | None = None
    versions: Annotated[list[VersionNumber], Field(min_length=1, max_length=50)] | None = None
    baseline: VersionNumber | Name | None = None
    models: Annotated[list[ModelChoice], Field(min_length=1, max_length=50)] | None = None
    repeats: Annotated[int, Field(ge=1, le=100)] | None = None
    cache: bool = True
    max_cost: Dollars | None = None

    def run_request(self) -> RunRequest:
        """Return the run that is requested."""
        names = ("suite", "label", "version", "versions", "baseline", "models", "repeats", "cache", "max_cost")
        return RunRequest.model_construct(**{name: getattr(self, name) for name in names})
