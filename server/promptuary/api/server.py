"""The service as a server: uvicorn, which listens before the app is complete.

Its shutdown does not wait for clients of the event stream.
"""

import asyncio
import socket
import sys
from contextlib import suppress
from types import FrameType

import uvicorn
from uvicorn.lifespan.on import LifespanOn

from promptuary.api.lookup.services import open_lookup_services
from promptuary.api.starting_app import StartingApp
from promptuary.core.settings import Settings
from promptuary.http_server.bounded_server import BoundedServer

STOP_SECONDS = 5
EXIT_INFRASTRUCTURE = 3


class _Server(BoundedServer):
    """Completes the app once it listens, and ends event streams as soon as the process gets a signal.

    uvicorn would otherwise wait for the streams until its timeout.
    """

    def __init__(self, app: StartingApp, settings: Settings) -> None:
        super().__init__(
            app,
            settings.host,
            settings.port,
            settings.connection_limits,
            lifespan="off",  # the complete app has one
            ws="none",  # no route is a WebSocket
            proxy_headers=bool(settings.trusted_proxies),
            forwarded_allow_ips=settings.trusted_proxies,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=STOP_SECONDS,
        )
        self.table.refusals = app.services.refused_connections
        self.failure: BaseException | None = None
        self._app = app
        self._loop: asyncio.AbstractEventLoop | None = None
        self._completion: asyncio.Task[LifespanOn | None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        try:
            await super().startup(sockets)
        except SystemExit:  # it cannot listen
            await self._app.close()
            raise
        self._completion = asyncio.create_task(self._complete())

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await super().shutdown(sockets)
        lifespan = await self._completion if self._completion is not None else None
        await (lifespan.shutdown() if lifespan is not None else self._app.close())

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._app.services.change_feed.close)
        super().handle_exit(sig, frame)

    async def _complete(self) -> LifespanOn | None:
        """Build the complete app and start its lifespan; where that fails, end the server and return None."""
        try:
            app = await self._app.complete()
            lifespan = LifespanOn(uvicorn.Config(app, lifespan="on", log_config=None))
            await lifespan.startup()
            if not lifespan.should_exit:
                return lifespan
            self.failure = SystemExit(EXIT_INFRASTRUCTURE)  # uvicorn has logged the reason
        except Exception as error:
            self.failure = error
        self.should_exit = True
        return None


def serve(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM; requests in flight get a few seconds to finish.

    Raises:
        PromptuaryError: for a setting, a database or a plug-in that cannot be used.
    """
    app = StartingApp(open_lookup_services(settings))
    server = _Server(app, settings)
    with suppress(KeyboardInterrupt):
        server.run()
    if server.failure is not None:
        raise server.failure
    if not server.started:
        sys.exit(EXIT_INFRASTRUCTURE)
