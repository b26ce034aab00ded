"""The recording of an event that happens now: for the stream, and for the project's webhooks."""

from typing import Any

from promptuary.access.unit_of_work import UnitOfWork
from promptuary.registry.events import event_store
from promptuary.registry.events.event import EventKind
from promptuary.registry.store import PromptRecord
from promptuary.webhooks.event_type import EventType
from promptuary.webhooks.publication import WebhookEvent, publish


def record_event(unit: UnitOfWork, prompt: PromptRecord, kind: EventKind, detail: dict[str, Any]) -> int:
    """Add an event to the stream, publish it to the project's webhooks, and return its revision.

    An import adds its events by `event_store.add_event` alone: webhooks do not send the past.
    """
    project, now = unit.caller.project, unit.clock()
    revision = event_store.add_event(unit.session, project, prompt.id, kind, detail, now)
    data = {"prompt": prompt.name, "revision": revision, "actor": unit.caller.name, "actor_id": unit.caller.identity, **detail}
    publish(unit.session, project, WebhookEvent(EventType(kind), now, data))
    return revision
