"""Datasets over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from promptuary.access.auth.idempotency import IdempotentRoute
from promptuary.access.auth.routing import Cursor, Limit, PathName, authorize
from promptuary.access.role import Scope
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core.parameters import STRICT_INTEGER
from promptuary.core.wire import PageOf
from promptuary.evaluation.datasets import upload
from promptuary.evaluation.datasets.schemas import DatasetOut, DatasetPageOut, NewDatasetVersion
from promptuary.evaluation.datasets.service import DatasetService

router = APIRouter(prefix="/v1", tags=["evaluation"], route_class=IdempotentRoute)
VersionQuery = Annotated[int | None, Query(ge=1, le=2**31 - 1), STRICT_INTEGER]


@router.post(
    "/datasets/{dataset}/versions",
    status_code=201,
    responses={200: {"model": DatasetOut}},
    openapi_extra=upload.REQUEST_BODY_SCHEMA,
)
def put_dataset_version(
    dataset: PathName,
    body: NewDatasetVersion,
    response: Response,
    unit: Annotated[UnitOfWork, authorize(Scope.RUN_WRITE, changes=Scope.DATASET_WRITE)],
) -> DatasetOut:
    """Store a dataset's next version: 201 for a new one, 200 when the newest version has the same cases.

    A large one is sent as a file: lines of JSON (`Content-Type: application/x-ndjson`), a table (`text/csv`,
    `text/tab-separated-values`), an XLSX workbook or a Parquet file.
    """
    put = DatasetService(unit).put_version(dataset, [case.case() for case in body.cases])
    response.status_code = 201 if put.created else 200
    return DatasetOut.of(put.version)


@router.get("/datasets")
def list_datasets(
    unit: Annotated[UnitOfWork, authorize(Scope.RUN_READ)], limit: Limit = 50, cursor: Cursor = None
) -> PageOf[DatasetOut]:
    """Return datasets by name, each by its newest version."""
    page = DatasetService(unit).list_datasets(min(limit, unit.settings.page_limit), cursor)
    return PageOf[DatasetOut](items=[DatasetOut.of(dataset) for dataset in page.items], next_cursor=page.next_cursor)


@router.get("/datasets/{dataset}")
def read_dataset(
    dataset: PathName,
    unit: Annotated[UnitOfWork, authorize(Scope.RUN_READ)],
    version: VersionQuery = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> DatasetPageOut:
    """Return a version of a dataset, the newest by default, with a page of its cases."""
    datasets = DatasetService(unit)
    stored = datasets.get(dataset, version)
    return DatasetPageOut.of_page(stored, datasets.list_cases(stored, min(limit, unit.settings.page_limit), cursor))
