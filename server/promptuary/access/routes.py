"""Projects, keys and the audit chain over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from promptuary.access import audit
from promptuary.access.audit import ChainHead
from promptuary.access.auth.idempotency import IdempotentRoute
from promptuary.access.auth.routing import Cursor, Limit, authorize
from promptuary.access.role import Scope
from promptuary.access.schemas import (
    AuditEntryOut,
    AuditHeadOut,
    CallerOut,
    CreatedKeyOut,
    KeyOut,
    NewKey,
    NewProject,
    ProjectOut,
    VerificationOut,
    page_of_keys,
)
from promptuary.access.service import AccessService
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core.errors import FieldError, InvalidRequest
from promptuary.core.parameters import STRICT_INTEGER
from promptuary.core.wire import PageOf

KeyId = Annotated[str, Path(alias="id")]
HeadSequence = Annotated[int | None, Query(ge=0, lt=2**63), STRICT_INTEGER]
HeadDigest = Annotated[str | None, Query(pattern="^sha256:[0-9a-f]{64}$", max_length=71)]

router = APIRouter(prefix="/v1", tags=["access"], route_class=IdempotentRoute)


@router.post("/projects", status_code=201)
def create_project(body: NewProject, unit: Annotated[UnitOfWork, authorize(Scope.PROJECT_MANAGE)]) -> ProjectOut:
    """Create a project; this needs an operator's key."""
    return ProjectOut.model_validate(AccessService(unit).create_project(body.name))


@router.get("/projects")
def list_projects(
    unit: Annotated[UnitOfWork, authorize(Scope.PROJECT_MANAGE)], limit: Limit = 50, cursor: Cursor = None
) -> PageOf[ProjectOut]:
    """List the projects by name; this needs an operator's key."""
    return PageOf[ProjectOut].model_validate(AccessService(unit).projects(min(limit, unit.settings.page_limit), cursor))


@router.get("/self")
def read_self(unit: Annotated[UnitOfWork, authorize(Scope.SELF_READ)]) -> CallerOut:
    """Return whose key it is and what it may do."""
    return CallerOut.of(unit.caller)


@router.post("/keys", status_code=201)
def create_key(body: NewKey, unit: Annotated[UnitOfWork, authorize(Scope.KEY_MANAGE)]) -> CreatedKeyOut:
    """Create a key. Its text is in this response and nowhere else."""
    key, api_key = AccessService(unit).create_key(body.name, body.role, body.days, body.project, body.holder())
    return CreatedKeyOut.of(key, key=str(api_key))


@router.get("/keys")
def list_keys(
    unit: Annotated[UnitOfWork, authorize(Scope.KEY_MANAGE)], limit: Limit = 50, cursor: Cursor = None
) -> PageOf[KeyOut]:
    """List the project's keys, including revoked ones."""
    return page_of_keys(AccessService(unit).keys(min(limit, unit.settings.page_limit), cursor))


@router.delete("/keys/{id}", status_code=204)
def revoke_key(key_id: KeyId, unit: Annotated[UnitOfWork, authorize(Scope.KEY_MANAGE)]) -> None:
    """Revoke a key at once."""
    AccessService(unit).revoke_key(key_id)


@router.get("/audit")
def list_audit(
    unit: Annotated[UnitOfWork, authorize(Scope.AUDIT_READ)], limit: Limit = 50, cursor: Cursor = None
) -> PageOf[AuditEntryOut]:
    """List the audit chain in its order."""
    page = audit.list_entries(unit, min(limit, unit.settings.page_limit), cursor)
    entries = [AuditEntryOut.of(unit.session, entry) for entry in page.items]
    return PageOf[AuditEntryOut](items=entries, next_cursor=page.next_cursor)


@router.get("/audit/head")
def read_audit_head(unit: Annotated[UnitOfWork, authorize(Scope.AUDIT_READ)]) -> AuditHeadOut:
    """Return the head of the audit chain: its length and its last row's digest, to be kept outside of this service."""
    head = audit.read_head(unit.session, unit.caller.project)
    return AuditHeadOut(project=unit.caller.project_name, sequence=head.sequence, digest=head.digest, at=head.at)


@router.get("/audit/verify")
def verify_audit(
    unit: Annotated[UnitOfWork, authorize(Scope.AUDIT_READ)], sequence: HeadSequence = None, digest: HeadDigest = None
) -> VerificationOut:
    """Recompute the whole chain; with the `sequence` and `digest` of a head that was kept, check that the chain contains it."""
    if (sequence is None) is not (digest is None):
        missing, present = ("sequence", "digest") if sequence is None else ("digest", "sequence")
        raise InvalidRequest("a kept head has two parts", [FieldError(missing, f"is missing; send it beside `{present}`")])
    head = None if sequence is None or digest is None else ChainHead(sequence, digest, None)
    return VerificationOut.model_validate(audit.verify_chain(unit.session, unit.caller.project, head))
