"""What the middleware leaves in the ASGI scope for a route, and the request class that reads the parsed body from there."""

from typing import Any

from starlette.requests import Request

LOCAL_PROJECT = "promptuary.local"
"""The scope key of the project that a local command line works in; a server's requests do not have it."""
REQUEST_BODY = "promptuary.body"
"""The scope key of the body's bytes, or of what stands for them when a retry is compared with the first request."""
REQUEST_JSON = "promptuary.json"
"""The scope key of the body's parsed value."""
VALIDATED_BODY = "promptuary.validated"
"""The scope key of a large body that was validated already."""
AUTHORIZATION_ATTRIBUTE = "authorization"
"""The attribute of a dependency with what it demands of the caller; the route's class asks it before it reads the body."""
CALLER = "promptuary.caller"
"""The scope key of the request's caller, once the key is checked."""


class ParsedRequest(Request):
    """A request whose body was read and parsed already, strictly, after its key was checked."""

    def keep_body(self, body: bytes) -> None:
        """Store the body that was read."""
        self._body = body

    async def json(self) -> Any:
        """Return the parsed body, or what stands for it because it was validated, too."""
        validated = self.scope.get(VALIDATED_BODY)
        return self.scope[REQUEST_JSON] if validated is None else validated
