"""The client's errors, in the same tree as the server's. A refusal by the server is one thing, no answer is another.

PromptuaryError                 the root (promptuary.prompt.errors)
├── Invalid
│   ├── InvalidSettings         an argument or variable that the client cannot use
│   └── InvalidBundle           the bundle file cannot be used
├── PromptUnavailable           no tier has the prompt; `reason` is why the server sent none
├── FallbackFailed              the function that should return the fallback raised an exception, which is the cause
├── Refused                     the server refused the request
│   ├── PromptNotFound          … there is no such prompt, label or version in the key's project
│   ├── KeyRefused              … the key is missing, not valid, or may not do this
│   ├── Conflict                … its state does not allow this, such as a name that is taken
│   ├── PreconditionFailed      … it has changed since the caller read it
│   └── RequestRefused          … the request itself is not valid; `field_errors` lists why
└── NeedsContext                the prompt retrieves passages, which only the server can do
"""

from collections.abc import Iterable
from enum import StrEnum

from promptuary.prompt.errors import FieldError, Invalid, PromptuaryError, with_field_errors

__all__ = [
    "Conflict",
    "FallbackFailed",
    "InvalidBundle",
    "InvalidSettings",
    "KeyRefused",
    "NeedsContext",
    "PreconditionFailed",
    "PromptNotFound",
    "PromptUnavailable",
    "Reason",
    "Refused",
    "RequestRefused",
]


class Reason(StrEnum):
    """Why the server sent no usable answer."""

    TIMEOUT = "timeout"
    """It did not answer within the deadline."""
    CONNECTION = "connection"
    """It cannot be reached, or closed the connection."""
    SERVER_ERROR = "server_error"
    """It answered with a status that no Promptuary server uses for this request."""
    BUSY = "busy"
    """It requested a pause: 429 or 503."""
    UNUSABLE = "unusable"
    """It answered with garbage, or with content that does not have the digest that it names."""
    CIRCUIT_OPEN = "circuit_open"
    """It failed several times in a row and is not asked during the cool-down."""
    CLOSED = "closed"
    """The client was closed."""


class InvalidSettings(Invalid):
    """The client was built with a URL, a key or a number that it cannot use."""

    code = "invalid_settings"


class InvalidBundle(Invalid):
    """The bundle file is missing, or has another format."""

    code = "invalid_bundle"


class PromptUnavailable(PromptuaryError):
    """The server sent no usable answer, and there is no copy in memory or on disk, no bundle and no fallback."""

    code = "prompt_unavailable"

    def __init__(self, message: str, reason: Reason) -> None:
        """Store the message and the reason."""
        super().__init__(message)
        self.reason = reason


class FallbackFailed(PromptuaryError):
    """Nothing else had the prompt, and the application's function that should return a fallback raised an exception."""

    code = "fallback_failed"


class Refused(PromptuaryError):
    """The server refused the request; asking again changes nothing."""

    code = "refused"


class PromptNotFound(Refused):
    """The key's project has no such prompt, label or version."""

    code = "prompt_not_found"


class KeyRefused(Refused):
    """The key is missing, unknown, expired or revoked, or its role does not allow this."""

    code = "key_refused"


class Conflict(Refused):
    """The state of the prompt or label does not allow this; the message names what is in the way."""

    code = "conflict"


class PreconditionFailed(Refused):
    """The label has another revision than the caller expected: read it again, then decide."""

    code = "precondition_failed"


class RequestRefused(Refused):
    """The request is not valid; `field_errors` lists what the server reported."""

    code = "request_refused"

    def __init__(self, message: str, field_errors: Iterable[FieldError] = ()) -> None:
        """Store the message and the errors by field."""
        super().__init__(message)
        self.field_errors = tuple(field_errors)

    @property
    def faults(self) -> tuple[FieldError, ...]:
        """`field_errors`, by the name that it had until 0.3.0."""
        return self.field_errors

    def __str__(self) -> str:
        """Return the message and the errors after it, in one line."""
        return with_field_errors(self.message, self.field_errors)


class NeedsContext(PromptuaryError):
    """The prompt retrieves passages from a collection, which only the server can search."""

    code = "needs_context"
