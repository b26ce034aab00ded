"""What the middleware leaves in the ASGI scope for a route, and the request class that reads the parsed body from there."""

from typing import Any

from starlette.requests import Request

from promptuary.core.wire import parse_strict_json

LOCAL_PROJECT = "promptuary.local"
"""The scope key of the project that a local command line works in; a server's requests do not have it."""
REQUEST_BODY = "promptuary.body"
"""The scope key of the body's bytes, or of what stands for them when a retry is compared with the first request."""
REQUEST_JSON = "promptuary.json"
"""The scope key of the body's parsed value."""


class ParsedRequest(Request):
    """A request whose JSON body the middleware has parsed already, strictly; it is not parsed a second time."""

    async def json(self) -> Any:
        """Return the parsed value; parse the body as strictly where no middleware has run.

        Raises:
            MalformedBody, InvalidRequest: as `parse_strict_json` does.
        """
        if REQUEST_JSON not in self.scope:
            self.scope[REQUEST_JSON] = parse_strict_json(await self.body())
        return self.scope[REQUEST_JSON]
