"""Datasets received as files: a body of any size up to the setting's, kept on disk, checked before a transaction begins."""

import hashlib
from tempfile import SpooledTemporaryFile
from typing import Annotated, Any

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match

from promptuary.access.auth.idempotency import IdempotentRoute
from promptuary.access.auth.request import REQUEST_BODY
from promptuary.access.auth.routing import PathName, authorize
from promptuary.access.role import Scope
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.evaluation.datasets.case_file import read_cases
from promptuary.evaluation.datasets.readers.formats import FileFormat
from promptuary.evaluation.datasets.schemas import DatasetOut
from promptuary.evaluation.datasets.service import DatasetService

MEDIA_TYPES = {
    "application/x-ndjson": FileFormat.JSON_LINES,
    "text/csv": FileFormat.CSV,
    "text/tab-separated-values": FileFormat.CSV,
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": FileFormat.XLSX,
    "application/vnd.apache.parquet": FileFormat.PARQUET,
}
_DESCRIPTIONS = {
    FileFormat.JSON_LINES: "a case a line, as in a .jsonl file",
    FileFormat.CSV: "a table whose first line names the columns, as in a .csv file",
    FileFormat.XLSX: "a workbook; its first sheet is read",
    FileFormat.PARQUET: "a Parquet file",
}
REQUEST_BODY_SCHEMA: dict[str, Any] = {
    "requestBody": {
        "content": {
            media_type: {
                "schema": {
                    "type": "string",
                    "description": f"{_DESCRIPTIONS[file_format]}; 64 MiB at most, or PROMPTUARY_DATASET_LIMIT",
                }
            }
            for media_type, file_format in MEDIA_TYPES.items()
        }
    }
}
_IN_MEMORY = 1024 * 1024


def _media_type(scope: Any) -> str:
    sent: bytes = next((value for name, value in scope["headers"] if name.lower() == b"content-type"), b"")
    return sent.partition(b";")[0].strip().lower().decode("latin-1")


class _FileRoute(IdempotentRoute):
    """A route for requests whose body is a file; requests of another type go to the next route of the path."""

    reads_body = False

    def matches(self, scope: Any) -> tuple[Match, Any]:
        return super().matches(scope) if _media_type(scope) in MEDIA_TYPES else (Match.NONE, {})


router = APIRouter(prefix="/v1", route_class=_FileRoute)


async def _receive(request: Request) -> None:
    """Write the body to disk and check its cases, in a thread; its digest identifies the body of a retried request."""
    whole = hashlib.sha256()
    with SpooledTemporaryFile(_IN_MEMORY) as file:
        async for piece in request.stream():
            whole.update(piece)
            await run_in_threadpool(file.write, piece)
        file.seek(0)
        request.scope[REQUEST_BODY] = whole.digest()
        request.state.cases = await run_in_threadpool(read_cases, file, MEDIA_TYPES[_media_type(request.scope)])


@router.post("/datasets/{dataset}/versions", status_code=201, include_in_schema=False)
def put_dataset_file(
    dataset: PathName,
    request: Request,
    response: Response,
    unit: Annotated[UnitOfWork, authorize(Scope.RUN_WRITE, changes=Scope.DATASET_WRITE, before_transaction=_receive)],
) -> DatasetOut:
    """Store a dataset's next version, as `put_dataset_version` does."""
    put = DatasetService(unit).put_version(dataset, request.state.cases)
    response.status_code = 201 if put.created else 200
    return DatasetOut.of(put.version)
