"""Means of the online scores of a version's recent calls, added up in SQL. They take a session, and return domain values."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy
from sqlalchemy import Float, case, cast
from sqlmodel import Session, col, func

from promptuary.traffic.replay.store import read_thresholds
from promptuary.traffic.tables import ObservationRow, OnlineScoreRow

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class OnlineScoreSums:
    """The scores of a metric, each weighted by the number of calls that its call stands for.

    Attributes:
        scored: calls with a score.
        errors: calls whose scorer failed; they are no scores, and no zeros.
        weight: of the scored calls.
        total: of the scores times their weights.
        cost: of the judges in US dollars; 0 where none is known.
    """

    scored: int = 0
    errors: int = 0
    weight: float = 0.0
    total: float = 0.0
    cost: float = 0.0

    def __add__(self, other: "OnlineScoreSums") -> "OnlineScoreSums":
        """Return the sums of both."""
        return OnlineScoreSums(*(getattr(self, name) + getattr(other, name) for name in self.__slots__))

    @property
    def mean(self) -> float | None:
        """The mean score over the calls that the scored ones stand for; None without one."""
        return self.total / self.weight if self.weight else None


@dataclass(frozen=True, slots=True)
class OnlineVersion:
    """A version of a prompt, by the ids of its project and prompt."""

    project: int
    prompt: int
    version: int


def sum_scores(session: Session, version: OnlineVersion, since: datetime, until: datetime) -> dict[str, OnlineScoreSums]:
    """Return the scores of a version's calls that began in a time, by metric.

    A call's probability is that of its stratum times the threshold of its day's reservoir, so that the calls are added up by
    day (UTC) and stratum: a threshold divides the sum of all of them.
    """
    thresholds = read_thresholds(session, version.project, version.prompt)
    sums: dict[str, OnlineScoreSums] = defaultdict(OnlineScoreSums)
    for first, end in _days(since, until):
        for metric, stratum, scored, count, weight, total, cost in session.connection().execute(_query(version, first, end)):
            threshold = thresholds.get((version.version, (first - _EPOCH).days, stratum), 1.0)
            each = OnlineScoreSums(scored, count - scored, (weight or 0.0) / threshold, (total or 0.0) / threshold, cost or 0.0)
            sums[metric] += each
    return dict(sorted(sums.items()))


def _days(since: datetime, until: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Yield the parts of a time that lie on one day in UTC each."""
    first = since.astimezone(UTC)
    while first < until:
        end = min(first.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1), until)
        yield first, end
        first = end


def _query(version: OnlineVersion, first: datetime, end: datetime) -> Any:
    call, score = ObservationRow, OnlineScoreRow
    value = case((col(score.score) < 0, 0.0), (col(score.score) > 1, 1.0), else_=col(score.score))
    weight = case((col(score.score).is_not(None), 1.0 / cast(col(call.probability), Float)))
    columns: list[Any] = [col(score.metric), col(call.stratum), func.count(score.score), func.count()]  # type: ignore[arg-type]  # a column
    columns += [func.sum(weight), func.sum(weight * value), func.sum(score.cost)]
    query = sqlalchemy.select(*columns).join(call, col(call.id) == col(score.observation_id))
    query = query.where(
        col(call.project_id) == version.project,
        col(call.prompt_id) == version.prompt,
        col(call.version) == version.version,
        col(call.at) >= first,
        col(call.at) < end,
    )
    return query.group_by(col(score.metric), col(call.stratum))
