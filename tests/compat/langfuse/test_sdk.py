"""Langfuse's own SDK against the service: an existing program needs a new base URL, a key, and nothing else."""

import uuid
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from compat.sdk_service import Service
from promptuary.core.errors import DatabaseBusy

pytestmark = pytest.mark.process

Connect = Callable[..., Any]


@pytest.fixture
def connect(service: Service, key: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Connect]:
    """Make clients by a key's role, or with a secret as it is; the SDK keeps one client for each public key."""
    from langfuse import Langfuse

    for name in ("LANGFUSE_HOST", "LANGFUSE_BASE_URL", "LANGFUSE_PUBLIC_KEY", "LANGFUSE_SECRET_KEY"):
        monkeypatch.delenv(name, raising=False)
    created = []

    def make(role: str = "author", secret: str | None = None) -> Any:
        client = Langfuse(
            public_key=f"pk-{uuid.uuid4()}",
            secret_key=secret or key(role),
            base_url=service.url,
            tracing_enabled=False,
        )
        created.append(client)
        return client

    yield make
    for client in created:
        client.shutdown()
        client._resources.httpx_client.close()


@pytest.fixture
def no_waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Let the SDK wait no time before it asks again, and note how long it would have."""
    import backoff._sync
    from langfuse.api.core import http_client

    waits: list[float] = []
    monkeypatch.setattr(http_client, "time", SimpleNamespace(sleep=waits.append, time=http_client.time.time))
    monkeypatch.setattr(backoff._sync, "time", SimpleNamespace(sleep=lambda _seconds: None))
    return waits


def test_the_keys_are_checked_as_the_sdk_checks_them(connect: Connect) -> None:
    from langfuse.api import UnauthorizedError

    assert connect().auth_check() is True
    with pytest.raises(UnauthorizedError):
        connect(secret="sk-not-ours").auth_check()


def test_a_text_prompt_is_created_read_by_label_and_compiled(connect: Connect, service: Service, local: Any) -> None:
    config = {"model": "openai:gpt-4o", "temperature": 0.5, "max_tokens": 10, "stop": ["x"], "tools": [{"name": "f"}]}
    author = connect()
    created = author.create_prompt(
        name="support/triage", prompt="Hi {{ name }}!", labels=["production"], tags=["a"], config=config, commit_message="first"
    )
    prompt = connect("reader").get_prompt("support/triage", cache_ttl_seconds=0)
    for each in (created, prompt):
        assert (each.name, each.version, each.prompt, each.config) == ("support/triage", 1, "Hi {{ name }}!", config)
        assert (each.labels, each.tags, each.commit_message) == (["production", "latest"], ["a"], "first")
    assert prompt.compile(name="Ann") == "Hi Ann!"
    assert service.requests == ["POST /api/public/v2/prompts 201", "GET /api/public/v2/prompts/support%2Ftriage 200"]
    fetched = local.get("/v1/prompts/support.triage").json()
    assert (fetched["config"], fetched["given_name"], fetched["author"]) == (config, "support/triage", "key:a author")
    actions = [row["action"] for row in local.get("/v1/audit").json()["items"]]
    assert [action for action in actions if action != "key.created"] == ["tags.changed", "version.created", "label.moved"]


def test_a_chat_prompt_keeps_its_placeholder(connect: Connect, local: Any) -> None:
    messages = [
        {"role": "system", "content": "Sort into {{intents}}"},
        {"type": "placeholder", "name": "history"},
        {"type": "chatmessage", "role": "user", "content": "{{ticket}}"},
    ]
    connect().create_prompt(name="sort", type="chat", prompt=messages, labels=["production"])
    prompt = connect("reader").get_prompt("sort", type="chat", cache_ttl_seconds=0)
    history = [{"role": "user", "content": "hello"}]
    assert prompt.compile(intents="a, b", ticket="My card", history=history) == [
        {"role": "system", "content": "Sort into a, b"},
        {"role": "user", "content": "hello"},
        {"role": "user", "content": "My card"},
    ]
    assert local.get("/v1/prompts/sort").json()["template"][1] == {"role": "placeholder", "name": "history"}


def test_a_version_is_read_by_its_number_and_the_newest_by_latest(connect: Connect, register: Callable[..., int]) -> None:
    for message_part in ("one", "two"):
        register("a", message_part)
    client = connect("reader")
    assert client.get_prompt("a", version=1, cache_ttl_seconds=0).prompt == "one"
    assert client.get_prompt("a", label="latest", cache_ttl_seconds=0).prompt == "two"


def test_labels_are_added_to_a_version_and_leave_the_others(connect: Connect, register: Callable[..., int], local: Any) -> None:
    register("a", "one", labels=["production", "stable"])
    register("a", "two")
    updated = connect().update_prompt(name="a", version=2, new_labels=["production", "staging"])
    assert sorted(updated.labels) == ["latest", "production", "staging"]
    moves = local.get("/v1/prompts/a/labels/production/history").json()["items"]
    assert (moves[0]["version"], moves[0]["previous"], moves[0]["reason"]) == (2, 1, "by a Langfuse client")
    assert local.get("/v1/prompts/a?label=stable").json()["version"] == 1


def test_each_create_makes_a_version(connect: Connect) -> None:
    client = connect()
    first, again = (client.create_prompt(name="a", prompt="x", commit_message=message) for message in ("first", "again"))
    assert (first.version, again.version, again.commit_message) == (1, 2, "again")
    assert (first.labels, again.labels) == (["latest"], ["latest"])
    assert client.get_prompt("a", version=1, cache_ttl_seconds=0).labels == []


def test_a_name_with_spaces_and_signs_is_found_again_and_answered_as_it_is(connect: Connect) -> None:
    client = connect()
    name = "Team A/greet & more: 100% [new] #1?"
    created = client.create_prompt(name=name, prompt="x", labels=["production"], tags=["a"])
    fetched = client.get_prompt(name, cache_ttl_seconds=0)
    assert (created.name, fetched.name, fetched.tags) == (name, name, ["a"])
    updated = client.update_prompt(name=name, version=1, new_labels=["stable"])
    assert (updated.name, sorted(updated.labels)) == (name, ["latest", "production", "stable"])
    assert [prompt.name for prompt in client.api.prompts.list(name=name).data] == [name]


def test_each_project_has_its_own_given_names(connect: Connect, key: Callable[..., str]) -> None:
    assert connect().create_prompt(name="A b", prompt="x").version == 1
    assert connect(secret=key("admin", "another")).create_prompt(name="a-b", prompt="y").version == 1


def test_an_old_name_finds_a_prompt_that_was_registered_here(connect: Connect, register: Callable[..., int]) -> None:
    register("support.triage", "x", labels=["production"])
    assert connect("reader").get_prompt("Support/Triage", cache_ttl_seconds=0).prompt == "x"


def test_a_text_that_is_no_mustache_compiles_as_the_sdk_compiles_it(connect: Connect) -> None:
    client = connect()
    text = '{{a}} {{ "key": "value" }} {custom} {{open'
    client.create_prompt(name="a", prompt=text, labels=["production"])
    prompt = client.get_prompt("a", cache_ttl_seconds=0)
    assert (prompt.prompt, prompt.compile(a="A")) == (text, text.replace("{{a}}", "A"))


def test_a_name_that_only_mustache_has_is_filled_in_by_the_sdk_and_here(connect: Connect, local: Any) -> None:
    client = connect()
    client.create_prompt(name="a", prompt="{{größe}} cm", labels=["production"])
    assert client.get_prompt("a", cache_ttl_seconds=0).compile(größe=3) == "3 cm"
    assert local.post("/v1/prompts/a/render", json={"variables": {"größe": "3"}}).json()["text"] == "3 cm"


def test_a_text_that_the_sdk_would_read_differently_is_refused(
    connect: Connect, register: Callable[..., int], local: Any
) -> None:
    from langfuse.api import Error

    register("tone", "Be kind.", labels=["production"])
    register("b", "{{{x}}}", format="simple", labels=["production"])
    client = connect()
    for text, reason in (
        ("{{{x}}}", "in its text, '{{x}}' is a variable for Promptuary, and something else for it"),
        ("{{> tone}} {{{x}}}", "prompt: includes a prompt, so it is mustache"),
    ):
        with pytest.raises(Error) as raised:
            client.create_prompt(name="a", prompt=text)
        assert reason in raised.value.body["message"]
    with pytest.raises(Error, match=r"'\{\{x\}\}' is a variable for Promptuary"):
        client.get_prompt("b", cache_ttl_seconds=0, max_retries=0)
    assert [item["name"] for item in local.get("/v1/prompts").json()["items"]] == ["b", "tone"]


def test_prompts_are_listed_in_pages(connect: Connect, register: Callable[..., int]) -> None:
    for name in ("a", "b", "c"):
        register(name, f"of {name}", model={"name": name}, tags=["old"])
    register("b", "newer", labels=["production"], tags=["new"])
    client = connect("reader").api.prompts
    fetched = client.list(page=2, limit=2)
    assert [prompt.name for prompt in fetched.data] == ["c"]
    assert (fetched.meta.page, fetched.meta.limit, fetched.meta.total_items, fetched.meta.total_pages) == (2, 2, 3, 2)
    assert (fetched.data[0].type, fetched.data[0].versions, fetched.data[0].last_config) == ("text", [1], {"model": "c"})
    (newest,) = client.list(tag="new").data
    assert (newest.name, newest.versions, newest.tags) == ("b", [1, 2], ["new"])
    assert newest.labels == ["production", "latest"]
    (labelled,) = client.list(label="production").data
    assert (labelled.name, labelled.versions) == ("b", [2])
    assert [prompt.name for prompt in client.list(name="c").data] == ["c"]


def test_what_is_not_there_is_told_as_the_sdk_knows_it(connect: Connect, register: Callable[..., int]) -> None:
    from langfuse.api import NotFoundError

    register("a", "x")
    client = connect("reader")
    for name, selector in (
        ("nobody", {}),
        ("a", {}),
        ("a", {"version": 2}),
        ("a", {"label": "staging"}),
        ("Movie Critic", {}),
        ("!", {}),
        ("a%2Fb", {}),
    ):
        with pytest.raises(NotFoundError) as raised:
            client.get_prompt(name, cache_ttl_seconds=0, max_retries=0, **selector)
        assert raised.value.body["error"] == "LangfuseNotFoundError"
        assert raised.value.body["message"]


def test_a_fallback_is_taken_for_what_is_not_there(connect: Connect) -> None:
    prompt = connect("reader").get_prompt("nobody", fallback="Hi {{name}}", cache_ttl_seconds=0, max_retries=0)
    assert (prompt.is_fallback, prompt.compile(name="Ann")) == (True, "Hi Ann")


def test_keys_and_roles_hold_for_the_sdk_too(connect: Connect, register: Callable[..., int], local: Any) -> None:
    from langfuse.api import AccessDeniedError, UnauthorizedError

    register("a", "x", labels=["production"])
    with pytest.raises(UnauthorizedError) as nobody:
        connect(secret="pmt_nobody").get_prompt("a", cache_ttl_seconds=0, max_retries=0)
    assert nobody.value.body == {
        "message": "the key is not valid; check that it was copied completely, or create a new one",
        "error": "UnauthorizedError",
    }
    with pytest.raises(AccessDeniedError) as reader:
        connect("reader").create_prompt(name="a", prompt="y")
    assert "the scope 'prompt:write'" in reader.value.body["message"]
    with pytest.raises(AccessDeniedError) as pipeline:
        connect("ci").create_prompt(name="a", prompt="y", labels=["production"])
    assert "the scope 'label:move'" in pipeline.value.body["message"]
    with pytest.raises(AccessDeniedError):
        connect("ci").update_prompt(name="a", version=1, new_labels=["production"])
    assert [version["version"] for version in local.get("/v1/prompts/a/versions").json()["items"]] == [1]


def test_another_projects_prompt_is_not_found(connect: Connect, register: Callable[..., int], key: Callable[..., str]) -> None:
    from langfuse.api import NotFoundError

    register("a", "x", labels=["production"])
    with pytest.raises(NotFoundError):
        connect(secret=key("admin", "another")).get_prompt("a", cache_ttl_seconds=0, max_retries=0)


def test_what_cannot_be_kept_is_refused_by_its_name(connect: Connect, local: Any) -> None:
    from langfuse.api import Error

    client = connect()
    for arguments, message_part in (
        ({"prompt": "x", "labels": ["Prod"]}, "'Prod' is not a name"),
        ({"prompt": "{{> b}}"}, "{{> b}}"),
        ({"prompt": "@@@langfusePrompt:name=b|label=production@@@"}, "include a prompt by {{> its.name@label}}"),
    ):
        with pytest.raises(Error) as raised:
            client.create_prompt(name="a", **arguments)
        assert raised.value.body["error"] == "InvalidRequestError"
        assert message_part in raised.value.body["message"]
    with pytest.raises(Error, match="nothing is deleted"):
        client.api.prompts.delete("a")
    assert local.get("/v1/prompts").json()["items"] == []


def test_a_cold_lookup_waits_for_a_locked_database_as_long_as_retry_after(
    connect: Connect, service: Service, monkeypatch: pytest.MonkeyPatch, no_waits: list[float]
) -> None:
    """Without `Retry-After` the SDK waits 1, then 2 seconds, for each of three rounds."""
    from promptuary.registry.service import Registry

    def database_busy(*_args: Any, **_kwargs: Any) -> None:
        raise DatabaseBusy("the database is held by other writers; try again")

    monkeypatch.setattr(Registry, "lookup", database_busy)
    client = connect("reader")
    prompt = client.get_prompt("a", fallback="x", cache_ttl_seconds=0, max_retries=0)
    assert (prompt.is_fallback, no_waits, len(service.requests)) == (True, [1.0, 1.0], 3)
    client.get_prompt("a", fallback="x", cache_ttl_seconds=0)
    assert (no_waits, len(service.requests)) == ([1.0] * 8, 12)
    assert {line.rpartition(" ")[2] for line in service.requests} == {"503"}


def test_an_error_keeps_its_header_and_has_the_sdks_shape(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, no_waits: list[float]
) -> None:
    from langfuse.api.core import ApiError

    from promptuary.registry.service import Registry

    def database_busy(*_args: Any, **_kwargs: Any) -> None:
        raise DatabaseBusy("the database is held by other writers; try again")

    monkeypatch.setattr(Registry, "lookup", database_busy)
    with pytest.raises(ApiError) as raised:
        connect("reader").api.prompts.get("a", request_options={"max_retries": 0})
    assert (raised.value.status_code, raised.value.headers["retry-after"]) == (503, "1")
    assert raised.value.body == {
        "message": "the database is held by other writers; try again",
        "error": "ServiceUnavailableError",
    }
    assert no_waits == []
