"""The wire models of datasets."""

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field

from promptuary.core.paging import Page
from promptuary.core.wire import RequestModel, ResponseModel, SchemaOf
from promptuary.evaluation.case import Case, case_to_json
from promptuary.evaluation.datasets.case_ids import CaseIds
from promptuary.evaluation.datasets.case_schema import CaseIn
from promptuary.evaluation.datasets.store import DatasetVersion


def _with_ids(cases: Any) -> Any:
    """Return cases with an id each; what is no list of objects stays, for the schema to judge."""
    ids = CaseIds()
    return [ids.with_id(case) if isinstance(case, dict) else case for case in cases] if isinstance(cases, list) else cases


class NewDatasetVersion(RequestModel):
    """The cases of a dataset's next version, in their order; one without an id gets the digest of its content."""

    cases: Annotated[list[CaseIn], Field(min_length=1, max_length=100_000), BeforeValidator(_with_ids)]


class DatasetOut(ResponseModel):
    """A version of a dataset, without its cases."""

    name: str
    version: int
    digest: str
    cases: int
    author: str
    author_id: str
    created_at: datetime

    @classmethod
    def of(cls, dataset: DatasetVersion, **more: Any) -> Self:
        """Build it from the domain value."""
        fields = {name: value for name, value in vars(dataset).items() if name not in ("id", "number")}
        return cls(version=dataset.number, **fields, **more)


class DatasetPageOut(DatasetOut):
    """A version of a dataset with a page of its cases."""

    items: list[Annotated[dict[str, Any], SchemaOf(CaseIn)]]
    next_cursor: str | None

    @classmethod
    def of_page(cls, dataset: DatasetVersion, cases: Page[Case]) -> Self:
        """Build it from the domain values."""
        return cls.of(dataset, items=[case_to_json(case) for case in cases.items], next_cursor=cases.next_cursor)
