"""The wire models of traffic rules and of online scores."""

from datetime import date, datetime
from typing import Annotated, Any, Self

from pydantic import Field

from promptuary.core.wire import RequestModel, ResponseModel
from promptuary.evaluation.summary_part import IntervalFigures
from promptuary.prompt.name import Name
from promptuary.traffic.online.rule import OnlineScoring, QueueFilling, TrafficRule


class TrafficRuleIn(RequestModel):
    """What is done with a prompt's sample by itself.

    Attributes:
        prompt: whose calls.
        queue: the review queue that calls are sent to; None for none.
        low_feedback: whether all sampled calls with low feedback become items.
        share: of all sampled calls, those that become items by chance.
        disagreements: whether calls become items on which an online judge disagrees with feedback or another scorer.
        scorers: run on each sampled call, as a suite has them.
        max_cost: the most that judges among them may cost a day, in US dollars.
    """

    prompt: Name
    queue: Name | None = None
    low_feedback: bool = True
    share: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 0.0
    disagreements: bool = False
    scorers: Annotated[list[dict[str, Any]], Field(max_length=20)] = Field(default_factory=list)
    max_cost: Annotated[float, Field(gt=0, le=1_000_000, allow_inf_nan=False)] | None = None

    def rule(self, name: str, identity: str, now: datetime) -> TrafficRule:
        """Return the domain value."""
        filling = None if self.queue is None else QueueFilling(self.queue, self.low_feedback, self.share, self.disagreements)
        scoring = OnlineScoring(tuple(self.scorers), self.max_cost) if self.scorers else None
        return TrafficRule(name, self.prompt, filling, scoring, identity, now)


class TrafficRuleOut(ResponseModel):
    """A rule as it is stored, and why its last step failed."""

    name: str
    prompt: str
    queue: str | None
    low_feedback: bool
    share: float
    disagreements: bool
    scorers: list[dict[str, Any]]
    max_cost: float | None
    created_at: datetime
    error: str | None

    @classmethod
    def of(cls, rule: TrafficRule) -> Self:
        """Build it from the domain value."""
        filling, scoring = rule.filling, rule.scoring
        return cls(
            name=rule.name,
            prompt=rule.prompt,
            queue=None if filling is None else filling.queue,
            low_feedback=filling is not None and filling.low_feedback,
            share=0.0 if filling is None else filling.share,
            disagreements=filling is not None and filling.disagreements,
            scorers=[] if scoring is None else [dict(scorer) for scorer in scoring.scorers],
            max_cost=None if scoring is None else scoring.max_cost,
            created_at=rule.created_at,
            error=rule.error,
        )


class OnlineSeriesOut(ResponseModel):
    """The weighted mean of a metric over the sampled calls of a version, on one day or on all; errors are no scores."""

    version: int
    metric: str
    day: date | None
    interval: IntervalFigures | None
    scored: int
    errors: int
    cost: float | None


class OnlineScoresOut(ResponseModel):
    """Online scores of a prompt by version and metric: over the whole time, and by day."""

    prompt: str
    since: datetime
    until: datetime
    totals: list[OnlineSeriesOut]
    days: list[OnlineSeriesOut]


class VariableLengthsOut(ResponseModel):
    """A variable's share and the quantiles of its length, in the calls of production and in the cases of a dataset."""

    name: str
    traffic_share: float
    dataset_share: float
    traffic: dict[str, float] | None
    dataset: dict[str, float] | None


class FarCallOut(ResponseModel):
    """A call that is far from its nearest case."""

    observation: str
    case: str
    similarity: float


class InputDriftOut(ResponseModel):
    """The inputs of production beside those of a dataset; they are reported, not judged."""

    calls: int
    cases: int
    variables: list[VariableLengthsOut]
    nearest: dict[str, float]
    nearest_in_dataset: dict[str, float] | None
    farthest: list[FarCallOut]
