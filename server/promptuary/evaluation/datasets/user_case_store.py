"""The erasure of cases that were made of one end user's calls: their place, id, digest and weight stay, their contents go."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import update
from sqlmodel import Session, col, select

from promptuary.evaluation.tables import CaseRow, DatasetRow, DatasetVersionRow

_BATCH = 500


@dataclass(frozen=True)
class CallOrigin:
    """Of which calls cases are looked for.

    Attributes:
        calls: the ids of the calls that are stored.
        cluster: the cluster that cases made of the user's calls have, also of calls that are not stored any more.
    """

    calls: Collection[str]
    cluster: str


class UserCase(NamedTuple):
    """A case that was made of a user's calls, by its place."""

    dataset: str
    version: int
    version_id: int
    place: int
    case: str
    is_erased: bool


class _CaseNames(NamedTuple):
    dataset: str
    version: int
    version_id: int
    place: int
    case: str
    cluster: str | None
    observation: str | None
    users: str | None
    erased: bool | None


def find_user_cases(session: Session, project: int, origin: CallOrigin) -> list[UserCase]:
    """Return the cases of all dataset versions that were made of a user's calls, erased ones too.

    A case is one of them by its observation or its id; by its cluster, and then every case with the id or the observation of
    its call; or by `users` in its metadata, as a case has that several users' calls share.
    """
    calls = frozenset(origin.calls) | {
        names.observation
        for names in _case_names(session, project)
        if names.cluster == origin.cluster and names.observation is not None
    }
    return [
        UserCase(names.dataset, names.version, names.version_id, names.place, names.case, bool(names.erased))
        for names in _case_names(session, project)
        if names.cluster == origin.cluster
        or names.case in calls
        or names.observation in calls
        or f'"{origin.cluster}"' in (names.users or "")
    ]


def erase_cases(session: Session, cases: Collection[UserCase], cluster: str) -> int:
    """Clear the cases that are not erased yet; return how many there are.

    Args:
        session: in a transaction that writes.
        cases: by their places.
        cluster: of the user, the only one that a case keeps: the figures of runs are computed by it. Its `users` name it, too.
    """
    count = 0
    for case in cases:
        if case.is_erased:
            continue
        place = col(CaseRow.dataset_version_id) == case.version_id, col(CaseRow.ordinal) == case.place
        body = session.exec(select(CaseRow.body).where(*place)).one()
        session.exec(update(CaseRow).where(*place).values(body=_erased(dict(body), cluster)))
        count += 1
    return count


def _erased(body: dict[str, Any], cluster: str) -> dict[str, Any]:
    metadata = {name: body["metadata"][name] for name in ("observation", "users") if name in body["metadata"]}
    metadata["users"] = sorted({*metadata.get("users", ()), cluster})  # by which a later call finds and names it
    weight = {"weight": body["weight"]} if "weight" in body else {}
    own = cluster if body.get("cluster") == cluster else None
    return {
        "id": body["id"], "vars": {}, "expected": None, "cluster": own, "tags": [], "metadata": metadata, "erased": True
    } | weight  # fmt: skip


def _case_names(session: Session, project: int) -> Iterator[_CaseNames]:
    body, version = col(CaseRow.body), DatasetVersionRow
    names: Any = (
        *(DatasetRow.name, version.number, version.id, CaseRow.ordinal, body["id"].as_string(), body["cluster"].as_string()),
        *(body["metadata"]["observation"].as_string(), body["metadata"]["users"].as_string(), body["erased"].as_boolean()),
    )
    query = select(*names).join(version, col(version.dataset_id) == DatasetRow.id)
    query = query.join(CaseRow, col(CaseRow.dataset_version_id) == version.id).where(DatasetRow.project_id == project)
    for row in session.exec(query.order_by(col(version.id), col(CaseRow.ordinal)).execution_options(yield_per=_BATCH)):
        yield _CaseNames(*row)
