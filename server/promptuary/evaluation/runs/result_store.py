"""Queries of a run's results, for people who look for some among very many: a session in, domain values out.

Every answer is bounded, however many results a run has; the cases are joined by their place in the plan.
"""

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Integer, String, case, cast, func, or_
from sqlmodel import Session, and_, col, select

from promptuary.core.errors import MalformedBody
from promptuary.core.paging import Page, decode_cursor, encode_cursor
from promptuary.evaluation.case import Case, case_from_json
from promptuary.evaluation.plan import PASS, SCORE, CaseResult, Plan
from promptuary.evaluation.tables import CaseRow, ResultRow

BINS = 20
"""How many equal parts of [0, 1] scores are counted in."""
CLUSTERS_LIMIT = 30
"""The most clusters that are told, the largest first."""


class ResultOrder(StrEnum):
    """What comes first. Where two are alike, and where the figure is not known, the file's order holds."""

    FILE = "file"
    """As the cases are in their file."""
    SCORE = "score"
    """The lowest score first, or the lowest value of the metric that is chosen."""
    LATENCY = "latency"
    """The slowest answer first."""
    COST = "cost"
    """The dearest answer first."""
    TOKENS = "tokens"
    """The longest answer first."""


@dataclass(frozen=True)
class ResultSelection:
    """Which results are wanted, and in which order; what is None or empty leaves nothing out.

    Attributes:
        variant: by its name.
        passed: those that passed, or those that failed.
        errors: only those without a verdict: no answer, or a scorer that counts gave an error.
        case: a case's id.
        tag: a tag of the case.
        search: part of an input, an output, an error or a case's id; capitals do not matter.
        metric: whose values `at_least` and `at_most` bound; the score by default.
        at_least: the lowest value.
        at_most: the highest value.
        differing: only cases whose verdict is not the same under every variant.
        order: what comes first.
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


@dataclass(frozen=True)
class Histogram:
    """How the values of one variant lie: how many results are in each of the equal parts of [0, 1], the last with its end."""

    variant: str
    counts: tuple[int, ...]


@dataclass(frozen=True)
class ClusterMean:
    """The mean of one cluster's results under one variant."""

    cluster: str
    variant: str
    mean: float
    results: int


def select_results(
    session: Session, run: str, plan: Plan, selection: ResultSelection, limit: int, cursor: str | None
) -> Page[tuple[CaseResult, Case]]:
    """List the results that are wanted, each with its case.

    Raises:
        MalformedBody: for a cursor that was not given for this order.
    """
    rank = _rank(selection)
    query = select(ResultRow, CaseRow.body, rank.label("rank")).join(CaseRow, _its_case(plan))
    query = query.where(ResultRow.run_id == run, *_wanted(run, selection))
    if cursor is not None and selection.order is ResultOrder.FILE:
        query = query.where(ResultRow.ordinal > (decode_cursor(cursor, int) or 0))
    elif cursor is not None:
        value, ordinal = _place(cursor)
        query = query.where(or_(rank > value, and_(rank == value, ResultRow.ordinal > ordinal)))
    by = (ResultRow.ordinal,) if selection.order is ResultOrder.FILE else (rank, ResultRow.ordinal)
    rows = session.exec(query.order_by(*by).limit(limit + 1)).all()
    found = [(_result(row), case_from_json(dict(body))) for row, body, _ in rows[:limit]]
    if len(rows) <= limit:
        return Page(found, None)
    last, _, value = rows[limit - 1]
    return Page(found, encode_cursor(last.ordinal if selection.order is ResultOrder.FILE else f"{value!r} {last.ordinal}"))


def histograms(session: Session, run: str, metric: str) -> list[Histogram]:
    """Count how many results have a value in each part of [0, 1], variant by variant; those without one are left out."""
    value = _value(metric)
    part = case(*((value < (number + 1) / BINS, number) for number in range(BINS - 1)), else_=BINS - 1)
    query = select(ResultRow.variant, part, func.count()).where(ResultRow.run_id == run, value.is_not(None))
    counts: dict[str, list[int]] = {}
    for variant, number, count in session.exec(query.group_by(col(ResultRow.variant), part)):
        counts.setdefault(variant, [0] * BINS)[number] += count
    return [Histogram(variant, tuple(counts[variant])) for variant in sorted(counts)]


