"""The response to a lookup as bytes with their entity tag, for the route and for the fast path in front of it."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from promptuary.core.preconditions import EntityTags, parse_entity_tags
from promptuary.registry.schemas import LookupOut
from promptuary.registry.service import LookupResult

MEDIA_TYPE = "application/json"


@dataclass(frozen=True)
class LookupResponse:
    """The body, and the entity tag with its quotes."""

    body: bytes
    tag: str

    @property
    def headers(self) -> dict[str, str]:
        """The headers of the response; a 304 has them, too."""
        return {"ETag": self.tag, "Cache-Control": "no-cache"}

    def matches(self, if_none_match: str) -> bool:
        """Return whether an `If-None-Match` header matches: it is `*`, or lists this tag, weak or strong."""
        if if_none_match == self.tag:
            return True
        return (parse_entity_tags(if_none_match) or EntityTags()).match_weakly(self.tag)


def is_client_of_0_3(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Return whether a request is one of this project's Python client up to 0.3.0, by its two headers.

    That client computes the digest over all of `variables`, so it cannot verify a response with inferred ones. Later clients
    name themselves.
    """
    named = dict(headers)
    return named.get(b"accept") == b"application/json" and named.get(b"user-agent", b"").startswith(b"python-httpx/")


def build_response(result: LookupResult, *, infers: bool = True) -> LookupResponse:
    """Encode the result of a lookup; see `LookupOut.from_result`."""
    body = LookupOut.from_result(result, infers=infers).model_dump_json().encode()
    return LookupResponse(body, f'"{hashlib.sha256(body).hexdigest()[:32]}"')
