"""The events of prompts, as the stream sends them and as other processes of the same database read them."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class EventKind(StrEnum):
    """What happened to a prompt."""

    VERSION_CREATED = "version.created"
    """A version was registered; `detail` has its number and digest, and the prompt's first own tags if it gets them so."""
    VERSION_ERASED = "version.erased"
    """A version's content was erased: a lookup of it is refused; `detail` has its number and digest."""
    LABEL_MOVED = "label.moved"
    """A label was moved, perhaps to the version it had; `detail` has label, version or split, previous and reason."""
    LABEL_REMOVED = "label.removed"
    """A label was removed: a lookup by it is not found; `detail` has label, previous and reason; version and split are null."""
    PROMPT_ARCHIVED = "prompt.archived"
    """The prompt was archived: a lookup by label is not found."""
    PROMPT_RESTORED = "prompt.restored"
    """The prompt was restored."""
    TAGS_CHANGED = "tags.changed"
    """Tags of the prompt or of a version were set or removed; `detail` has the version (None for the prompt) and the tags."""


@dataclass(frozen=True)
class PromptEvent:
    """One event; its revision is the project's, which each event increments by one."""

    revision: int
    kind: EventKind
    prompt: str
    detail: dict[str, Any]
    at: datetime
