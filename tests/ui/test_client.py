"""The REST client: where the key goes, how lists are read whole, and how every failure becomes one message."""

from collections.abc import Callable

import httpx
import pytest

from promptuary_ui.client import Api, ApiError, connect

Handler = Callable[[httpx.Request], httpx.Response]


def api(handler: Handler, key: str = "pmt_mine") -> Api:
    return Api(httpx.Client(base_url="http://api.test", transport=httpx.MockTransport(handler)), key)


def refusing(status: int, **problem: object) -> Handler:
    return lambda _request: httpx.Response(status, json=problem)


def test_the_key_goes_in_the_header_of_each_call_and_is_not_in_the_representation() -> None:
    seen = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers["Authorization"])
        return httpx.Response(200, json={"project": "p", "actor": "key:ann", "role": "reviewer", "scopes": []})

    mine = api(handler)
    assert mine.whoami().name == "ann"
    assert seen == ["Bearer pmt_mine"]
    assert "pmt_mine" not in repr(mine)
    assert "authorization" not in mine.http.headers


def test_a_list_is_read_to_its_last_page() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        second = request.url.params.get("cursor") == "next"
        name = "b" if second else "a"
        prompt = {"name": name, "newest": 1, "labels": {}}
        return httpx.Response(200, json={"items": [prompt], "next_cursor": None if second else "next"})

    assert [prompt.name for prompt in api(handler).prompts()] == ["a", "b"]


def test_a_name_cannot_leave_its_place_in_the_path() -> None:
    seen = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request.url.raw_path)
        return httpx.Response(200, json={"items": [], "next_cursor": None})

    api(handler).versions("../runs?x=1#")
    assert seen[0].startswith(b"/v1/prompts/..%2Fruns%3Fx%3D1%23/versions?")


def test_a_problem_becomes_the_servers_message_with_its_field_errors() -> None:
    with pytest.raises(ApiError) as caught:
        api(refusing(422, detail="not valid", errors=[{"path": "slots", "message": "is too small"}])).whoami()
    assert (caught.value.status, caught.value.message) == (422, "not valid; slots is too small")


def test_a_response_without_a_problem_is_reported_by_its_status() -> None:
    for body in (b"<html>", b"[]", b'{"detail": "x", "errors": 1}'):
        with pytest.raises(ApiError, match="status 502"):
            api(lambda _request, body=body: httpx.Response(502, content=body)).whoami()


def test_an_unreachable_server_is_reported_with_its_address() -> None:
    def handler(_request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    with pytest.raises(ApiError, match=r"api\.test does not respond") as caught:
        api(handler).whoami()
    assert caught.value.status == 0


def test_a_response_of_another_release_is_reported() -> None:
    with pytest.raises(ApiError, match="not of this release"):
        api(lambda _request: httpx.Response(200, json={"unknown": 1})).whoami()


@pytest.mark.parametrize(("status", "unauthenticated"), [(401, True), (403, False), (404, False)])
def test_an_error_has_its_meaning_for_the_page(status: int, unauthenticated: bool) -> None:
    assert ApiError(status, "no").unauthenticated is unauthenticated


def test_a_redirect_is_not_followed_for_the_key_would_go_with_it() -> None:
    with connect("http://api.test") as client:
        assert client.follow_redirects is False
    with pytest.raises(ApiError, match="status 302"):
        api(lambda _request: httpx.Response(302, headers={"Location": "http://other.test"})).whoami()


def test_two_versions_are_compared_by_their_numbers() -> None:
    seen = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request.url.raw_path)
        return httpx.Response(200, json={"name": "a", "breaking": False, "reasons": [], "changes": []})

    assert api(handler).diff("a/b", 1, 2).changes == []
    assert seen == [b"/v1/prompts/a%2Fb/diff?from=1&to=2"]
