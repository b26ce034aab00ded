"""The erasure of an end user over HTTP."""

from typing import Annotated

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from promptuary.access.auth.completion import CompletedResponse
from promptuary.access.auth.idempotency import IdempotentRoute
from promptuary.access.auth.routing import authorize
from promptuary.access.role import Scope
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.registry.erasure.storage import rewrite_files
from promptuary.traffic.erasure.schemas import EraseUser, UserErasedOut
from promptuary.traffic.erasure.user_erasure import erase_user

router = APIRouter(prefix="/v1", tags=["traffic"], route_class=IdempotentRoute)


@router.post("/observations/erase", response_model=UserErasedOut)
def erase_observations_of_user(
    body: EraseUser, request: Request, unit: Annotated[UnitOfWork, authorize(Scope.OBSERVATION_ERASE)]
) -> Response:
    """Erase an end user's calls with everything that was made of them here; the audit chain has the hash of their id alone.

    The response names what remains. A repeated call erases what came since, and rewrites the database's files again.
    """
    erased = UserErasedOut.of(erase_user(unit, body.user, body.reason))
    database = request.app.state.database

    def finish() -> str:
        return erased.model_copy(update={"storage": rewrite_files(database)}).model_dump_json()

    return CompletedResponse(request, unit.caller, erased.model_dump_json(), 200, finish)
