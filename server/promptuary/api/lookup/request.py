"""Reads a lookup off the ASGI scope, if it is one of the plain ones; every other request is left to FastAPI, faults and all."""

import re
from typing import NamedTuple
from urllib.parse import parse_qsl

from promptuary.access.auth.authentication import LOCAL_PROJECT
from promptuary.api.asgi import HostAllowList, Scope
from promptuary.registry.labels import DEFAULT_LABEL

PREFIX = "/v1/prompts/"
_LIMITS = {"label": 200, "version": 9, "targeting_key": 1000}  # of characters; no higher than the route's own
_VERSION = re.compile(r"[1-9][0-9]*", re.ASCII)


class LookupRequest(NamedTuple):
    """What a lookup asks for, on whose behalf, and what the asker has already. `wanted` is a label or a version's number."""

    name: str
    authorization: bytes
    wanted: str | int = DEFAULT_LABEL
    targeting_key: str | None = None
    if_none_match: bytes | None = None

    @property
    def label(self) -> str | None:
        """The label, where one is wanted."""
        return self.wanted if isinstance(self.wanted, str) else None

    @property
    def version(self) -> int | None:
        """The version's number, where one is wanted."""
        return self.wanted if isinstance(self.wanted, int) else None


def parse_lookup_request(scope: Scope, hosts: HostAllowList) -> LookupRequest | None:
    """Read the question; None for a request that is no lookup, or that is in any way unusual."""
    path: str = scope["path"]
    if not path.startswith(PREFIX) or scope["method"] != "GET" or LOCAL_PROJECT in scope:
        return None
    name = path[len(PREFIX) :]
    if "/" in name or b"%" in (scope.get("raw_path") or b""):
        return None
    host = authorization = condition = None
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
            if condition is not None:
                return None
            condition = value
    if authorization is None or host is None or not hosts.take(host):
        return None
    query = scope.get("query_string")
    if not query:
        return LookupRequest(name, authorization, if_none_match=condition)
    return _with_query(name, authorization, condition, query)


def _with_query(name: str, authorization: bytes, condition: bytes | None, query: bytes) -> LookupRequest | None:
    """Take the query in as Starlette does, if it says each thing once, in a form that FastAPI would take as well."""
    if not query.isascii() or b"%00" in query or b"pmt_" in query:
        return None
    pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
    given = dict(pairs)
    if len(given) != len(pairs) or not all(0 < len(text) <= _LIMITS.get(name, 0) for name, text in pairs):
        return None
    wanted: str | int = given.get("label", DEFAULT_LABEL)
    if "version" in given:
        if "label" in given or not _VERSION.fullmatch(given["version"]):
            return None
        wanted = int(given["version"])
    return LookupRequest(name, authorization, wanted, given.get("targeting_key"), condition)
