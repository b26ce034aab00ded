"""Webhooks over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from promptuary.access.auth.idempotency import IdempotentRoute
from promptuary.access.auth.routing import Cursor, Limit, PathName, authorize
from promptuary.access.role import Scope
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core.wire import PageOf, RequestModel
from promptuary.webhooks.schemas import DeliveryOut, RotateSecret, WebhookIn, WebhookOut
from promptuary.webhooks.service import WebhookService
from promptuary.webhooks.store import DeliveryState

router = APIRouter(prefix="/v1", tags=["webhooks"], route_class=IdempotentRoute)
DeliveryId = Annotated[str, Path(min_length=1, max_length=100)]
Manage = Annotated[UnitOfWork, authorize(Scope.WEBHOOK_MANAGE)]


class NoFields(RequestModel):
    """A body without any field."""


@router.put("/webhooks/{webhook}", responses={201: {"model": WebhookOut}})
def put_webhook(webhook: PathName, body: WebhookIn, response: Response, unit: Manage) -> WebhookOut:
    """Create a webhook, whose secret only this answer has (201), or change it; writing a disabled one enables it again."""
    written = WebhookService(unit).put(webhook, body.definition())
    response.status_code = 200 if written.secret is None else 201
    return WebhookOut.of_written(written)


@router.get("/webhooks")
def list_webhooks(unit: Manage, limit: Limit = 50, cursor: Cursor = None) -> PageOf[WebhookOut]:
    """List the project's webhooks by name."""
    page = WebhookService(unit).webhooks(min(limit, unit.settings.page_limit), cursor)
    return PageOf[WebhookOut](items=[WebhookOut.of(webhook) for webhook in page.items], next_cursor=page.next_cursor)


@router.get("/webhooks/{webhook}")
def read_webhook(webhook: PathName, unit: Manage) -> WebhookOut:
    """Return a webhook."""
    return WebhookOut.of(WebhookService(unit).get(webhook))


@router.delete("/webhooks/{webhook}", status_code=204)
def remove_webhook(webhook: PathName, unit: Manage) -> None:
    """Delete a webhook with its secrets and deliveries; what is pending is not sent."""
    WebhookService(unit).remove(webhook)


@router.post("/webhooks/{webhook}/secrets", status_code=201)
def rotate_secret(webhook: PathName, unit: Manage, body: RotateSecret | None = None) -> WebhookOut:
    """Create a new secret; the present one signs beside it for `keep_hours`."""
    return WebhookOut.of_written(WebhookService(unit).rotate_secret(webhook, (body or RotateSecret()).keep_hours))


@router.post("/webhooks/{webhook}/test", status_code=202)
def send_test(webhook: PathName, unit: Manage, body: NoFields | None = None) -> DeliveryOut:
    """Queue an event `webhook.test`; the list of deliveries shows how it went."""
    return DeliveryOut.of(WebhookService(unit).test(webhook))


@router.get("/webhooks/{webhook}/deliveries")
def list_deliveries(
    webhook: PathName,
    unit: Manage,
    state: Annotated[DeliveryState | None, Query()] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> PageOf[DeliveryOut]:
    """List a webhook's deliveries, the newest first; those that ended are kept for 30 days."""
    page = WebhookService(unit).deliveries(webhook, min(limit, unit.settings.page_limit), cursor, state)
    return PageOf[DeliveryOut](items=[DeliveryOut.of(delivery) for delivery in page.items], next_cursor=page.next_cursor)


@router.post("/webhooks/{webhook}/deliveries/{delivery}/replay", status_code=202)
def replay_delivery(webhook: PathName, delivery: DeliveryId, unit: Manage, body: NoFields | None = None) -> DeliveryOut:
    """Send a delivery that ended again, under the same id and with the same body."""
    return DeliveryOut.of(WebhookService(unit).replay(webhook, delivery))
