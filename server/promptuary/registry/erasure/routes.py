"""The erasure over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Path
from starlette.requests import Request
from starlette.responses import Response

from promptuary.access.auth.completion import CompletedResponse
from promptuary.access.auth.idempotency import IdempotentRoute
from promptuary.access.auth.routing import PathName, authorize
from promptuary.access.role import Scope
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core.parameters import STRICT_INTEGER
from promptuary.registry.erasure.schemas import EraseVersion, ErasureOut
from promptuary.registry.erasure.service import ErasureRequest, VersionErasure
from promptuary.registry.erasure.storage import rewrite_files

router = APIRouter(prefix="/v1", tags=["registry"], route_class=IdempotentRoute)
Number = Annotated[int, Path(ge=1, le=2**31 - 1), STRICT_INTEGER]


@router.post("/prompts/{name}/versions/{number}/erase", response_model=ErasureOut)
def erase(
    name: PathName,
    number: Number,
    body: EraseVersion,
    request: Request,
    unit: Annotated[UnitOfWork, authorize(Scope.PROMPT_ERASE)],
) -> Response:
    """Erase a version's content; its number, digest and history stay. Lookups of it are 410 from then on.

    The response names what still contains the content. A repeated call erases what was stored since, and rewrites the files
    again.
    """
    state = request.app.state
    erasure_request = ErasureRequest(name, number, body.reason, body.labelled, body.including)
    erasure = ErasureOut.of(VersionErasure(unit, state.content_holders).erase(erasure_request))

    def finish() -> str:
        return erasure.model_copy(update={"storage": rewrite_files(state.database)}).model_dump_json(by_alias=True)

    return CompletedResponse(request, unit.caller, erasure.model_dump_json(by_alias=True), 200, finish)
