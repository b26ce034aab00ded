"""Queries that select some of a run's very many results, or their distribution: a session in, domain values out.

Every answer is bounded, however many results a run has; the cases are joined by their position in the plan.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Integer, String, case, cast, func, or_
from sqlalchemy import select as columns
from sqlmodel import Session, and_, col, select, update

from promptuary.core.errors import InvalidCursor
from promptuary.core.paging import Page, decode_cursor, encode_cursor
from promptuary.evaluation.case import Case, case_from_json
from promptuary.evaluation.plan import PASS, SCORE, CaseResult, Plan
from promptuary.evaluation.score_detail import LabelledScores
from promptuary.evaluation.tables import CaseRow, ResultRow

BINS = 20
"""The number of equal parts of [0, 1] in a histogram."""
CLUSTERS_LIMIT = 30
"""The most clusters that a distribution has, the largest first."""

_BATCH = 500
_ERASED_CASE = "the call that the case was made of was erased"
_ERASED = "the content of the version was erased"


class ResultOrder(StrEnum):
    """The order of results. Equal ones, and those whose figure is not known, keep the file's order."""

    FILE = "file"
    """As the cases are in their file."""
    SCORE = "score"
    """The lowest score first, or the lowest value of the selected metric."""
    LATENCY = "latency"
    """The slowest answer first."""
    COST = "cost"
    """The most expensive answer first."""
    TOKENS = "tokens"
    """The longest answer first."""


@dataclass(frozen=True)
class ResultFilter:
    """Which results are listed, and in which order; None and False leave nothing out.

    Attributes:
        variant: by its name.
        passed: those that passed, or those that failed.
        errors: only those without a verdict: no answer, or an error of a scorer that counts.
        case: a case's id.
        tag: a tag of the case.
        search: part of an input, an output, an error or a case's id; case-insensitive.
        metric: the one that `at_least` and `at_most` bound; the score by default.
        at_least: the lowest value.
        at_most: the highest value.
        differing: only cases whose verdict is not the same under every variant.
        order: the order.
    """

    variant: str | None = None
    passed: bool | None = None
    errors: bool = False
    case: str | None = None
    tag: str | None = None
    search: str | None = None
    metric: str | None = None
    at_least: float | None = None
    at_most: float | None = None
    differing: bool = False
    order: ResultOrder = ResultOrder.FILE


class ResultOutcome(NamedTuple):
    """What a selection decides by: `scores` is each score as JSON by its label, None without scorers."""

    ordinal: int
    case: str
    variant: str
    repeat: int
    passed: bool | None
    scores: LabelledScores | None


@dataclass(frozen=True)
class Histogram:
    """How many cases of one variant have a score in each of the equal parts of [0, 1], the last with its upper end."""

    variant: str
    counts: tuple[int, ...]


@dataclass(frozen=True)
class ClusterMean:
    """The mean over one cluster's cases under one variant, and the number of its results with a value."""

    cluster: str
    variant: str
    mean: float
    results: int


def select_results(
    session: Session, run: str, plan: Plan, selection: ResultFilter, limit: int, cursor: str | None
) -> Page[tuple[CaseResult, Case]]:
    """Return a page of the selected results, each with its case.

    Raises:
        InvalidCursor: for a cursor of another order.
    """
    rank = _rank(selection)
    query = select(ResultRow, CaseRow.body, rank.label("rank")).join(CaseRow, _joined_case(plan))
    query = query.where(ResultRow.run_id == run, *_conditions(run, selection))
    if cursor is not None and selection.order is ResultOrder.FILE:
        query = query.where(ResultRow.ordinal > (decode_cursor(cursor, int) or 0))
    elif cursor is not None:
        value, ordinal = _ranked_position(cursor)
        query = query.where(or_(rank > value, and_(rank == value, ResultRow.ordinal > ordinal)))
    by = (ResultRow.ordinal,) if selection.order is ResultOrder.FILE else (rank, ResultRow.ordinal)
    rows = session.exec(query.order_by(*by).limit(limit + 1)).all()
    items = [(_result(row), case_from_json(dict(body))) for row, body, _ in rows[:limit]]
    if len(rows) <= limit:
        return Page(items, None)
    last, _, value = rows[limit - 1]
    return Page(items, encode_cursor(last.ordinal if selection.order is ResultOrder.FILE else f"{value!r} {last.ordinal}"))


def iterate_outcomes(session: Session, run: str) -> Iterator[ResultOutcome]:
    """Yield the outcome of each result that has an output, in the file's order; outputs are not read."""
    fields = (ResultRow.ordinal, ResultRow.case_id, ResultRow.variant, ResultRow.repeat, ResultRow.passed)
    query = columns(*map(col, fields), col(ResultRow.detail)["scores"]).where(
        col(ResultRow.run_id) == run, col(ResultRow.output).is_not(None)
    )
    for row in session.execute(query.order_by(col(ResultRow.ordinal)).execution_options(yield_per=_BATCH)):
        yield ResultOutcome(*row)


