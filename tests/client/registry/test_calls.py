"""Writing, listing and searching with both clients, against the service itself."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from client.loopback_server import KEY, AsyncHarness, Client, SyncHarness
from promptuary.client import (
    Conflict,
    KeyRefused,
    PreconditionFailed,
    PromptNotFound,
    PromptUnavailable,
    RegisteredVersion,
    RequestRefused,
)
from promptuary.client.registry.calls import CALL_DEADLINE
from promptuary.prompt.errors import Invalid

NAME = "support.triage"
CHAT = [{"role": "system", "content": "Sort into {{intents}}"}, {"role": "user", "content": "{{ticket}}"}]
Kind = type[SyncHarness] | type[AsyncHarness]


@pytest.fixture(params=[SyncHarness, AsyncHarness])
def connect(request: pytest.FixtureRequest) -> Iterator[Callable[..., Client]]:
    """Make clients of both kinds over a transport."""
    clients: list[Client] = []

    def make(respond: Callable[[httpx.Request], httpx.Response], key: str = KEY) -> Client:
        kind: Kind = request.param
        transport = httpx.MockTransport(respond)
        clients.append(kind(url="http://127.0.0.1", api_key=key, disk=False, deadline=60, follow=False, transport=transport))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def as_role(api: Any, key: Callable[..., str], connect: Callable[..., Client]) -> Callable[..., Client]:
    """Make clients of the app in this process, with a key of a role."""

    def respond(request: httpx.Request) -> httpx.Response:
        path, headers = request.url.raw_path.decode(), dict(request.headers)
        response = api.request(request.method, path, headers=headers, content=request.content)
        return httpx.Response(response.status_code, headers=dict(response.headers), content=response.content)

    return lambda role: connect(respond, key(role))


def test_a_registered_version_is_what_a_lookup_returns(as_role: Callable[..., Client]) -> None:
    author = as_role("operator")
    config = {"z": 1, "a": [None, {}], "temperature": 0.5}
    registered = author.call(
        "register",
        NAME,
        CHAT,
        variables={"ticket": {"type": "string", "maxLength": 10}},
        config=config,
        tags=["support"],
        labels=["production"],
        message="the first",
        deadline=60,
    )
    assert isinstance(registered, RegisteredVersion)
    assert (registered.version, registered.created, registered.labels, registered.tags) == (
        *(1, True),
        ("production",),
        ("support",),
    )
    prompt = author.get(NAME, max_age=0)
    assert (prompt.version, prompt.digest, prompt.template, prompt.tags) == (1, registered.digest, CHAT, ("support",))
    assert (prompt.config, list(prompt.config)) == (config, ["z", "a", "temperature"])
    assert (prompt.variables["ticket"].maxLength, sorted(prompt.variables)) == (10, ["intents", "ticket"])
    again = author.call("register", NAME, CHAT, variables=prompt.content.variables, config=config, deadline=60)
    assert (again.created, again.version, again.digest) == (False, 1, registered.digest)


def test_a_label_moves_splits_and_is_removed(as_role: Callable[..., Client]) -> None:
    client = as_role("operator")
    for number in (1, 2):
        client.call("register", NAME, f"{number} {{{{ticket}}}}", deadline=60)
    moved = client.call("set_label", NAME, "production", 1, reason="it is good", deadline=60)
    assert (moved.prompt, moved.label, moved.version, moved.split) == (NAME, "production", 1, None)
    assert client.get(NAME).version == 1
    split = client.call("set_label", NAME, "production", {1: 90, 2: 10}, if_revision=moved.revision, deadline=60)
    assert (split.version, split.split) == (1, {1: 90.0, 2: 10.0})
    assert client.get(NAME).variant is None  # memory is not changed by a write
    assert client.get(NAME, max_age=0).variant == "v1"
    with pytest.raises(PreconditionFailed):
        client.call("set_label", NAME, "production", 2, if_revision=moved.revision, deadline=60)
    assert client.call("remove_label", NAME, "production", reason="no longer", deadline=60) is None
    with pytest.raises(PromptNotFound):
        client.get(NAME, max_age=0)


def test_prompts_are_listed_over_all_pages_and_by_their_conditions(as_role: Callable[..., Client]) -> None:
    client = as_role("operator")
    for name in ("support.a", "support.b", "sales.c"):
        client.call("register", name, name, tags=["mine"] if name == "sales.c" else [], labels=["production"], deadline=60)
    everything = client.call("list", deadline=60)
    assert [prompt.name for prompt in everything] == ["sales.c", "support.a", "support.b"]
    assert (everything[0].newest, everything[0].labels, everything[0].tags) == (1, {"production": 1}, ("mine",))
    assert everything[0].archived_at is None
    assert [prompt.name for prompt in client.call("list", tag="mine", deadline=60)] == ["sales.c"]
    assert [prompt.name for prompt in client.call("list", search="support", limit=1, deadline=60)] == ["support.a"]
    assert client.call("list", label="nobody", deadline=60) == ()
    assert client.call("list", archived=True, deadline=60) == ()


def test_what_the_service_refuses_has_its_own_error(as_role: Callable[..., Client]) -> None:
    reader = as_role("reader")
    with pytest.raises(KeyRefused):
        reader.call("register", NAME, "x", deadline=60)
    author = as_role("operator")
    with pytest.raises(PromptNotFound):
        author.call("set_label", NAME, "production", 1, deadline=60)
    with pytest.raises((RequestRefused, Invalid)) as caught:
        author.call("register", NAME, "{{open", deadline=60)
    assert caught.value.field_errors


# --- over a transport of the test ---------------------------------------------------------------------------------------

REGISTERED = {"name": NAME, "version": 1, "digest": "sha256:0", "labels": [], "tags": [], "warnings": [{"detail": "a twin"}]}


def test_a_write_has_a_key_and_is_sent_once_more_where_the_connection_is_lost(connect: Callable[..., Client]) -> None:
    keys: list[str] = []

    def respond(request: httpx.Request) -> httpx.Response:
        keys.append(request.headers["Idempotency-Key"])
        if len(keys) % 2:
            raise httpx.RemoteProtocolError("the connection was closed")
        return httpx.Response(201, json=REGISTERED)

    client = connect(respond)
    registered = client.call("register", NAME, "x")
    assert (registered.created, registered.warnings) == (True, ("a twin",))
    client.call("register", NAME, "x", idempotency_key="deploy-42")
    assert keys[0] == keys[1] != keys[2]
    assert keys[2:] == ["deploy-42"] * 2


def test_a_search_returns_its_matches(connect: Callable[..., Client]) -> None:
    match = {"name": NAME, "version": 3, "score": 0.5, "labels": ["production"], "snippet": "Sort"}
    urls: list[httpx.URL] = []

    def respond(request: httpx.Request) -> httpx.Response:
        urls.append(request.url)
        return httpx.Response(200, json={"items": [match], "behind": 0})

    (result,) = connect(respond).call("search", "sort & file", limit=3)
    assert (result.name, result.version, result.score, result.labels, result.snippet) == (NAME, 3, 0.5, ("production",), "Sort")
    assert dict(urls[0].params) == {"q": "sort & file", "limit": "3"}


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (httpx.Response(200, json={"name": NAME}), "cannot be used"),
        (httpx.Response(200, content=b"<html>"), "cannot be used"),
        (httpx.Response(500), "answered 500"),
        (httpx.Response(404, content=b"nginx"), "not Promptuary"),
    ],
)
def test_an_answer_that_is_none_is_reported(answer: httpx.Response, message: str, connect: Callable[..., Client]) -> None:
    with pytest.raises(PromptUnavailable, match=message):
        connect(lambda _: httpx.Response(answer.status_code, content=answer.content)).call("register", NAME, "x")


def test_a_conflict_is_an_error_of_its_own(connect: Callable[..., Client]) -> None:
    problem = {"type": "urn:promptuary:problem:conflict", "code": "conflict", "detail": "it is archived"}
    with pytest.raises(Conflict, match="it is archived"):
        connect(lambda _: httpx.Response(409, json=problem)).call("register", NAME, "x")


@pytest.mark.parametrize(
    ("method", "arguments", "options"),
    [
        ("register", ("Not A Name", "x"), {}),
        ("register", (NAME, "x"), {"config": {"a": {1, 2}}}),
        ("register", (NAME, "x"), {"config": float("nan")}),
        ("register", (NAME, "x"), {"idempotency_key": "a b"}),
        ("register", (NAME, "x"), {"idempotency_key": ""}),
        ("set_label", (NAME, "Not A Label", 1), {}),
        ("set_label", (NAME, "production", 0), {}),
        ("remove_label", (NAME, "../x"), {}),
        ("list", (), {"limit": 0}),
    ],
)
def test_a_call_with_invalid_arguments_is_not_sent(
    method: str, arguments: tuple[Any, ...], options: dict[str, Any], connect: Callable[..., Client]
) -> None:
    sent: list[httpx.Request] = []
    client = connect(lambda request: sent.append(request) or httpx.Response(500))
    with pytest.raises(Invalid):
        client.call(method, *arguments, **options)
    assert sent == []


def test_a_closed_client_makes_no_call(connect: Callable[..., Client]) -> None:
    client = connect(lambda _: httpx.Response(500))
    client.shut()
    with pytest.raises(PromptUnavailable, match="closed"):
        client.call("list")
    assert CALL_DEADLINE > 0
