"""The events that webhooks send, for the OpenAPI document: one model a type, `{type, timestamp, data}`."""

from datetime import datetime
from typing import Any, Literal

from fastapi import FastAPI
from pydantic import create_model

from promptuary.core.wire import ResponseModel
from promptuary.evaluation.runs.schemas import FinishedRunData
from promptuary.registry.events.published import (
    LabelMovedData,
    LabelRemovedData,
    PromptArchivedData,
    TagsChangedData,
    VersionData,
)
from promptuary.scheduling.schemas import AlertRaisedData
from promptuary.webhooks.event_type import EventType
from promptuary.webhooks.schemas import TestData

EVENT_DATA: dict[EventType, type[ResponseModel]] = {
    EventType.VERSION_CREATED: VersionData,
    EventType.VERSION_ERASED: VersionData,
    EventType.LABEL_MOVED: LabelMovedData,
    EventType.LABEL_REMOVED: LabelRemovedData,
    EventType.PROMPT_ARCHIVED: PromptArchivedData,
    EventType.PROMPT_RESTORED: PromptArchivedData,
    EventType.TAGS_CHANGED: TagsChangedData,
    EventType.RUN_FINISHED: FinishedRunData,
    EventType.ALERT_RAISED: AlertRaisedData,
    EventType.WEBHOOK_TEST: TestData,
}
"""The model of each type's data."""


def event_model(event_type: EventType) -> type[ResponseModel]:
    """Build the model of the body that is sent for a type of event."""
    name = "".join(part.capitalize() for part in event_type.replace(".", "_").split("_")) + "Event"
    fields: dict[str, Any] = {
        "type": (Literal[event_type.value], ...),
        "timestamp": (datetime, ...),
        "data": (EVENT_DATA[event_type], ...),
    }
    return create_model(name, __base__=ResponseModel, __doc__=EVENT_DATA[event_type].__doc__, **fields)


def describe_webhooks(app: FastAPI) -> None:
    """Add each type of event to the `webhooks` of the app's OpenAPI document."""
    for event_type in EVENT_DATA:

        def receive(body: Any) -> None:
            """Answer with 2xx to accept the event; 410 disables the webhook. Verify `webhook-signature` before."""

        receive.__annotations__["body"] = event_model(event_type)
        app.webhooks.post(event_type, status_code=204, tags=["webhooks"], summary=event_type)(receive)
