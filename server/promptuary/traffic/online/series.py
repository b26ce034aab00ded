"""Online scores as weighted means with intervals, by version and day. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date

from promptuary.statistics.interval import Interval
from promptuary.statistics.weighted import weighted_mean
from promptuary.traffic.online.store import OnlineScore
from promptuary.traffic.replay.sampled_call import SampledCall


@dataclass(frozen=True)
class OnlineSeries:
    """A metric's mean over what sampled calls stand for.

    Attributes:
        version: of the prompt.
        metric: the scorer's name.
        day: in UTC, on which the calls began; None for the whole time.
        interval: None where no call has a score.
        scored: how many calls have one.
        errors: how many calls' scorers failed; they are no scores, and no zeros.
        cost: of the judges in US dollars; None where none is known.
    """

    version: int
    metric: str
    day: date | None
    interval: Interval | None
    scored: int
    errors: int
    cost: float | None


def online_series(scored: Sequence[tuple[SampledCall, OnlineScore]], *, by_day: bool) -> list[OnlineSeries]:
    """Return the series of scores, by version, metric and, with `by_day`, day."""
    groups: dict[tuple[int, str, date | None], list[tuple[SampledCall, OnlineScore]]] = {}
    for call, score in scored:
        day = call.at.astimezone(UTC).date() if by_day else None
        groups.setdefault((call.version, score.metric, day), []).append((call, score))
    ordered = sorted(groups.items(), key=lambda each: (each[0][0], each[0][1], each[0][2] or date.min))
    return [_series(key, group) for key, group in ordered]


def _series(key: tuple[int, str, date | None], group: Iterable[tuple[SampledCall, OnlineScore]]) -> OnlineSeries:
    version, metric, day = key
    rows = list(group)
    known = [(call, min(1.0, max(0.0, score.score))) for call, score in rows if score.score is not None]
    costs = [score.cost for _, score in rows if score.cost is not None]
    interval = None
    if known:
        values, weights = [value for _, value in known], [call.weight for call, _ in known]
        clusters = [call.cluster for call, _ in known]
        interval = weighted_mean(values, weights, clusters=clusters if any(clusters) else None)
    return OnlineSeries(version, metric, day, interval, len(known), len(rows) - len(known), sum(costs) if costs else None)
