"""The client that applications import: lookups with a deadline, and copies in memory and on disk while the server is down."""

from promptuary.client.async_client import AsyncPromptuary
from promptuary.client.errors import (
    FallbackFailed,
    InvalidBundle,
    InvalidSettings,
    KeyRefused,
    NeedsContext,
    PromptNotFound,
    PromptUnavailable,
    Reason,
    Refused,
    RequestRefused,
)
from promptuary.client.prompt import Prompt, Source
from promptuary.client.rendering import Rendering
from promptuary.client.sync_client import Promptuary
from promptuary.client.telemetry import Lookup, trace

__all__ = [
    "AsyncPromptuary",
    "FallbackFailed",
    "InvalidBundle",
    "InvalidSettings",
    "KeyRefused",
    "Lookup",
    "NeedsContext",
    "Prompt",
    "PromptNotFound",
    "PromptUnavailable",
    "Promptuary",
    "Reason",
    "Refused",
    "Rendering",
    "RequestRefused",
    "Source",
    "trace",
]
