"""Wire models of traffic."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from promptuary.core.wire import ResponseModel
from promptuary.traffic.counters.latency import BOUNDS_MS
from promptuary.traffic.figures.dimension import Dimension
from promptuary.traffic.figures.figures import TrafficGroup, TrafficShare, TrafficSums
from promptuary.traffic.figures.service import TrafficReport

BUCKET_RATIO = round(BOUNDS_MS[1] / BOUNDS_MS[0], 3)


class TrafficShareOut(ResponseModel):
    """A share of calls, or a mean from 0 to 1, with its 95 % interval (Wilson) over `count` values."""

    value: float
    low: float
    high: float
    count: int


class LatencyOut(ResponseModel):
    """Latencies in milliseconds of the calls that report one.

    The quantiles are read off a histogram whose buckets are each `bucket_ratio` times as wide as the one before: a quantile
    is in the right bucket, which is exact to that factor. Null without such a call.
    """

    calls: int
    mean: float | None
    p50: float | None
    p95: float | None
    p99: float | None


class TokensOut(ResponseModel):
    """Tokens of the calls that report them; `input` includes the cached ones, `output` the reasoning ones. Null without one."""

    calls: int
    input: int | None
    output: int | None
    cached: int | None
    reasoning: int | None


class CostOut(ResponseModel):
    """US dollars of the calls that report a cost; null without one."""

    calls: int
    usd: float | None


class TrafficFiguresOut(ResponseModel):
    """The figures of a group of calls. What no call reports is null, never 0.

    `errors` and `replayable` are shares of all calls, null without a call. `incomplete` counts streams that broke or were
    left. `feedback` is the mean of the values, null without one; `low_feedback` counts the low ones, and
    `low_feedback_share` is their share of all feedback. `redacted` counts the
    passages that were removed before contents were stored.
    """

    calls: int
    errors: TrafficShareOut | None
    incomplete: int
    latency_ms: LatencyOut
    tokens: TokensOut
    cost: CostOut
    feedback: TrafficShareOut | None
    low_feedback: int
    low_feedback_share: TrafficShareOut | None
    replayable: TrafficShareOut | None
    redacted: int

    @classmethod
    def values_of(cls, sums: TrafficSums) -> dict[str, Any]:
        """Return the fields of a group's sums."""
        tokens, latencies = sums.token_calls, sums.latencies
        return {
            "calls": sums.calls,
            "errors": _share(sums.errors, sums.calls),
            "incomplete": sums.incomplete,
            "latency_ms": LatencyOut(
                calls=sums.latency_calls,
                mean=sums.latency_ms / sums.latency_calls if sums.latency_calls else None,
                p50=latencies.quantile(0.5),
                p95=latencies.quantile(0.95),
                p99=latencies.quantile(0.99),
            ),
            "tokens": TokensOut(
                calls=tokens,
                input=sums.input_tokens if tokens else None,
                output=sums.output_tokens if tokens else None,
                cached=sums.cached_tokens if tokens else None,
                reasoning=sums.reasoning_tokens if tokens else None,
            ),
            "cost": CostOut(calls=sums.cost_calls, usd=sums.cost if sums.cost_calls else None),
            "feedback": _share(sums.feedback_sum, sums.feedback),
            "low_feedback": sums.feedback_low,
            "low_feedback_share": _share(sums.feedback_low, sums.feedback),
            "replayable": _share(sums.replayable, sums.calls),
            "redacted": sums.redacted,
        }


class TrafficGroupOut(TrafficFiguresOut):
    """The figures of the calls that have the same values of `by`.

    A value is null where `by` does not name it, and where the calls have none: no label, no known version. `at` is when the
    hour or the day begins, in UTC. `reason` is why the prompt or the version is unknown.
    """

    prompt: str | None
    reason: str | None
    version: int | None
    label: str | None
    variant: str | None
    model: str | None
    at: datetime | None

    @classmethod
    def of(cls, group: TrafficGroup) -> "TrafficGroupOut":
        """Build the wire model."""
        values = {dimension.value: group.values.get(dimension) for dimension in Dimension if not dimension.is_time}
        at = group.values.get(Dimension.HOUR) or group.values.get(Dimension.DAY)
        return cls(**values, at=at, **cls.values_of(group.sums))


class TrafficOut(ResponseModel):
    """Traffic from `from` to before `to`, which are whole hours.

    `items` are the groups of `by`; `totals` the same without their division by time; `total` all calls. `bucket_ratio` is the
    width of a bucket of latencies: its upper bound, divided by its lower one.
    """

    start: Annotated[datetime, Field(serialization_alias="from", validation_alias="from")]
    end: Annotated[datetime, Field(serialization_alias="to", validation_alias="to")]
    by: list[Dimension]
    bucket_ratio: float
    items: list[TrafficGroupOut]
    totals: list[TrafficGroupOut]
    total: TrafficFiguresOut

    @classmethod
    def of(cls, report: TrafficReport) -> "TrafficOut":
        """Build the wire model."""
        period = {"from": report.period.start_time, "to": report.period.end_time}
        return cls(
            **period,
            by=list(report.by),
            bucket_ratio=BUCKET_RATIO,
            items=[TrafficGroupOut.of(group) for group in report.groups],
            totals=[TrafficGroupOut.of(group) for group in report.totals],
            total=TrafficFiguresOut(**TrafficFiguresOut.values_of(report.total)),
        )


def _share(total: float, count: int) -> TrafficShareOut | None:
    share = TrafficShare.of(total, count)
    return None if share is None else TrafficShareOut.model_validate(share)
