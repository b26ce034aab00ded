"""Queries of suites: a session in, domain values out."""

from dataclasses import dataclass
from datetime import datetime
from typing import cast

from sqlmodel import Session, select

from promptuary.evaluation.suites.definition import SuiteDefinition
from promptuary.evaluation.tables import SuiteRow


@dataclass(frozen=True)
class StoredSuite:
    """A suite as it is now.

    Attributes:
        name: unique in the project.
        definition: the suite's JSON, as `suite_to_json` writes it.
        digest: of the definition.
        updated_at: when it was written.
    """

    name: str
    definition: SuiteDefinition
    digest: str
    updated_at: datetime


def get_suite(session: Session, project: int, name: str) -> StoredSuite | None:
    """Return a suite by its name, or None."""
    row = _row(session, project, name)
    return _stored_suite(row) if row else None


def list_suites(session: Session, project: int, after: str | None, limit: int) -> list[StoredSuite]:
    """Return suites by name; with `after`, only later names."""
    query = select(SuiteRow).where(SuiteRow.project_id == project).order_by(SuiteRow.name).limit(limit)
    if after is not None:
        query = query.where(SuiteRow.name > after)
    return [_stored_suite(row) for row in session.exec(query)]


def put_suite(session: Session, project: int, suite: StoredSuite) -> StoredSuite:
    """Write a suite, over the one of that name where there is one."""
    row = _row(session, project, suite.name) or SuiteRow(project_id=project, **vars(suite))
    row.definition, row.digest, row.updated_at = dict(suite.definition), suite.digest, suite.updated_at
    session.add(row)
    session.flush()
    return _stored_suite(row)


def _row(session: Session, project: int, name: str) -> SuiteRow | None:
    return session.exec(select(SuiteRow).where(SuiteRow.project_id == project, SuiteRow.name == name)).one_or_none()


def _stored_suite(row: SuiteRow) -> StoredSuite:
    return StoredSuite(row.name, cast("SuiteDefinition", row.definition), row.digest, row.updated_at)
