"""Every error that Promptuary raises, in one tree. A message states what is wrong and what to do, never an HTTP status.

PromptuaryError                 the root (promptuary.prompt.errors), which the client shares
├── Invalid                     an input is wrong, with all its field errors
│   ├── InvalidPrompt           … a prompt's content
│   ├── InvalidVariables        … the values for a render
│   ├── InvalidSplit            … the arms of a split label
│   ├── InvalidFile             … a file: line and field
│   │   └── UnsupportedParts    … a promptfoo file with parts that have no counterpart here
│   ├── InvalidSettings         … a PROMPTUARY_… variable
│   ├── InvalidPattern          … a regular expression, by JavaScript's rules
│   ├── InvalidRequest          … a request's fields
│   ├── MalformedBody           … a body that is not JSON
│   ├── InvalidPath             … a path that names nothing: an encoded slash, a NUL, `..`
│   ├── InvalidQuery            … a query string that cannot be read
│   ├── InvalidCursor           … a list's cursor that this server did not create
│   ├── InvalidHeader           … a header field that occurs twice
│   ├── InvalidHost             … a Host header that is not this server's
│   ├── IndexRefused            … what the vector index was sent (promptuary.embedding.index)
│   ├── DestinationRefused      … an address that webhooks may not be sent to (promptuary.core.outbound_http)
│   ├── HostRefused             … an address that applications may not be asked at (promptuary.core.allowed_hosts)
│   ├── ApplicationUnusable     … an application as it is set up (promptuary.evaluation.targets)
│   ├── AnswerUnreadable        … an application's answer, which has no output (promptuary.evaluation.applications)
│   ├── BeyondRe2               … a pattern that RE2 does not have (promptuary.evaluation.scorers.patterns)
│   ├── PatternTooSlow          … a search that reached its limit (promptuary.evaluation.scorers.patterns)
│   └── SchemaTooExpensive      … a schema whose evaluation reached its limit (promptuary.evaluation.scorers.json_schema)
├── UnknownSchema               the database is of another release
├── BrokenPlugin                an installed plug-in cannot be used
├── RenderTooLarge              the rendered text passes the limit
├── NotAuthenticated            no key, or no valid one
│   └── TokenRefused            … a token of another issuer that does not prove what it must (promptuary.access.token_issuers)
├── Forbidden                   the key may not do this
├── NotFound                    no such thing in this project
├── Erased                      the version's content was erased
├── Conflict                    the thing is in a state that does not allow this
│   ├── AlreadyExists           the name is taken
│   └── ItemNotSeen             … a decision on an item that was not in view (promptuary.review.claims)
├── PreconditionFailed          it has changed since it was read
├── BodyTooLarge                the request passes the limit
├── UnsupportedMediaType        not application/json, or compressed
└── Unavailable                 something required does not answer; try again
    ├── ApplicationFailed       an application that a suite evaluates (promptuary.evaluation.targets)
    │   └── ApplicationUnreachable  … at whose address nothing answers
    ├── JavaScriptFailed        a suite's JavaScript (promptuary.evaluation.javascript)
    │   ├── JavaScriptStopped   … at a limit of time, memory, depth or size
    │   └── JavaScriptThrew     … by an error of its own
    ├── TransformFailed         a transform of an output (promptuary.evaluation.scorers.transforms)
    ├── CodeFailed              a suite's own code (promptuary.evaluation.scorers.code)
    ├── UnusableReply           an address that does not speak a model's protocol (promptuary.models.calls.setup)
    ├── ModelNotSetUp           a provider's package, for example without a key (promptuary.models.calls.setup)
    ├── JudgeUnclear            a judging model, in the required form (promptuary.evaluation.scorers.judge.judge)
    ├── IssuerFailed            an issuer of tokens (promptuary.access.token_issuers)
    ├── TooManyRequests         more requests than a limit allows
    ├── DatabaseBusy            the database is locked by other writers
    ├── StorageFull             the disk is full
    └── DestinationFailed       a webhook's receiver (promptuary.core.outbound_http)
"""

from promptuary.prompt.errors import FieldError, Invalid, PromptuaryError

__all__ = [
    "AlreadyExists",
    "BodyTooLarge",
    "BrokenPlugin",
    "Conflict",
    "DatabaseBusy",
    "Erased",
    "FieldError",
    "Forbidden",
    "Invalid",
    "InvalidCursor",
    "InvalidHeader",
    "InvalidHost",
    "InvalidPath",
    "InvalidQuery",
    "InvalidRequest",
    "MalformedBody",
    "NotAuthenticated",
    "NotFound",
    "PreconditionFailed",
    "PromptuaryError",
    "StorageFull",
    "TooManyRequests",
    "Unavailable",
    "UnsupportedMediaType",
]


class InvalidRequest(Invalid):
    """A request's fields are wrong; each has a field error."""

    code = "invalid_request"


class MalformedBody(Invalid):
    """A body cannot be read: it is not JSON, or JSON that two parsers would read differently."""

    code = "malformed_body"


class InvalidPath(Invalid):
    """A path has a segment that no name can be."""

    code = "invalid_path"


class InvalidQuery(Invalid):
    """A query string cannot be read."""

    code = "invalid_query"


class InvalidCursor(Invalid):
    """A list's cursor was not created by this server, or for another order."""

    code = "invalid_cursor"


class InvalidHeader(Invalid):
    """A header has a field twice that must occur once."""

    code = "invalid_header"


class InvalidHost(Invalid):
    """The Host header is missing, or names a host that this server does not answer for."""

    code = "invalid_host"


class BrokenPlugin(PromptuaryError):
    """An installed plug-in does not load, or uses a name that is taken; no process starts with it."""

    code = "broken_plugin"


class NotAuthenticated(PromptuaryError):
    """The request has no key, or one that is unknown, expired or revoked; the message does not distinguish these."""

    code = "not_authenticated"


class Forbidden(PromptuaryError):
    """The key is valid, but its role does not allow this."""

    code = "forbidden"


class NotFound(PromptuaryError):
    """There is no such thing in the key's project, or the key may not know of it."""

    code = "not_found"


class Erased(PromptuaryError):
    """The version exists, but an operator has erased its content; this does not change any more."""

    code = "erased"


class Conflict(PromptuaryError):
    """The thing exists, in a state that does not allow this."""

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

    @classmethod
    def over(cls, limit: int) -> "BodyTooLarge":
        """Return the error for a body over `limit` bytes."""
        return cls(f"the body is over the limit of {limit} bytes; send less at a time")


class UnsupportedMediaType(PromptuaryError):
    """The body is not plain application/json."""

    code = "unsupported_body"


class Unavailable(PromptuaryError):
    """Something required does not answer now; the same call may succeed after `retry_after` seconds."""

    code = "unavailable"

    def __init__(self, message: str, retry_after: int = 1) -> None:
        """Keep the message and the seconds to wait."""
        super().__init__(message)
        self.retry_after = retry_after


class TooManyRequests(Unavailable):
    """A caller sends more requests than a limit allows."""

    code = "too_many_requests"


class DatabaseBusy(Unavailable):
    """Other writers lock the database for longer than the timeout."""

    code = "busy"


class StorageFull(Unavailable):
    """The disk is full; reads still work."""

    code = "storage_full"
