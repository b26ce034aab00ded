"""Suites over HTTP; `runs.routes` has the projection of a suite's next run."""

from typing import Annotated

from fastapi import APIRouter
from starlette.requests import Request

from promptuary.access.auth.idempotency import IdempotentRoute
from promptuary.access.auth.routing import Cursor, Limit, PathName, authorize
from promptuary.access.role import Scope
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core.errors import FieldError, InvalidRequest
from promptuary.core.wire import PageOf
from promptuary.evaluation.suites.schemas import SuiteOut
from promptuary.evaluation.suites.service import SuiteService
from promptuary.evaluation.suites.suite import Suite

router = APIRouter(prefix="/v1", tags=["evaluation"], route_class=IdempotentRoute)


@router.put("/suites/{suite}")
def put_suite(
    suite: PathName,
    body: Suite,
    request: Request,
    unit: Annotated[UnitOfWork, authorize(Scope.RUN_WRITE, changes=Scope.SUITE_WRITE)],
) -> SuiteOut:
    """Write a suite, over the one of that name; runs keep the definition that they ran.

    A pipeline may send the suite as it is stored; to change it, its key needs `suite:write`.
    """
    if body.name != suite:
        raise InvalidRequest("the suite cannot be used", [FieldError("name", f"is not '{suite}', the name in the path")])
    request.app.state.admit_suite(body, unit.settings)
    return SuiteOut.model_validate(SuiteService(unit).put(body))


@router.get("/suites")
def list_suites(
    unit: Annotated[UnitOfWork, authorize(Scope.RUN_READ)], limit: Limit = 50, cursor: Cursor = None
) -> PageOf[SuiteOut]:
    """Return suites by name."""
    return PageOf[SuiteOut].model_validate(SuiteService(unit).list_suites(min(limit, unit.settings.page_limit), cursor))


@router.get("/suites/{suite}")
def read_suite(suite: PathName, unit: Annotated[UnitOfWork, authorize(Scope.RUN_READ)]) -> SuiteOut:
    """Return a suite as it is now."""
    return SuiteOut.model_validate(SuiteService(unit).get(suite))
