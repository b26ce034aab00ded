"""The health checks, which need no key."""

from typing import Literal

from fastapi import APIRouter
from starlette.requests import Request

from promptuary.core.errors import Unavailable
from promptuary.core.wire import ResponseModel
from promptuary.migrations.upgrade import HEAD, current_revision

router = APIRouter(tags=["health"])


class HealthOut(ResponseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


class ReadinessOut(ResponseModel):
    """Lookups can be answered."""

    status: Literal["ready"] = "ready"


@router.get("/healthz")
async def check_health() -> HealthOut:
    """Answer that the process runs."""
    return HealthOut()


@router.get("/readyz")
def check_readiness(request: Request) -> ReadinessOut:
    """Answer that lookups can be answered: the database is there, with the schema of this release."""
    if current_revision(request.app.state.database) != HEAD:
        raise Unavailable("the database's schema is not of this release; run `promptuary init`")
    return ReadinessOut()
