"""Datasets received as lines: a body of any size up to the setting's, kept on disk, checked before a transaction begins."""

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
from promptuary.evaluation.datasets.case_file import read_case_lines
from promptuary.evaluation.datasets.schemas import DatasetOut
from promptuary.evaluation.datasets.service import DatasetService

LINES_MEDIA_TYPE = "application/x-ndjson"
REQUEST_BODY_SCHEMA: dict[str, Any] = {
    "requestBody": {
        "content": {
            LINES_MEDIA_TYPE: {
                "schema": {
                    "type": "string",
                    "description": "a case a line, as in a .jsonl file; 64 MiB at most, or PROMPTUARY_DATASET_LIMIT",
                }
            }
        }
    }
}
_IN_MEMORY = 1024 * 1024


class _LinesRoute(IdempotentRoute):
    """A route for requests whose body is lines; requests of another type go to the next route of the path."""

    def matches(self, scope: Any) -> tuple[Match, Any]:
        sent = next((value for name, value in scope["headers"] if name.lower() == b"content-type"), b"")
        if sent.partition(b";")[0].strip().lower() != LINES_MEDIA_TYPE.encode():
            return Match.NONE, {}
        return super().matches(scope)


router = APIRouter(prefix="/v1", route_class=_LinesRoute)


async def _receive(request: Request) -> None:
    """Write the body to disk and check its cases, in a thread; its digest identifies the body of a retried request."""
    whole = hashlib.sha256()
    with SpooledTemporaryFile(_IN_MEMORY) as file:
        async for piece in request.stream():
            whole.update(piece)
            await run_in_threadpool(file.write, piece)
        file.seek(0)
        request.scope[REQUEST_BODY] = whole.digest()
        request.state.cases = await run_in_threadpool(read_case_lines, file)


@router.post("/datasets/{dataset}/versions", status_code=201, include_in_schema=False)
def put_dataset_lines(
    dataset: PathName,
    request: Request,
    response: Response,
    unit: Annotated[UnitOfWork, authorize(Scope.RUN_WRITE, before_transaction=_receive)],
) -> DatasetOut:
    """Store a dataset's next version, as `put_dataset_version` does."""
    put = DatasetService(unit).put_version(dataset, request.state.cases)
    response.status_code = 201 if put.created else 200
    return DatasetOut.of(put.version)
