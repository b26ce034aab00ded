"""The types of events that webhooks send; the folder that publishes an event defines its data."""

from enum import StrEnum


class EventType(StrEnum):
    """What happened."""

    VERSION_CREATED = "version.created"
    """A version of a prompt was registered."""
    VERSION_ERASED = "version.erased"
    """The content of a version was erased."""
    LABEL_MOVED = "label.moved"
    """A label was moved, perhaps to the version it had."""
    LABEL_REMOVED = "label.removed"
    """A label was removed."""
    PROMPT_ARCHIVED = "prompt.archived"
    """A prompt was archived."""
    PROMPT_RESTORED = "prompt.restored"
    """A prompt was restored."""
    TAGS_CHANGED = "tags.changed"
    """Tags of a prompt or of a version were set or removed."""
    RUN_FINISHED = "run.finished"
    """An evaluation run reached its verdict."""
    ALERT_RAISED = "alert.raised"
    """A scheduled run dropped against its own history."""
    WEBHOOK_TEST = "webhook.test"
    """A test that somebody requested; it is sent whatever the webhook selects."""