def cluster_means(session: Session, run: str, plan: Plan, metric: str) -> tuple[list[ClusterMean], int]:
    """Give the mean of every cluster under every variant, of the largest clusters, and how many clusters there are."""
    name = CaseRow.body["cluster"].as_string()
    sizes = select(name, func.count()).where(CaseRow.dataset_version_id == plan.dataset.id, name.is_not(None)).group_by(name)
    largest = session.exec(sizes.order_by(func.count().desc(), name).limit(CLUSTERS_LIMIT)).all()
    if not largest:
        return [], 0
    known = session.exec(select(func.count()).select_from(sizes.subquery())).one()
    value = _value(metric)
    query = select(name, ResultRow.variant, func.avg(value), func.count()).select_from(ResultRow).join(CaseRow, _its_case(plan))
    query = query.where(ResultRow.run_id == run, value.is_not(None), name.in_([cluster for cluster, _ in largest]))
    found = {
        (cluster, variant): ClusterMean(cluster, variant, float(mean), count)
        for cluster, variant, mean, count in session.exec(query.group_by(name, col(ResultRow.variant)))
    }
    place = {cluster: number for number, (cluster, _) in enumerate(largest)}
    return [found[key] for key in sorted(found, key=lambda key: (place[key[0]], key[1]))], known


def _its_case(plan: Plan) -> ColumnElement[bool]:
    return and_(CaseRow.dataset_version_id == plan.dataset.id, col(CaseRow.ordinal) == col(ResultRow.ordinal) // plan.per_case)


def _wanted(run: str, selection: ResultSelection) -> list[ColumnElement[bool]]:
    wanted: list[ColumnElement[bool]] = []
    if selection.variant is not None:
        wanted.append(col(ResultRow.variant) == selection.variant)
    if selection.passed is not None:
        wanted.append(col(ResultRow.passed).is_(selection.passed))
    if selection.errors:
        wanted.append(or_(col(ResultRow.error).is_not(None), col(ResultRow.passed).is_(None)))
    if selection.case is not None:
        wanted.append(col(ResultRow.case_id) == selection.case)
    if selection.tag is not None:
        wanted.append(_json_text("tags").contains(json.dumps(selection.tag), autoescape=True))
    if selection.search:
        wanted.append(_found(selection.search))
    value = _value(selection.metric or SCORE)
    if selection.at_least is not None:
        wanted.append(value >= selection.at_least)
    if selection.at_most is not None:
        wanted.append(value <= selection.at_most)
    if selection.differing:
        wanted.append(col(ResultRow.case_id).in_(_differing(run)))
    return wanted


def _found(search: str) -> ColumnElement[bool]:
    """Look where people read. Inputs are stored as JSON in ASCII, so there the text is looked for as JSON writes it."""
    places = [col(ResultRow.output), col(ResultRow.error), col(ResultRow.case_id)]
    written = json.dumps(search)[1:-1]
    return or_(
        *(place.icontains(search, autoescape=True) for place in places), _json_text("vars").icontains(written, autoescape=True)
    )


def _json_text(name: str) -> Any:
    return cast(CaseRow.body[name], String)


def _differing(run: str) -> Any:
    """The cases whose share of passes is not the same under every variant; a result without a verdict differs from both."""
    share = func.avg(case((col(ResultRow.passed).is_(None), -1.0), (col(ResultRow.passed).is_(True), 1.0), else_=0.0))
    shares = select(ResultRow.case_id, share.label("share")).where(ResultRow.run_id == run)
    each = shares.group_by(col(ResultRow.case_id), col(ResultRow.variant)).subquery()
    return select(each.c.case_id).group_by(each.c.case_id).having(func.min(each.c.share) < func.max(each.c.share))


def _value(metric: str) -> Any:
    if metric == PASS:
        return cast(col(ResultRow.passed), Integer)
    return col(ResultRow.score) if metric == SCORE else col(ResultRow.metrics)[metric].as_float()


def _rank(selection: ResultSelection) -> Any:
    """Give the number that grows along the order."""
    if selection.order is ResultOrder.SCORE:
        return func.coalesce(_value(selection.metric or SCORE), 2.0)
    largest_first = {
        ResultOrder.LATENCY: ResultRow.latency_ms,
        ResultOrder.COST: ResultRow.cost,
        ResultOrder.TOKENS: ResultRow.tokens_output,
        ResultOrder.FILE: ResultRow.ordinal,
    }
    return func.coalesce(-col(largest_first[selection.order]), 1.0)


def _place(cursor: str) -> tuple[float, int]:
    value, _, ordinal = (decode_cursor(cursor, str) or "").partition(" ")
    try:
        return float(value), int(ordinal)
    except ValueError:
        raise MalformedBody("the cursor does not come from this server, in this order; start again without one") from None


def _result(row: ResultRow) -> CaseResult:
    values = {name: getattr(row, name) for name in CaseResult.__dataclass_fields__ if name != "case"}
    return CaseResult(case=row.case_id, **values)
