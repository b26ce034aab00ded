"""Parses a lookup from the ASGI scope, if it is a plain one; every other request goes to FastAPI, with its errors too."""

from typing import NamedTuple
from urllib.parse import parse_qsl

from promptuary.access.auth.request import LOCAL_PROJECT
from promptuary.api.asgi import HostAllowList, Scope
from promptuary.prompt.name import DEFAULT_LABEL
from promptuary.prompt.numbers import parse_version_number
from promptuary.prompt.text import CREDENTIAL
from promptuary.registry.lookup_response import is_client_of_0_3

PREFIX = "/v1/prompts/"
_LIMITS = {"label": 200, "version": 9, "targeting_key": 1000}  # in characters; no higher than the route's own


class LookupRequest(NamedTuple):
    """Which version of a prompt is wanted, by whom, and which response the client has. `selector` is a label or a number."""

    name: str
    authorization: bytes
    selector: str | int = DEFAULT_LABEL
    targeting_key: str | None = None
    if_none_match: bytes | None = None

    @property
    def label(self) -> str | None:
        """The label, where the version is selected by one."""
        return self.selector if isinstance(self.selector, str) else None

    @property
    def version(self) -> int | None:
        """The version's number, where it is selected by that."""
        return self.selector if isinstance(self.selector, int) else None


def parse_lookup_request(scope: Scope, hosts: HostAllowList) -> LookupRequest | None:
    """Return the lookup; None for a request that is no lookup, or that is unusual in any way."""
    path: str = scope["path"]
    if not path.startswith(PREFIX) or scope["method"] != "GET" or LOCAL_PROJECT in scope:
        return None
    name = path[len(PREFIX) :]
    if "/" in name or b"%" in (scope.get("raw_path") or b""):
        return None
    host = authorization = if_none_match = None
    for header, value in scope["headers"]:
        if header == b"authorization":
            if authorization is not None:
                return None
            authorization = value
        elif header == b"host":
            if host is not None:
                return None
            host = value
        elif header == b"if-none-match":
            if if_none_match is not None:
                return None
            if_none_match = value
        elif header == b"if-match":
            return None
        elif header == b"accept" and value == b"application/json" and is_client_of_0_3(scope["headers"]):
            return None  # it receives another form, which is not cached
    if authorization is None or host is None or not hosts.allows(host):
        return None
    query = scope.get("query_string")
    if not query:
        return LookupRequest(name, authorization, if_none_match=if_none_match)
    return _parse_query(name, authorization, if_none_match, query)


def _parse_query(name: str, authorization: bytes, if_none_match: bytes | None, query: bytes) -> LookupRequest | None:
    """Parse the query as Starlette does; None unless it names each field once, in a form that FastAPI accepts too."""
    if not query.isascii() or b"%00" in query or CREDENTIAL.search(query.decode()):
        return None
    pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
    fields = dict(pairs)
    if len(fields) != len(pairs) or not all(0 < len(text) <= _LIMITS.get(field, 0) for field, text in pairs):
        return None
    selector: str | int = fields.get("label", DEFAULT_LABEL)
    if "version" in fields:
        number = parse_version_number(fields["version"])
        if "label" in fields or number is None:
            return None
        selector = number
    return LookupRequest(name, authorization, selector, fields.get("targeting_key"), if_none_match)
