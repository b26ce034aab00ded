"""The comparison of two versions on behalf of a caller."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core.errors import FieldError, InvalidRequest, NotFound
from promptuary.registry.labels import require_prompt
from promptuary.registry.store import PromptRecord
from promptuary.traffic.comparison.comparison import ComparedFigure, VersionFigures, compare_figures
from promptuary.traffic.figures import store as figure_store
from promptuary.traffic.figures.dimension import Dimension, TrafficPeriod, parse_period
from promptuary.traffic.figures.figures import TrafficSums
from promptuary.traffic.figures.store import TrafficQuery
from promptuary.traffic.online import store as score_store
from promptuary.traffic.online.series import OnlineSeries, online_series

VERSIONS_LIMIT = 10_000


@dataclass(frozen=True)
class ComparisonRequest:
    """Two versions of a prompt, and a time: the last 30 days by default."""

    baseline: int
    candidate: int
    start: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True)
class TrafficComparison:
    """The figures of two versions over whole hours."""

    period: TrafficPeriod
    figures: Sequence[ComparedFigure]


def compare_versions(unit: UnitOfWork, name: str, request: ComparisonRequest) -> TrafficComparison:
    """Return two versions of a prompt side by side.

    Raises:
        NotFound: when there is no such prompt or version.
        InvalidRequest: for a time that cannot be answered, or a version that is compared with itself.
    """
    prompt = require_prompt(unit, name)
    versions = (request.baseline, request.candidate)
    if request.baseline == request.candidate:
        raise InvalidRequest("the query cannot be answered", [FieldError("candidate", "is the baseline; name another version")])
    for version in versions:
        if version > prompt.newest:
            raise NotFound(f"the prompt '{name}' has no version {version}; its newest is {prompt.newest}")
    period = parse_period(request.start, request.end, unit.clock())
    query = TrafficQuery(unit.caller.project, prompt.id, period, (Dimension.VERSION,))
    groups = figure_store.list_groups(unit.session, query, VERSIONS_LIMIT)
    sums = {group.values[Dimension.VERSION]: group.sums for group in groups}
    scores = _scores(unit, prompt, period)
    baseline, candidate = (
        VersionFigures(
            sums.get(version, TrafficSums()),
            {each.metric: each.interval for each in scores if each.version == version and each.interval is not None},
        )
        for version in versions
    )
    return TrafficComparison(period, compare_figures(baseline, candidate))


def _scores(unit: UnitOfWork, prompt: PromptRecord, period: TrafficPeriod) -> list[OnlineSeries]:
    scored = score_store.scored_calls(unit.session, unit.caller.project, prompt.id, period.start_time, period.end_time)
    return online_series(scored, by_day=False)
