"""Chat models for tests: a stand-in that speaks OpenAI's protocol on loopback."""

from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture
def stub_model(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A `StubModelServer` that listens; every `openai:` name reaches it, in this process and in those that it starts."""
    from doubles.stub_model import StubModelServer

    stub = StubModelServer()
    with stub.listening() as url:
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        monkeypatch.setenv("OPENAI_API_KEY", "stub")
        yield stub
