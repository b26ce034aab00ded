"""Queries of datasets: a session in, domain values out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from sqlalchemy import insert
from sqlmodel import Session, col, select, update

from promptuary.access.identity import shown_name
from promptuary.core.database import table_of
from promptuary.evaluation.case import Case, case_from_json
from promptuary.evaluation.datasets.case_spool import CaseSpool
from promptuary.evaluation.tables import CaseRow, DatasetRow, DatasetVersionRow

_BATCH = 500
_NEW_CASES = insert(table_of(CaseRow))


@dataclass(frozen=True)
class DatasetVersion:
    """A version of a dataset, without its cases.

    Attributes:
        id: the row's number, by which cases are read.
        name: the dataset's name.
        number: the version's number.
        digest: of the cases in their order.
        cases: how many there are.
        author: the name of who stored it.
        author_id: the identity of who stored it.
        created_at: when it was stored.
    """

    id: int
    name: str
    number: int
    digest: str
    cases: int
    author: str
    author_id: str
    created_at: datetime


def get_dataset_version(session: Session, project: int, name: str, number: int | None = None) -> DatasetVersion | None:
    """Return a version of a dataset, the newest without a number; None where there is none."""
    query = select(DatasetRow, DatasetVersionRow).join(DatasetVersionRow, col(DatasetVersionRow.dataset_id) == DatasetRow.id)
    query = query.where(DatasetRow.project_id == project, DatasetRow.name == name)
    query = query.where(DatasetVersionRow.number == (DatasetRow.newest if number is None else number))
    rows = session.exec(query).one_or_none()
    return _dataset_version(session, *rows) if rows else None


def lock_dataset(session: Session, project: int, name: str) -> None:
    """Lock a dataset, if it exists, until the transaction ends, so that nobody else adds a version."""
    query = select(DatasetRow.id).where(DatasetRow.project_id == project, DatasetRow.name == name)
    session.exec(query.with_for_update()).one_or_none()


def list_datasets(session: Session, project: int, after: str | None, limit: int) -> list[DatasetVersion]:
    """Return datasets by name, each by its newest version; with `after`, only later names."""
    query = select(DatasetRow, DatasetVersionRow).join(DatasetVersionRow, col(DatasetVersionRow.dataset_id) == DatasetRow.id)
    query = query.where(DatasetRow.project_id == project, DatasetVersionRow.number == DatasetRow.newest)
    if after is not None:
        query = query.where(DatasetRow.name > after)
    return [_dataset_version(session, *rows) for rows in session.exec(query.order_by(DatasetRow.name).limit(limit))]


def add_dataset_version(
    session: Session, project: int, name: str, cases: CaseSpool, author: str, at: datetime
) -> DatasetVersion:
    """Add a version under the next number, and the dataset where it is new."""
    query = select(DatasetRow).where(DatasetRow.project_id == project, DatasetRow.name == name)
    dataset = session.exec(query).one_or_none()
    if dataset is None:
        dataset = DatasetRow(project_id=project, name=name, created_at=at)
        session.add(dataset)
        session.flush()
    increment = update(DatasetRow).where(col(DatasetRow.id) == dataset.id).values(newest=DatasetRow.newest + 1)
    number = int(session.execute(increment.returning(col(DatasetRow.newest))).scalar_one())
    version = DatasetVersionRow(
        dataset_id=dataset.id or 0, number=number, digest=cases.digest, cases=len(cases), author=author, created_at=at
    )
    session.add(version)
    session.flush()
    rows = ({"dataset_version_id": version.id, "ordinal": place, "body": body} for place, body in enumerate(cases.bodies()))
    while batch := list(islice(rows, _BATCH)):
        session.connection().execute(_NEW_CASES, batch)
    return _dataset_version(session, dataset, version)


def list_cases(session: Session, version: int, first: int = 0, limit: int | None = None) -> list[Case]:
    """Return a dataset version's cases in their order, from the position `first` on."""
    query = select(CaseRow.body).where(CaseRow.dataset_version_id == version, CaseRow.ordinal >= first)
    return [case_from_json(dict(body)) for body in session.exec(query.order_by(col(CaseRow.ordinal)).limit(limit))]


def iterate_cases(session: Session, version: int) -> Iterator[Case]:
    """Yield a dataset version's cases in their order; only a batch of them is in memory."""
    query = select(CaseRow.body).where(CaseRow.dataset_version_id == version).order_by(col(CaseRow.ordinal))
    for body in session.exec(query.execution_options(yield_per=_BATCH)):
        yield case_from_json(dict(body))


def cases_at(session: Session, version: int, positions: Sequence[int]) -> dict[int, Case]:
    """Return the cases of a dataset version at some positions, by position."""
    query = select(CaseRow.ordinal, CaseRow.body).where(CaseRow.dataset_version_id == version)
    rows = session.exec(query.where(col(CaseRow.ordinal).in_(positions)))
    return {position: case_from_json(dict(body)) for position, body in rows}


def list_clusters(session: Session, version: int) -> dict[str, str]:
    """Return the cluster of each case of a dataset version that has one, by the case's id."""
    body = col(CaseRow.body)
    query = select(body["id"].as_string(), body["cluster"].as_string()).where(CaseRow.dataset_version_id == version)
    query = query.where(body["cluster"].as_string().is_not(None)).order_by(col(CaseRow.ordinal))
    return {str(case): str(cluster) for case, cluster in session.exec(query.execution_options(yield_per=_BATCH))}


def list_weights(session: Session, version: int) -> dict[str, float]:
    """Return the weight of each case of a dataset version by the case's id; empty where all weigh 1."""
    body = col(CaseRow.body)
    query = select(body["id"].as_string(), body["weight"].as_float()).where(CaseRow.dataset_version_id == version)
    query = query.where(body["weight"].as_float().is_not(None)).order_by(col(CaseRow.ordinal))
    return {str(case): float(weight) for case, weight in session.exec(query.execution_options(yield_per=_BATCH))}


def list_memberships(session: Session, version: int) -> dict[str, str | None]:
    """Return the cluster, or None, of every case of a dataset version by the case's id, in the cases' order."""
    body = col(CaseRow.body)
    query = select(body["id"].as_string(), body["cluster"].as_string()).where(CaseRow.dataset_version_id == version)
    return {str(case): cluster for case, cluster in session.exec(query.order_by(col(CaseRow.ordinal)))}


def list_erased(session: Session, version: int) -> set[str]:
    """Return the ids of the erased cases of a dataset version."""
    body = col(CaseRow.body)
    query = select(body["id"].as_string()).where(CaseRow.dataset_version_id == version, body["erased"].as_boolean())
    return set(map(str, session.exec(query)))


def _dataset_version(session: Session, dataset: DatasetRow, row: DatasetVersionRow) -> DatasetVersion:
    return DatasetVersion(
        id=row.id or 0,
        name=dataset.name,
        number=row.number,
        digest=row.digest,
        cases=row.cases,
        author=shown_name(session, row.author),
        author_id=row.author,
        created_at=row.created_at,
    )