def results_with_cases_at(
    session: Session, run: str, plan: Plan, ordinals: Sequence[int]
) -> dict[int, tuple[CaseResult, Case]]:
    """Return the results at some positions in the plan, each with its case."""
    results: dict[int, tuple[CaseResult, Case]] = {}
    for first in range(0, len(ordinals), _BATCH):
        query = select(ResultRow, CaseRow.body).join(CaseRow, _joined_case(plan))
        query = query.where(ResultRow.run_id == run, col(ResultRow.ordinal).in_(ordinals[first : first + _BATCH]))
        results |= {row.ordinal: (_result(row), case_from_json(dict(body))) for row, body in session.exec(query)}
    return results


def histograms(session: Session, run: str, metric: str) -> list[Histogram]:
    """Count each variant's cases in each part of [0, 1] by the case's mean over its repeats.

    Like the mean that stands beside it, a histogram counts cases and not results; a case without a value is left out.
    """
    means = _case_means(run, metric).subquery()
    part = case(*((means.c.mean < (number + 1) / BINS, number) for number in range(BINS - 1)), else_=BINS - 1)
    counts: dict[str, list[int]] = {}
    for variant, number, count in session.exec(select(means.c.variant, part, func.count()).group_by(means.c.variant, part)):
        counts.setdefault(variant, [0] * BINS)[number] += count
    return [Histogram(variant, tuple(counts[variant])) for variant in sorted(counts)]


def cluster_means(session: Session, run: str, plan: Plan, metric: str) -> tuple[list[ClusterMean], int]:
    """Return the mean over the cases of each of the largest clusters under each variant, and the number of clusters.

    A case's score is its mean over its repeats, and counts by the case's weight; a case without a value is left out.
    """
    name = CaseRow.body["cluster"].as_string()
    sizes = select(name, func.count()).where(CaseRow.dataset_version_id == plan.dataset.id, name.is_not(None)).group_by(name)
    largest = session.exec(sizes.order_by(func.count().desc(), name).limit(CLUSTERS_LIMIT)).all()
    if not largest:
        return [], 0
    total = session.exec(select(func.count()).select_from(sizes.subquery())).one()
    weight = func.coalesce(CaseRow.body["weight"].as_float(), 1.0)
    cases = (
        _case_means(run, metric).add_columns(name.label("cluster"), weight.label("weight")).join(CaseRow, _joined_case(plan))
    )
    cases = cases.where(name.in_([cluster for cluster, _ in largest])).group_by(name, weight).subquery()
    mean = func.sum(cases.c.mean * cases.c.weight) / func.sum(cases.c.weight)
    query = select(cases.c.cluster, cases.c.variant, mean, func.sum(cases.c.results))
    means = {
        (cluster, variant): ClusterMean(cluster, variant, float(mean), int(results))
        for cluster, variant, mean, results in session.exec(query.group_by(cases.c.cluster, cases.c.variant))
    }
    rank = {cluster: number for number, (cluster, _) in enumerate(largest)}
    return [means[key] for key in sorted(means, key=lambda key: (rank[key[0]], key[1]))], total


def _case_means(run: str, metric: str) -> Any:
    """Select each case's mean over its repeats, and the number of its results with a value, variant by variant."""
    value = _value(metric)
    query = select(ResultRow.variant, ResultRow.case_id, func.avg(value).label("mean"), func.count().label("results"))
    query = query.select_from(ResultRow).where(ResultRow.run_id == run, value.is_not(None))
    return query.group_by(col(ResultRow.variant), col(ResultRow.case_id))


