"""What the client raises, in the tree that the server has too. An answer that says no is one thing, no answer another.

PromptuaryError                 the root (promptuary.prompt.errors)
├── Invalid
│   ├── InvalidSettings         the client was given something that it cannot work with
│   └── InvalidBundle           the bundle file cannot be used
├── PromptUnavailable           no tier has the prompt; `reason` says why the server gave none
├── Refused                     the server answered, and said no
│   ├── PromptNotFound          … there is no such prompt, label or version in the key's project
│   ├── KeyRefused              … the key is missing, not valid, or may not do this
│   └── RequestRefused          … the request itself; `faults` says what
└── NeedsContext                the prompt retrieves passages, which only the server can do
"""

from collections.abc import Iterable
from enum import StrEnum

from promptuary.prompt.errors import FieldError, Invalid, PromptuaryError

__all__ = [
    "InvalidBundle",
    "InvalidSettings",
    "KeyRefused",
    "NeedsContext",
    "PromptNotFound",
    "PromptUnavailable",
    "Reason",
    "Refused",
    "RequestRefused",
]


class Reason(StrEnum):
    """Why the server gave no answer that can be used."""

    TIMEOUT = "timeout"
    """It did not answer within the deadline."""
    CONNECTION = "connection"
    """It cannot be reached, or broke the connection off."""
    SERVER_ERROR = "server_error"
    """It answered with a status that no Promptuary server means as an answer."""
    BUSY = "busy"
    """It asked to be left alone for a while: 429 or 503."""
    UNUSABLE = "unusable"
    """It answered with garbage, or with content that is not what its digest says."""
    CIRCUIT_OPEN = "circuit_open"
    """It failed several times in a row and is left alone for the cool-down."""
    CLOSED = "closed"
    """The client was closed."""


class InvalidSettings(Invalid):
    """The client was made with a URL, a key or a number that it cannot work with."""

    code = "invalid_settings"


class InvalidBundle(Invalid):
    """The bundle file is missing, or does not have the shape of one."""

    code = "invalid_bundle"


class PromptUnavailable(PromptuaryError):
    """The server gave no usable answer, and there is no copy in memory or on disk, no bundle and no fallback."""

    code = "prompt_unavailable"

    def __init__(self, message: str, reason: Reason) -> None:
        """Keep the sentence and the reason."""
        super().__init__(message)
        self.reason = reason


class Refused(PromptuaryError):
    """The server answered and said no; asking again changes nothing."""

    code = "refused"


class PromptNotFound(Refused):
    """The key's project has no such prompt, label or version."""

    code = "prompt_not_found"


class KeyRefused(Refused):
    """The key is missing, unknown, expired or revoked, or its role does not allow this."""

    code = "key_refused"


class RequestRefused(Refused):
    """The server does not take the request; `faults` lists what it named."""

    code = "request_refused"

    def __init__(self, message: str, field_errors: Iterable[FieldError] = ()) -> None:
        """Keep the sentence and the faults."""
        super().__init__(message)
        self.field_errors = tuple(field_errors)


class NeedsContext(PromptuaryError):
    """The prompt is filled from a collection, which a client does not hold."""

    code = "needs_context"
