from collections.abc import Iterator

import pytest

from doubles.stub_model import StubModelServer
from promptuary.core.settings import Settings
from promptuary.models.chat_models import ChatModels


@pytest.fixture
def models(stub_model: StubModelServer) -> Iterator[ChatModels]:
    """The chat models of a process; every `openai:` name reaches the stub server."""
    with ChatModels(Settings(case_timeout=30)) as models:
        yield models
