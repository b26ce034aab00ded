"""The rules of datasets: what a dataset may be, and when it gets a next version."""

from collections.abc import Iterable
from dataclasses import dataclass

from promptuary.access import audit
from promptuary.access.role import Scope
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core.errors import FieldError, InvalidRequest, NotFound
from promptuary.core.paging import Page, build_page, decode_cursor
from promptuary.evaluation.case import Case
from promptuary.evaluation.datasets import store
from promptuary.evaluation.datasets.case_spool import CaseSpool
from promptuary.evaluation.datasets.store import DatasetVersion
from promptuary.prompt.name import is_name


@dataclass(frozen=True)
class DatasetPut:
    """The dataset version that has the cases, and whether the call created it."""

    version: DatasetVersion
    created: bool


@dataclass(frozen=True)
class DatasetService:
    """Datasets on behalf of a caller."""

    unit: UnitOfWork

    def put_version(self, name: str, cases: Iterable[Case]) -> DatasetPut:
        """Store cases as the dataset's next version, unless its newest version has the same cases.

        Args:
            name: of the dataset.
            cases: in their order; those of a `CaseSpool` stay on disk.

        Raises:
            InvalidRequest: for no case, two cases of one id, or an invalid dataset name.
            Forbidden: when the cases are not those of the newest version, and the caller may not change the dataset.
        """
        spool = cases if isinstance(cases, CaseSpool) else _spool_cases(cases)
        errors = [] if is_name(name) else [FieldError("name", "must be 1 to 128 of a-z 0-9 _ . -")]
        if not len(spool):
            errors.append(FieldError("cases", "must have at least one case"))
        if errors:
            raise InvalidRequest("the dataset cannot be used", errors)
        session, caller = self.unit.session, self.unit.caller
        store.lock_dataset(session, caller.project, name)  # else two callers could store the same cases twice
        newest = store.get_dataset_version(session, caller.project, name)
        if newest is not None and newest.digest == spool.digest:
            return DatasetPut(newest, created=False)
        caller.require_change(Scope.DATASET_WRITE, f"the dataset '{name}'")
        added = store.add_dataset_version(session, caller.project, name, spool, caller.identity, self.unit.clock())
        detail = {"version": added.number, "digest": added.digest, "cases": added.cases}
        audit.record_change(self.unit, "dataset.versioned", name, detail)
        return DatasetPut(added, created=True)

    def get(self, name: str, version: int | None = None) -> DatasetVersion:
        """Return a version of a dataset, the newest without a number.

        Raises:
            NotFound: when there is none.
        """
        dataset = store.get_dataset_version(self.unit.session, self.unit.caller.project, name, version)
        if dataset is None:
            raise NotFound(f"there is no dataset '{name}'" + (f" with a version {version}" if version is not None else ""))
        return dataset

    def list_datasets(self, limit: int, cursor: str | None) -> Page[DatasetVersion]:
        """Return a page of datasets by name, each by its newest version."""
        rows = store.list_datasets(self.unit.session, self.unit.caller.project, decode_cursor(cursor, str), limit + 1)
        return build_page(rows, limit, lambda dataset: dataset.name)

    def list_cases(self, dataset: DatasetVersion, limit: int, cursor: str | None) -> Page[Case]:
        """Return a page of a dataset version's cases in their order."""
        first = (decode_cursor(cursor, int) or 0) if cursor else 0
        rows = store.list_cases(self.unit.session, dataset.id, first, limit + 1)
        position = {case.id: first + number for number, case in enumerate(rows)}
        return build_page(rows, limit, lambda case: position[case.id] + 1)


def _spool_cases(cases: Iterable[Case]) -> CaseSpool:
    """Write cases, each of which was checked alone, to a spool.

    Raises:
        InvalidRequest: for two cases of one id.
    """
    errors, seen, spool = list[FieldError](), set[str](), CaseSpool()
    for number, case in enumerate(cases):
        if case.id in seen:
            errors.append(FieldError(f"cases.{number}.id", f"'{case.id}' is the id of an earlier case"))
        seen.add(case.id)
        spool.add(case)
    if errors:
        raise InvalidRequest("the dataset cannot be used", errors)
    return spool
