"""Requests to models, and a function that sends several of them."""

import asyncio
from typing import Any

from promptuary.models.calls import ModelClient, ModelReply, ModelRequest

MODEL = "openai:stub"


def model_request(text: str = "one two", **fields: Any) -> ModelRequest:
    """Build a request of one user message to the stub model."""
    return ModelRequest(MODEL, [{"role": "user", "content": text}], **fields)


class RecordedWaits:
    """A pause that records its seconds and does not wait."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        await asyncio.sleep(0)


def ask_all(client: ModelClient, *requests: ModelRequest) -> list[ModelReply]:
    """Send all requests at once, close the client, and return the replies in order."""

    async def ask() -> list[ModelReply]:
        try:
            return list(await asyncio.gather(*map(client.ask, requests)))
        finally:
            await client.close()

    return asyncio.run(ask())
