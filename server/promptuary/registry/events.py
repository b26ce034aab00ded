"""What happens to prompts, as the stream tells it and as other processes of the same database read it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class EventKind(StrEnum):
    """What happened."""

    VERSION_CREATED = "version.created"
    """A version was registered; `detail` has its number and digest."""
    LABEL_MOVED = "label.moved"
    """A label points elsewhere, or was confirmed where it is; `detail` has label, version or split, previous and reason."""
    PROMPT_ARCHIVED = "prompt.archived"
    """Labels of the prompt no longer answer."""
    PROMPT_RESTORED = "prompt.restored"
    """They answer again."""


@dataclass(frozen=True)
class PromptEvent:
    """One event; its revision is the project's, counted up by one for each event, without a gap."""

    revision: int
    kind: EventKind
    prompt: str
    detail: dict[str, Any]
    at: datetime
