"""Connections that a client reuses within an event loop, and closes with it."""

import asyncio

from promptuary.models.connections import EventLoopClient

DEADLINE = 60.0
RESPONSE = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


class SlowServer:
    """An HTTP server on a loopback port that answers when the test lets it.

    Attributes:
        asked: is set when a request has arrived.
        answer: lets the server answer.
        closed: is set when the client has closed a connection.
        connections: how many were opened.
    """

    def __init__(self) -> None:
        self.asked, self.answer, self.closed = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.connections = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while await reader.readline():
                while (await reader.readline()).strip():
                    pass
                self.asked.set()
                await self.answer.wait()
                writer.write(RESPONSE)
            self.closed.set()
        finally:
            writer.close()


def test_a_connection_is_reused_and_closed_on_request() -> None:
    async def work() -> None:
        slow = SlowServer()
        slow.answer.set()
        async with await asyncio.start_server(slow.serve, "127.0.0.1", 0) as server, asyncio.timeout(DEADLINE):
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
            client = EventLoopClient(DEADLINE)
            for _ in range(3):
                assert (await client.get(url)).text == "ok"
            assert slow.connections == 1
            await client.close_connections()
            await slow.closed.wait()

    asyncio.run(work())


def test_a_request_in_flight_closes_its_connection_once_the_loop_is_left() -> None:
    async def work() -> None:
        slow = SlowServer()
        async with await asyncio.start_server(slow.serve, "127.0.0.1", 0) as server, asyncio.timeout(DEADLINE):
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
            client = EventLoopClient(DEADLINE)
            request = asyncio.create_task(client.get(url))
            await slow.asked.wait()
            await client.close_connections()
            slow.answer.set()
            assert (await request).text == "ok"
            await slow.closed.wait()

    asyncio.run(work())
