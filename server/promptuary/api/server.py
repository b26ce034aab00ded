"""The app as a server: uvicorn, with a shutdown that does not wait for clients of the event stream."""

import asyncio
import socket
import sys
from contextlib import suppress
from types import FrameType

import uvicorn

from promptuary.api.middleware import RequestMiddleware

STOP_SECONDS = 5
EXIT_INFRASTRUCTURE = 3


class _Server(uvicorn.Server):
    """Ends event streams as soon as the process gets a signal; it would otherwise wait for them until its timeout."""

    def __init__(self, config: uvicorn.Config, app: RequestMiddleware) -> None:
        super().__init__(config)
        self._app = app
        self._loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._app.services.change_feed.close)
        super().handle_exit(sig, frame)


def serve(app: RequestMiddleware, host: str, port: int) -> None:
    """Serve until SIGINT or SIGTERM; requests in flight get a few seconds to finish."""
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=STOP_SECONDS,
    )
    server = _Server(config, app)
    with suppress(KeyboardInterrupt):
        server.run()
    if not server.started:
        sys.exit(EXIT_INFRASTRUCTURE)
