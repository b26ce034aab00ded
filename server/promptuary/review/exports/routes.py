"""Exports over HTTP."""

from collections.abc import Iterator
from typing import IO, Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import Response, StreamingResponse

from promptuary.access.auth.idempotency import IdempotentRoute
from promptuary.access.auth.routing import Cursor, Limit, PathName, authorize
from promptuary.access.role import Scope
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core.errors import InvalidRequest
from promptuary.core.wire import PageOf
from promptuary.review.exports.schemas import ExportedDecision
from promptuary.review.exports.service import ExportFormat, export_decisions
from promptuary.review.labels.service import DecisionService

router = APIRouter(prefix="/v1", tags=["review"], route_class=IdempotentRoute)

MEDIA_TYPES = {
    ExportFormat.CSV: "text/csv; charset=utf-8",
    ExportFormat.JSONL: "application/x-ndjson",
    ExportFormat.PARQUET: "application/vnd.apache.parquet",
}
_CHUNK = 256 * 1024
_FILES: dict[int | str, dict[str, Any]] = {
    200: {"content": {media_type.partition(";")[0]: {} for media_type in MEDIA_TYPES.values()}}
}


@router.get("/queues/{name}/export", response_model=PageOf[ExportedDecision], responses=_FILES)
def export(
    name: PathName,
    unit: Annotated[UnitOfWork, authorize(Scope.REVIEW_MANAGE)],
    file_format: Annotated[ExportFormat | None, Query(alias="format")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> PageOf[ExportedDecision] | Response:
    """List a queue's decisions in the order in which they were made; with `format`, all of them as one file.

    A file also has the labels that count for each item: the adjudicated ones, else those on which its reviewers agree.
    """
    if file_format is None:
        page = DecisionService(unit).decisions(name, min(limit, unit.settings.page_limit), cursor)
        return PageOf[ExportedDecision].model_validate(page)
    if cursor is not None:
        raise InvalidRequest("a file has no pages; send 'format' without 'cursor'")
    file = export_decisions(unit, name, file_format)
    headers = {"Content-Disposition": f'attachment; filename="{name}.{file_format}"'}
    return StreamingResponse(_chunks(file), media_type=MEDIA_TYPES[file_format], headers=headers)


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while chunk := file.read(_CHUNK):
            yield chunk
