"""How LangChain and OpenAI's package send the requests of one model, learned from a request that they build."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from promptuary.models.direct.sessions import ChatEndpoint

PROBE = (
    {"role": "system", "content": "s"},
    {"role": "user", "content": "u"},
    {"role": "assistant", "content": "a"},
    {"role": "user", "content": "v"},
)
"""Messages with every plain role, for the request that is built and not sent."""
_OWN_HEADERS = frozenset({"host", "content-length", "connection", "accept-encoding"})
_ENCODINGS = "gzip, deflate"
_PATH = "/chat/completions"


class RequestBuilt(Exception):
    """OpenAI's package has built a request, which is not sent. It is no error of a kind that the package handles.

    Attributes:
        request: with all that would be sent.
    """

    def __init__(self, request: httpx.Request) -> None:
        """Store the request."""
        super().__init__()
        self.request = request


def stop_at_request(request: httpx.Request) -> httpx.Response:
    """Raise what has the request."""
    raise RequestBuilt(request)


@dataclass(frozen=True)
class Route:
    """Where and how requests are sent.

    Attributes:
        endpoint: their address and headers.
        before: the JSON before the messages.
        after: the JSON after the messages.
        roles: what each plain role is called in a request, as `system` is called `developer` for some models; None if plain
            messages are sent in another form than theirs.
        parsed: whether OpenAI's package parses the responses, as it does where a response format is requested.
        convert: returns LangChain's messages in the form in which they are sent.
    """

    endpoint: ChatEndpoint
    before: bytes
    after: bytes
    roles: Mapping[str, str] | None
    parsed: bool
    convert: Callable[[Sequence[Any]], Sequence[Any]]

    def body(self, messages: Sequence[Any]) -> bytes:
        """Return the body of a request.

        Raises:
            TypeError, ValueError: for messages that cannot be sent as JSON.
        """
        sent: Sequence[Any]
        if self.roles is not None and all(type(message) is dict for message in messages):
            sent = [{"content": message["content"], "role": self.roles[message["role"]]} for message in messages]
        else:
            sent = self.convert(messages)
        return b"".join((self.before, _json(sent), self.after))


def learned_route(request: httpx.Request, convert: Callable[[Sequence[Any]], Sequence[Any]]) -> Route | None:
    """Return the route of a request for `PROBE`; None for one that is no plain chat completion.

    Args:
        request: as OpenAI's package built it.
        convert: returns LangChain's messages in the form in which they are sent.
    """
    body = json.loads(request.content)
    if not request.url.path.endswith(_PATH) or body.get("stream") or body.get("messages") != convert(PROBE):
        return None
    headers = {name: value for name, value in request.headers.items() if name.lower() not in _OWN_HEADERS}
    read_timeout = (request.extensions.get("timeout") or {}).get("read")
    names = list(body)
    place = names.index("messages")
    before = _json({name: body[name] for name in names[:place]})[:-1]
    after = _json({name: body[name] for name in names[place + 1 :]})[1:]
    return Route(
        ChatEndpoint(str(request.url), {**headers, "accept-encoding": _ENCODINGS}, read_timeout),
        before + (b"," if place else b"") + b'"messages":',
        (b"," if place + 1 < len(names) else b"") + after,
        _roles(body["messages"]),
        "response_format" in body,
        convert,
    )


def _roles(sent: Sequence[Mapping[str, Any]]) -> Mapping[str, str] | None:
    """Return the roles of `PROBE` as they are sent, if nothing but them differs."""
    roles = {message["role"]: str(copy.get("role")) for message, copy in zip(PROBE, sent, strict=True)}
    same = [list({"content": message["content"], "role": roles[message["role"]]}.items()) for message in PROBE]
    return roles if same == [list(copy.items()) for copy in sent] else None


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


def _json(value: Any) -> bytes:
    """Return JSON as OpenAI's package writes it."""
    return _encode(value).encode()
