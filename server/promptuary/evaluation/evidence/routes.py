"""Evidence over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from promptuary.access.auth.idempotency import IdempotentRoute
from promptuary.access.auth.routing import Cursor, Limit, authorize
from promptuary.access.role import Scope
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core.parameters import STRICT_INTEGER
from promptuary.core.wire import PageOf
from promptuary.evaluation.evidence import service
from promptuary.evaluation.evidence.schemas import EvidenceOut
from promptuary.evaluation.evidence.store import EvidenceFilter
from promptuary.prompt.name import Name

router = APIRouter(prefix="/v1", tags=["evaluation"], route_class=IdempotentRoute)


def evidence_filter(
    prompt: Annotated[Name | None, Query()] = None,
    version: Annotated[int | None, Query(ge=1, le=2**31 - 1), STRICT_INTEGER] = None,
    digest: Annotated[str | None, Query(pattern=r"^sha256:[0-9a-f]{64}$")] = None,
    suite: Annotated[Name | None, Query()] = None,
    run: Annotated[str | None, Query(pattern=r"^run_[0-9a-f]{1,60}$")] = None,
) -> EvidenceFilter:
    """Build the filter from the query's parameters."""
    return EvidenceFilter(prompt, version, digest, suite, run)


@router.get("/evidence")
def list_evidence(
    unit: Annotated[UnitOfWork, authorize(Scope.RUN_READ)],
    selection: Annotated[EvidenceFilter, Depends(evidence_filter)],
    limit: Limit = 50,
    cursor: Cursor = None,
) -> PageOf[EvidenceOut]:
    """Return what finished runs show of versions, the newest first; by `digest`, of one content."""
    page = service.list_evidence(unit, selection, min(limit, unit.settings.page_limit), cursor)
    return PageOf[EvidenceOut].model_validate(page)
