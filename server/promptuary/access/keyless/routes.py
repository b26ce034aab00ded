"""Rules for pipelines, and the exchange of their tokens, over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Path
from starlette.requests import Request

from promptuary.access.auth.idempotency import IdempotentRoute
from promptuary.access.auth.routing import Cursor, Limit, authorize
from promptuary.access.auth.self_authenticated import SelfAuthenticatedRoute
from promptuary.access.keyless.rule import PipelinePattern
from promptuary.access.keyless.schemas import ExchangedKeyOut, KeylessRuleOut, NewKeylessRule, TokenExchange
from promptuary.access.keyless.service import KeyExchange, KeylessRules
from promptuary.access.role import Scope
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core.wire import PageOf

RuleId = Annotated[str, Path(alias="id", max_length=100)]
Manage = Annotated[UnitOfWork, authorize(Scope.KEY_MANAGE)]

router = APIRouter(prefix="/v1/keys", tags=["access"], route_class=IdempotentRoute)
exchange_router = APIRouter(prefix="/v1/keys", tags=["access"], route_class=SelfAuthenticatedRoute)


@router.post("/rules", status_code=201)
def add_rule(body: NewKeylessRule, unit: Manage) -> KeylessRuleOut:
    """Store a rule by which pipelines of a repository and branch get short keys of the role ci."""
    pattern = PipelinePattern(body.issuer, body.repository, body.branch, body.repository_id, body.environment, body.event)
    return KeylessRuleOut.of(KeylessRules(unit).add(pattern, frozenset(body.grants), body.minutes))


@router.get("/rules")
def list_rules(unit: Manage, limit: Limit = 50, cursor: Cursor = None) -> PageOf[KeylessRuleOut]:
    """List the project's rules."""
    page = KeylessRules(unit).rules(min(limit, unit.settings.page_limit), cursor)
    return PageOf[KeylessRuleOut](items=[KeylessRuleOut.of(rule) for rule in page.items], next_cursor=page.next_cursor)


@router.delete("/rules/{id}", status_code=204)
def remove_rule(rule: RuleId, unit: Manage) -> None:
    """Remove a rule."""
    KeylessRules(unit).remove(rule)


@exchange_router.post("/exchange", status_code=201)
def exchange_token(request: Request, body: TokenExchange) -> ExchangedKeyOut:
    """Return a short key of the role ci for the OIDC token of a GitHub Actions or GitLab pipeline. This needs no key."""
    exchange: KeyExchange = request.app.state.key_exchange
    exchanged = exchange.exchange(body.subject_token, body.project)
    key = exchanged.key
    assert key.expires_at is not None
    return ExchangedKeyOut(
        access_token=str(exchanged.text),
        expires_in=int((key.expires_at - key.created_at).total_seconds()),
        id=key.id,
        project=exchanged.project_name,
        role=key.role,
        scope=" ".join(sorted(key.scopes)),
    )
