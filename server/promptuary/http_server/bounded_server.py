"""A uvicorn server whose connections have limits, and which accepts them itself."""

import asyncio
import logging
import socket
import sys
from typing import Any

import uvicorn
from uvicorn.config import STARTUP_FAILURE

from promptuary.http_server.acceptor import Acceptor
from promptuary.http_server.connection_table import ConnectionTable
from promptuary.http_server.limits import ConnectionLimits, raise_descriptor_limit
from promptuary.http_server.protocol import BoundedProtocol, bounded_protocol

log = logging.getLogger(__name__)


def protocol_within_descriptors(limits: ConnectionLimits) -> type[BoundedProtocol]:
    """Return the protocol of a server of this process, with no more connections than it may have file descriptors for."""
    raise_descriptor_limit()
    possible = limits.within_descriptors()
    if possible.connections < limits.connections:
        log.warning(
            "there are too few file descriptors for %d connections, so %d are accepted; raise the limit (ulimit -n)",
            limits.connections,
            possible.connections,
        )
    return bounded_protocol(possible)


class BoundedServer(uvicorn.Server):
    """Serves one address; uvicorn parses, answers and stops, and this class accepts."""

    def __init__(self, app: Any, host: str, port: int, limits: ConnectionLimits, **options: Any) -> None:
        """Configure the server.

        Args:
            app: the ASGI app.
            host: the address to listen on.
            port: the port to listen on.
            limits: of its connections.
            options: further ones of `uvicorn.Config`.
        """
        protocol = protocol_within_descriptors(limits)
        super().__init__(uvicorn.Config(app, host=host, port=port, http=protocol, **options))
        self.table: ConnectionTable = protocol.table

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start as uvicorn does, but accept from a socket of our own; exit where the address cannot be listened on."""
        config = self.config
        family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
        try:
            listener = socket.create_server((config.host, config.port), family=family, backlog=config.backlog)
        except OSError as error:
            log.error("cannot listen on %s:%d: %s", config.host, config.port, error)
            sys.exit(STARTUP_FAILURE)
        await super().startup(sockets=[])
        loop = asyncio.get_running_loop()

        def create_protocol() -> asyncio.Protocol:
            return config.http_protocol_class(  # type: ignore[call-arg]  # uvicorn's protocols take these
                config=config, server_state=self.server_state, app_state=self.lifespan.state, _loop=loop
            )

        self.servers: list[Any] = [Acceptor(listener, self.table, create_protocol, loop)]
        log.info("listening on http://%s:%d", config.host, listener.getsockname()[1])
