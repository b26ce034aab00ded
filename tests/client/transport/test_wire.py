from datetime import UTC, datetime

import pytest

from promptuary.client import InvalidSettings, PromptNotFound, Reason
from promptuary.client.transport.wire import (
    Endpoint,
    FetchFailure,
    HttpResponse,
    NotModified,
    ServerRefusal,
    StreamEnd,
    check_stream_response,
    parse_retry_after,
    read_lookup_response,
)
from promptuary.client.versions.selector import Selector, build_selector

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
TRIAGE = Selector("support.triage", "production", None, None)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("7", 7.0),
        (" 0 ", 0.0),
        ("Sun, 01 Mar 2026 12:00:30 GMT", 30.0),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0.0),
        ("soon", None),
        ("-5", None),
        ("1" * 40, None),
        ("", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, seconds: float | None) -> None:
    assert parse_retry_after(header, NOW) == seconds


@pytest.mark.parametrize(
    "url", ["ftp://x", "prompts.example.org", "http://", "http://u:p@x", "http://x:99999", "http://x?key=y", "http://[x"]
)
def test_a_url_that_is_none_is_refused_at_once(url: str) -> None:
    with pytest.raises(InvalidSettings) as caught:
        Endpoint.of(url, None)
    assert ":p@" not in str(caught.value)


@pytest.mark.parametrize("url", ["https://x/v1", "https://x/v1/"])
def test_a_url_that_ends_in_the_prefix_of_the_routes_is_refused(url: str) -> None:
    with pytest.raises(InvalidSettings, match=r"ends in /v1, which is added to it; set it to https://x$"):
        Endpoint.of(url, None)


@pytest.mark.parametrize("targeting_key", ["", None])
def test_an_empty_targeting_key_is_none(targeting_key: str | None) -> None:
    selector = build_selector("support.triage", None, None, targeting_key)
    assert Endpoint.of(None, None).lookup(selector)[1] == {"label": "production"}


@pytest.mark.parametrize("key", ["pmt_a b", "pmt_ä", "pmt_x\r\nX: y"])
def test_a_key_that_no_header_can_carry_is_refused_and_not_repeated(key: str) -> None:
    with pytest.raises(InvalidSettings) as caught:
        Endpoint.of(None, key)
    assert key not in str(caught.value)


def test_the_default_is_the_local_server_and_no_header_without_a_key() -> None:
    endpoint = Endpoint.of(None, None)
    assert endpoint.lookup(TRIAGE) == ("http://127.0.0.1:8400/v1/prompts/support.triage", {"label": "production"})
    assert "Authorization" not in endpoint.headers()


def test_the_key_is_in_no_repr_and_marks_servers_apart() -> None:
    endpoint, other = Endpoint.of("http://x/", "pmt_secret"), Endpoint.of("http://x", "pmt_other")
    assert "pmt_secret" not in repr(endpoint) + endpoint.mark
    assert endpoint.mark != other.mark
    assert endpoint.mark == Endpoint.of("http://x", "pmt_secret\n").mark


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (500, b"{}", Reason.SERVER_ERROR),
        (204, b"", Reason.SERVER_ERROR),
        (301, b"", Reason.SERVER_ERROR),
        (404, b"<h1>nginx</h1>", Reason.SERVER_ERROR),
        (401, b'{"error": "proxy"}', Reason.SERVER_ERROR),
        (200, b"\x00", Reason.UNUSABLE),
        (200, b"[" * 100_000, Reason.UNUSABLE),
    ],
)
def test_what_no_promptuary_server_says_is_a_failure(status: int, body: bytes, reason: Reason) -> None:
    outcome = read_lookup_response(HttpResponse(status, {}, body), TRIAGE)
    assert isinstance(outcome, FetchFailure)
    assert outcome.reason == reason


def test_a_problem_with_a_code_is_the_servers_own_word() -> None:
    outcome = read_lookup_response(HttpResponse(404, {}, b'{"code": "not_found"}'), TRIAGE)
    assert isinstance(outcome, ServerRefusal)
    assert isinstance(outcome.error, PromptNotFound)
    assert isinstance(read_lookup_response(HttpResponse(304, {}, b""), TRIAGE), NotModified)


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_server_says_for_how_long(status: int) -> None:
    outcome = read_lookup_response(HttpResponse(status, {"retry-after": "3"}, b""), TRIAGE)
    assert outcome == FetchFailure(Reason.BUSY, f"the server answered {status}", 3.0)


EVENTS = {"content-type": "text/event-stream; charset=utf-8"}


@pytest.mark.parametrize(
    ("status", "headers", "ended"),
    [
        (200, EVENTS, None),
        (200, {"content-type": "Text/Event-Stream"}, None),
        (200, {"content-type": "application/json"}, StreamEnd("the server answered with another content type", refused=True)),
        (200, {}, StreamEnd("the server answered with another content type", refused=True)),
        (204, EVENTS, StreamEnd("the server answered 204", refused=True)),
        (307, EVENTS, StreamEnd("the server answered 307", refused=True)),
        (404, EVENTS, StreamEnd("the server answered 404", refused=True)),
        (502, EVENTS, StreamEnd("the server answered 502")),
        (503, {"retry-after": "30"}, StreamEnd("the server answered 503", retry_after=30.0)),
        (429, {}, StreamEnd("the server answered 429")),
    ],
)
def test_what_is_no_stream_says_whether_to_come_back_soon(
    status: int, headers: dict[str, str], ended: StreamEnd | None
) -> None:
    assert check_stream_response(status, headers, NOW) == ended


def test_a_stream_is_asked_for_as_one_and_says_what_was_heard_last() -> None:
    endpoint = Endpoint.of("https://prompts.example.org/base/", "pmt_x")
    url, headers = endpoint.stream(None)
    assert url == "https://prompts.example.org/base/v1/stream"
    assert (headers["Accept"], headers["Authorization"]) == ("text/event-stream", "Bearer pmt_x")
    assert endpoint.stream(0)[1] == {**headers, "Last-Event-ID": "0"}