def _joined_case(plan: Plan) -> ColumnElement[bool]:
    return and_(CaseRow.dataset_version_id == plan.dataset.id, col(CaseRow.ordinal) == col(ResultRow.ordinal) // plan.per_case)


def _conditions(run: str, selection: ResultFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if selection.variant is not None:
        conditions.append(col(ResultRow.variant) == selection.variant)
    if selection.passed is not None:
        conditions.append(col(ResultRow.passed).is_(selection.passed))
    if selection.errors:
        conditions.append(or_(col(ResultRow.error).is_not(None), col(ResultRow.passed).is_(None)))
    if selection.case is not None:
        conditions.append(col(ResultRow.case_id) == selection.case)
    if selection.tag is not None:
        conditions.append(_json_text("tags").contains(json.dumps(selection.tag), autoescape=True))
    if selection.search:
        conditions.append(_matches(selection.search))
    value = _value(selection.metric or SCORE)
    if selection.at_least is not None:
        conditions.append(value >= selection.at_least)
    if selection.at_most is not None:
        conditions.append(value <= selection.at_most)
    if selection.differing:
        conditions.append(col(ResultRow.case_id).in_(_differing(run)))
    return conditions


def _matches(search: str) -> ColumnElement[bool]:
    """Match the texts that people read. Inputs are stored as JSON in ASCII, so there the text is escaped as JSON does it."""
    columns = [col(ResultRow.output), col(ResultRow.error), col(ResultRow.case_id)]
    written = json.dumps(search)[1:-1]
    matches = (column.icontains(search, autoescape=True) for column in columns)
    return or_(*matches, _json_text("vars").icontains(written, autoescape=True))


def _json_text(name: str) -> Any:
    return cast(CaseRow.body[name], String)


def _differing(run: str) -> Any:
    """Select the cases whose share of passes is not the same under every variant; no verdict differs from both verdicts."""
    share = func.avg(case((col(ResultRow.passed).is_(None), -1.0), (col(ResultRow.passed).is_(True), 1.0), else_=0.0))
    shares = select(ResultRow.case_id, share.label("share")).where(ResultRow.run_id == run)
    variants = shares.group_by(col(ResultRow.case_id), col(ResultRow.variant)).subquery()
    differ = func.min(variants.c.share) < func.max(variants.c.share)
    return select(variants.c.case_id).group_by(variants.c.case_id).having(differ)


def _value(metric: str) -> Any:
    if metric == PASS:
        return cast(col(ResultRow.passed), Integer)
    return col(ResultRow.score) if metric == SCORE else col(ResultRow.metrics)[metric].as_float()


def _rank(selection: ResultFilter) -> Any:
    """Return the number that grows along the order."""
    if selection.order is ResultOrder.SCORE:
        return func.coalesce(_value(selection.metric or SCORE), 2.0)
    largest_first = {
        ResultOrder.LATENCY: ResultRow.latency_ms,
        ResultOrder.COST: ResultRow.cost,
        ResultOrder.TOKENS: ResultRow.tokens_output,
        ResultOrder.FILE: ResultRow.ordinal,
    }
    return func.coalesce(-col(largest_first[selection.order]), 1.0)


def _ranked_position(cursor: str) -> tuple[float, int]:
    value, _, ordinal = (decode_cursor(cursor, str) or "").partition(" ")
    try:
        return float(value), int(ordinal)
    except ValueError:
        raise InvalidCursor("the cursor does not come from this server, in this order; start again without one") from None


def _result(row: ResultRow) -> CaseResult:
    values = {name: getattr(row, name) for name in CaseResult.__dataclass_fields__ if name != "case"}
    return CaseResult(case=row.case_id, **values)


def erase_results(session: Session, run: str, variants: Sequence[str]) -> int:
    """Clear the outputs, inputs, errors and reasons of a run's results under some variants; return how many there are."""
    selected = col(ResultRow.run_id) == run, col(ResultRow.variant).in_(variants)
    session.exec(update(ResultRow).where(*selected, col(ResultRow.error).is_not(None)).values(error=_ERASED))
    emptied = update(ResultRow).where(*selected).values(output=None, detail={})
    return len(session.execute(emptied.returning(col(ResultRow.ordinal))).all())


def erase_run_results(session: Session, run: str, cases: Sequence[str]) -> int:
    """Clear the outputs, inputs, errors and reasons of a run's results of some cases; return how many had any."""
    count = 0
    for first in range(0, len(cases), _POSITIONS_BATCH):
        part = cases[first : first + _POSITIONS_BATCH]
        selected = [col(ResultRow.run_id) == run, col(ResultRow.case_id).in_(part)]
        error = col(ResultRow.error)
        has_text = or_(
            col(ResultRow.output).is_not(None),
            cast(col(ResultRow.detail), String) != "{}",
            and_(error.is_not(None), error != _ERASED_CASE),
        )
        replaced = case((error.is_(None), None), else_=_ERASED_CASE)
        emptied = update(ResultRow).where(*selected, has_text).values(output=None, detail={}, error=replaced)
        count += len(session.execute(emptied.returning(col(ResultRow.ordinal))).all())
    return count


_POSITIONS_BATCH = 500


def results_at(session: Session, run: str, ordinals: Sequence[int]) -> dict[int, CaseResult]:
    """Return the results at some positions of a run's plan, by position; those that are not there are left out."""
    results: dict[int, CaseResult] = {}
    for first in range(0, len(ordinals), _POSITIONS_BATCH):
        batch = ordinals[first : first + _POSITIONS_BATCH]
        for row in session.exec(select(ResultRow).where(ResultRow.run_id == run, col(ResultRow.ordinal).in_(batch))):
            results[row.ordinal] = _result(row)
    return results


def count_answered(session: Session, run: str) -> dict[str, int]:
    """Return the number of results with an output by variant."""
    query = select(ResultRow.variant, func.count()).where(ResultRow.run_id == run, col(ResultRow.output).is_not(None))
    return dict(session.exec(query.group_by(col(ResultRow.variant))).all())


def outputs_by_case(session: Session, run: str, cases: Sequence[str]) -> dict[tuple[str, str, int], str]:
    """Return the outputs of some cases by variant, case and repeat."""
    outputs: dict[tuple[str, str, int], str] = {}
    for first in range(0, len(cases), _POSITIONS_BATCH):
        query = select(ResultRow.variant, ResultRow.case_id, ResultRow.repeat, ResultRow.output)
        query = query.where(ResultRow.run_id == run, col(ResultRow.case_id).in_(cases[first : first + _POSITIONS_BATCH]))
        for variant, case_id, repeat, output in session.exec(query):
            if output is not None:
                outputs[variant, case_id, repeat] = output
    return outputs
