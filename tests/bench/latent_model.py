"""A model that answers each chat completion after a fixed time, in its own process, as cheaply as asyncio can.

    python -m bench.latent_model SECONDS

Prints its URL; on SIGTERM, the number of its responses, and the seconds from the first request to the last response.
"""

import asyncio
import json
import signal
import sys
import time

_BODY = json.dumps(
    {
        "id": "chatcmpl-0",
        "object": "chat.completion",
        "created": 0,
        "model": "latent",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "my card"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 8, "completion_tokens": 2, "total_tokens": 10},
    }
).encode()
_RESPONSE = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(_BODY) + _BODY


class Latent:
    """A model that counts its responses, and the seconds from the first request to the last response."""

    def __init__(self, latency: float) -> None:
        self.latency = latency
        self.responses = 0
        self.first = self.last = 0.0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection's requests until it closes."""
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                self.first = self.first or time.perf_counter()
                length = next(
                    int(line.partition(b":")[2]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")
                )
                await reader.readexactly(length)
                await asyncio.sleep(self.latency)
                writer.write(_RESPONSE)
                await writer.drain()
                self.responses += 1
                self.last = time.perf_counter()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


async def main() -> None:
    """Serve until SIGTERM."""
    latent = Latent(float(sys.argv[1]))
    server = await asyncio.start_server(latent.serve, "127.0.0.1", 0, backlog=1024)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", flush=True)
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    await ended.wait()
    print(latent.responses, latent.last - latent.first)


if __name__ == "__main__":
    asyncio.run(main())
