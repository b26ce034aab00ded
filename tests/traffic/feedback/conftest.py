"""A prompt with two versions, and the senders of feedback."""

from collections.abc import Callable
from typing import Any

import pytest

from factories.feedback import feedback_counts


@pytest.fixture
def prompt(api: Any, bearer: Any) -> str:
    """A prompt, the first of the project, with two versions."""
    headers = bearer("editor")
    for text in ("Hi", "Hello"):
        content = {"type": "text", "format": "mustache", "template": text}
        assert api.post("/v1/prompts/greeting/versions", json=content, headers=headers).status_code == 201
    return "greeting"


@pytest.fixture
def send(api: Any, bearer: Any, prompt: str) -> Callable[..., Any]:
    """Send feedback on version 1 as an application: `send(value=0, id="a")`; return the response."""
    headers = bearer("service")

    def post(**fields: Any) -> Any:
        body = {"prompt": prompt, "version": 1, "value": 1, **fields}
        return api.post(
            "/v1/feedback", json={name: value for name, value in body.items() if value is not None}, headers=headers
        )

    return post


@pytest.fixture
def counts(opened_database: Any) -> Callable[[], Any]:
    """What is counted of feedback, by version, model and hour."""
    return lambda: feedback_counts(opened_database)
