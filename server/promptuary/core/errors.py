"""Every error that Promptuary raises on purpose, in one tree. An error says what is wrong and what to do, never an HTTP status.

PromptuaryError                 the root (promptuary.prompt.errors), which the client shares
├── Invalid                     an input is wrong, with all its faults
│   ├── InvalidPrompt           … a prompt's content
│   ├── InvalidVariables        … the values for a render
│   ├── InvalidSplit            … the arms of a split label
│   ├── InvalidFile             … a file: line and field
│   │   └── NotCarried          … a promptfoo file has parts that have no place here
│   ├── InvalidSettings         … a PROMPTUARY_… variable
│   ├── InvalidPattern          … a regular expression, by JavaScript's rules
│   ├── InvalidRequest          … a request's fields
│   ├── MalformedBody           … a body that is no JSON at all
│   └── WebhookRefused          … an address that webhooks may not go to (promptuary.core.outbound_http)
├── UnknownSchema               the database is of another release
├── BrokenPlugin                an installed plug-in cannot be used
├── RenderTooLarge              the rendered text passes the limit
├── NotAuthenticated            no key, or none that is valid
├── Forbidden                   the key may not do this
├── NotFound                    no such thing in this project
├── Conflict                    the thing is in a state that does not allow this
│   └── AlreadyExists           the name is taken
├── PreconditionFailed          it has changed since it was read
├── BodyTooLarge                the request passes the limit
├── UnsupportedBody             not application/json, or compressed
└── Unavailable                 something that is needed does not answer; try again
    ├── CodeFailed              a suite's own code (promptuary.evaluation.scorers.code.python_code)
    ├── JudgeUnclear            a judging model, in the form that it was asked for (promptuary.evaluation.scorers.judge.judge)
    ├── Busy                    the database is held by other writers
    ├── StorageFull             the disk is full
    └── WebhookFailed           a webhook's receiver (promptuary.core.outbound_http)
"""

from promptuary.prompt.errors import FieldError, Invalid, PromptuaryError

__all__ = [
    "AlreadyExists",
    "BodyTooLarge",
    "BrokenPlugin",
    "Conflict",
    "DatabaseBusy",
    "FieldError",
    "Forbidden",
    "Invalid",
    "InvalidRequest",
    "MalformedBody",
    "NotAuthenticated",
    "NotFound",
    "PreconditionFailed",
    "PromptuaryError",
    "StorageFull",
    "Unavailable",
    "UnsupportedMediaType",
]


class InvalidRequest(Invalid):
    """A request's fields are wrong, one fault each."""

    code = "invalid_request"


class MalformedBody(Invalid):
    """A body cannot be read: it is no JSON, or JSON of a kind that two readers would read differently."""

    code = "malformed_body"


class BrokenPlugin(PromptuaryError):
    """A package that is installed as a plug-in does not load, or takes a name that is taken; nothing starts with it."""

    code = "broken_plugin"


class NotAuthenticated(PromptuaryError):
    """No key was given, or none that is known, live and unrevoked; which of these is not told."""

    code = "not_authenticated"


class Forbidden(PromptuaryError):
    """The key is good, but its role does not allow this."""

    code = "forbidden"


class NotFound(PromptuaryError):
    """There is no such thing in the key's project, or the key may not know of it."""

    code = "not_found"


class Conflict(PromptuaryError):
    """The thing is there, in a state that does not allow this."""

    code = "conflict"


class AlreadyExists(Conflict):
    """The name is taken."""

    code = "already_exists"


class PreconditionFailed(PromptuaryError):
    """The thing has changed since the caller read it; read again, then decide."""

    code = "precondition_failed"


class BodyTooLarge(PromptuaryError):
    """The request's body passes the limit."""

    code = "body_too_large"


class UnsupportedMediaType(PromptuaryError):
    """The body is not plain application/json."""

    code = "unsupported_body"


class Unavailable(PromptuaryError):
    """Something that is needed does not answer now; the same call may succeed after `retry_after` seconds."""

    code = "unavailable"

    def __init__(self, message: str, retry_after: int = 1) -> None:
        """Keep the sentence and the seconds to wait."""
        super().__init__(message)
        self.retry_after = retry_after


class DatabaseBusy(Unavailable):
    """Other writers hold the database longer than the wait that is set."""

    code = "busy"


class StorageFull(Unavailable):
    """The disk is full; reads go on."""

    code = "storage_full"
