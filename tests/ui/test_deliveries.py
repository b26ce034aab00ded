"""The deliveries page, in front of responses of the API."""

from collections.abc import Callable
from typing import Any

import pytest

from factories.runs import Requests, click_button, page_of

MESSAGE = {
    "id": 7,
    "topic": "chroma",
    "payload": {"collection": 1, "chunks": ["a"]},
    "attempts": 6,
    "error": "IndexRefused: a *bad* entry",
    "created_at": "2026-03-02T12:00:00Z",
    "parked_at": "2026-03-02T12:01:00Z",
}


@pytest.fixture
def responses() -> dict[str, Any]:
    """The API's responses by path."""
    return {"/v1/outbox/parked": page_of([MESSAGE]), "/v1/outbox/parked/7/retry": MESSAGE, "/v1/outbox/parked/7": {}}


def test_a_parked_message_is_shown_and_can_be_retried_or_dropped(
    open_page: Any, page_text: Callable[[Any], str], requests: Requests
) -> None:
    page = open_page("deliveries", scopes=("project:manage",))
    for text in ("**7** to chroma", "parked 2026-03-02 12:01 UTC after 6 tries", "a \\*bad\\* entry"):
        assert text in page_text(page)
    click_button(page, "Retry")
    click_button(page, "Drop")
    sent = [(request.method, request.url.path) for request in requests if request.method != "GET"]
    assert sent == [("POST", "/v1/outbox/parked/7/retry"), ("DELETE", "/v1/outbox/parked/7")]


def test_without_parked_messages_the_page_says_so(open_page: Any, page_text: Any, responses: dict[str, Any]) -> None:
    responses["/v1/outbox/parked"] = page_of([])
    assert "Every message was delivered" in page_text(open_page("deliveries", scopes=("project:manage",)))
