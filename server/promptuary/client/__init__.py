"""The client that applications import: lookups with a deadline, and copies in memory and on disk while the server is down.

`AsyncPromptuary` is imported on first use: an application with threads alone does not pay for asyncio.
"""

from typing import TYPE_CHECKING, Any

from promptuary.client.errors import (
    Conflict,
    FallbackFailed,
    InvalidBundle,
    InvalidSettings,
    KeyRefused,
    NeedsContext,
    PreconditionFailed,
    PromptNotFound,
    PromptUnavailable,
    Reason,
    Refused,
    RequestRefused,
)
from promptuary.client.prompt import Prompt, Source
from promptuary.client.registry.results import LabelState, PromptMatch, PromptSummary, RegisteredVersion
from promptuary.client.rendering import Rendering
from promptuary.client.sync_client import Promptuary
from promptuary.client.telemetry import Lookup, trace
from promptuary.client.traffic.items import DropReason, TrafficCounts

if TYPE_CHECKING:
    from promptuary.client.async_client import AsyncPromptuary
    from promptuary.client.in_use.span_processor import PromptSpanProcessor

__all__ = [
    "AsyncPromptuary",
    "Conflict",
    "DropReason",
    "FallbackFailed",
    "InvalidBundle",
    "InvalidSettings",
    "KeyRefused",
    "LabelState",
    "Lookup",
    "NeedsContext",
    "PreconditionFailed",
    "Prompt",
    "PromptMatch",
    "PromptNotFound",
    "PromptSpanProcessor",
    "PromptSummary",
    "PromptUnavailable",
    "Promptuary",
    "Reason",
    "Refused",
    "RegisteredVersion",
    "Rendering",
    "RequestRefused",
    "Source",
    "TrafficCounts",
    "trace",
]


def __getattr__(name: str) -> Any:
    """Import the client for asyncio, or the span processor, when it is first used."""
    if name == "AsyncPromptuary":
        from promptuary.client.async_client import AsyncPromptuary

        return AsyncPromptuary
    if name == "PromptSpanProcessor":
        from promptuary.client.in_use.span_processor import PromptSpanProcessor

        return PromptSpanProcessor
    raise AttributeError(f"module 'promptuary.client' has no attribute {name!r}")
