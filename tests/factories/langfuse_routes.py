"""Langfuse's routes: where they are, and the shape of their errors."""

from typing import Any

PROMPTS = "/api/public/v2/prompts"
NAMES = {400: "InvalidRequestError", 404: "LangfuseNotFoundError", 405: "MethodNotAllowedError"}


def check(response: Any, status: int, message: str, name: str | None = None) -> None:
    """Check that an answer is an error in Langfuse's shape."""
    assert (response.status_code, response.headers["content-type"]) == (status, "application/json"), response.text
    body = response.json()
    assert set(body) == {"message", "error"}
    assert body["error"] == (name or NAMES[status])
    assert message in body["message"]
    assert len(response.headers["x-request-id"]) == 32
