"""A lookup's answer as bytes, with the tag of those bytes. The route and the fast path in front of it both answer with this."""

import hashlib
import re
from dataclasses import dataclass

from promptuary.registry.schemas import LookupOut
from promptuary.registry.service import LookupResult

MEDIA_TYPE = "application/json"
_QUOTED = re.compile(r'"[^"]*"')


@dataclass(frozen=True)
class LookupResponse:
    """The body, and the entity tag with its quotes."""

    body: bytes
    tag: str

    @property
    def headers(self) -> dict[str, str]:
        """Give the headers that go with it, also where it has not changed."""
        return {"ETag": self.tag, "Cache-Control": "no-cache"}

    def is_held(self, if_none_match: str) -> bool:
        """Tell whether a request's `If-None-Match` names this answer: `*`, or a list of tags, of which weak ones count too."""
        return if_none_match.strip() == "*" or self.tag in _QUOTED.findall(if_none_match)


def build_response(found: LookupResult) -> LookupResponse:
    """Encode what a lookup found."""
    body = LookupOut.found(found).model_dump_json().encode()
    return LookupResponse(body, f'"{hashlib.sha256(body).hexdigest()[:32]}"')
