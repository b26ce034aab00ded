"""Langfuse's routes of lookups and lists, and the errors that any route answers."""

from collections.abc import Callable
from typing import Any

import pytest

from factories.langfuse_routes import PROMPTS, check
from promptuary.core.errors import StorageFull


def test_a_lookup_tells_all_that_langfuses_own_server_tells(local: Any, register: Callable[..., int], database: Any) -> None:
    register(
        "a", "Hi {{name}}", labels=["production"], message="first", tags=["t"], model={"name": "m", "top_p": 0.5, "seed": 3}
    )
    fetched = local.get(f"{PROMPTS}/a")
    assert fetched.status_code == 200
    assert fetched.json() == {
        "name": "a",
        "version": 1,
        "type": "text",
        "prompt": "Hi {{name}}",
        "config": {"model": "m", "top_p": 0.5, "seed": 3},
        "labels": ["production", "latest"],
        "tags": ["t"],
        "commitMessage": "first",
        "createdAt": "2026-03-02T12:00:00Z",
        "createdBy": "local",
        "digest": local.get("/v1/prompts/a").json()["digest"],
        "format": "mustache",
    }


def test_a_name_is_folded_however_it_comes_and_answered_as_it_was_asked(local: Any, register: Callable[..., int]) -> None:
    register("support.mail-in.triage", "x", labels=["production"])
    for path, name in (
        ("support.mail-in.triage", "support.mail-in.triage"),
        ("support%2Fmail%20in%2ftriage", "support/mail in/triage"),
        ("Support/Mail%20%26%20In/Triage", "Support/Mail & In/Triage"),
        ("support.mail-in%2FTriage!", "support.mail-in/Triage!"),
    ):
        fetched = local.get(f"{PROMPTS}/{path}").json()
        assert (fetched["name"], fetched["prompt"]) == (name, "x")


def test_a_name_that_no_prompt_can_have_is_not_found(local: Any, register: Callable[..., int]) -> None:
    register("a..b", "x", labels=["production"])
    for name in ("/a%2F%2Fb", "/%2Fa", "/a%2F", "/%21", "/%20", "/%E2%80%AEa", f"/{'x' * 256}", "/"):
        check(local.get(PROMPTS + name), 400 if len(name) > 255 else 404, "255 characters")
    check(local.get(f"{PROMPTS}/A%20b"), 404, "there is no prompt 'a-b'")


@pytest.mark.parametrize(
    ("name", "message"),
    [("a%2F..%2Fb", "segment `..`"), ("..", "segment `..`"), ("%2e%2e%2fv1", "segment `..`"), ("a%00b", "the path has a NUL")],
)
def test_behind_the_encoded_slash_everything_else_of_a_path_is_checked(app: Any, name: str, message: str) -> None:
    from api.test_bad_input import HOST, send

    response = send(app, "GET", f"{PROMPTS}/{name}", headers=[HOST])
    check(response, 400, message)


@pytest.mark.parametrize("path", ["/api/public%2Fv2/prompts/a", "/api/public/v2/prompts%2Fa", "/api/public/projects%2F"])
def test_an_encoded_slash_stands_in_a_name_alone(app: Any, path: str) -> None:
    from api.test_bad_input import HOST, send

    check(send(app, "GET", path, headers=[HOST]), 400, "the path has `%2F`")


@pytest.mark.parametrize("version", [0, -1, "x", 2**31])
def test_a_version_that_is_no_number_is_refused(local: Any, register: Callable[..., int], version: Any) -> None:
    register("a", "x")
    check(local.get(f"{PROMPTS}/a?version={version}"), 400, "version: ")


def test_both_a_label_and_a_version_are_refused(local: Any, register: Callable[..., int]) -> None:
    register("a", "x", labels=["production"])
    check(local.get(f"{PROMPTS}/a?version=1&label=production"), 400, "send a label or a version, not both")


def test_resolve_false_returns_the_source_instead_of_the_sdks_text(local: Any, register: Callable[..., int]) -> None:
    register("a", "Hi {name}, {{really}}", format="f-string", labels=["production"])
    fetched = local.get(f"{PROMPTS}/a").json()
    assert (fetched["prompt"], fetched["format"]) == ("Hi {{name}}, {really}", "mustache")
    raw = local.get(f"{PROMPTS}/a?resolve=false").json()
    assert (raw["prompt"], raw["format"], raw["digest"]) == ("Hi {name}, {{really}}", "f-string", fetched["digest"])


def test_what_the_sdk_would_drop_from_a_message_is_refused_unless_unresolved(local: Any, register: Callable[..., int]) -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "find", "arguments": "{}"}}
    image = {"type": "image_url", "image_url": {"url": "https://img.example/a.png"}}
    for number, (message, reason) in enumerate(
        [
            ({"role": "assistant", "content": None, "tool_calls": [call]}, "tool calls"),
            ({"role": "assistant", "content": "x", "tool_calls": [call]}, "tool_calls, which the SDK drops"),
            ({"role": "user", "content": "x", "name": "ana"}, "name, which the SDK drops"),
            ({"role": "user", "content": [image]}, "a content that is not a text"),
        ]
    ):
        register(f"m{number}", [{"role": "developer", "content": "x"}, message])
        check(local.get(f"{PROMPTS}/m{number}?label=latest"), 400, f"its message 1 has {reason}")
        assert local.get(f"{PROMPTS}/m{number}?label=latest&resolve=false").json()["prompt"][1] == message


def test_text_the_sdk_cannot_render_is_refused_unless_unresolved(local: Any, register: Callable[..., int]) -> None:
    register("a", "{{#items}}{{.}}{{/items}}", labels=["production"])
    check(
        local.get(f"{PROMPTS}/a"),
        400,
        "the Langfuse SDK cannot render version 1 of 'a': it has the section 'items'; use Promptuary's client, or "
        "request the source with resolve=false",
    )
    assert local.get(f"{PROMPTS}/a?resolve=false").json()["prompt"] == "{{#items}}{{.}}{{/items}}"


def test_a_version_with_context_is_refused(local: Any, register: Callable[..., int]) -> None:
    context = {"collection": "tickets", "query": "{{q}}", "into": "found"}
    register("a", "{{found}} {{q}}", context=context, labels=["production"])
    check(local.get(f"{PROMPTS}/a"), 400, "its context, passages of 'tickets', is retrieved by the server alone")


def test_what_a_prompt_includes_is_put_in_where_the_sdk_reads_it_and_pinned(local: Any, register: Callable[..., int]) -> None:
    register("tone", "Be {{kind}}. ", labels=["production"])
    registered = local.post(PROMPTS, json={"name": "a", "prompt": "{{> tone}}Hi {{name}}", "labels": ["production"]})
    assert (registered.status_code, registered.json()["prompt"]) == (201, "{{> tone}}Hi {{name}}")
    register("tone", "Be brief. ", labels=["production"])
    assert local.get(f"{PROMPTS}/a").json()["prompt"] == "Be {{kind}}. Hi {{name}}"
    assert local.get(f"{PROMPTS}/a?resolve=false").json()["prompt"] == "{{> tone}}Hi {{name}}"
    check(local.post(PROMPTS, json={"name": "b", "prompt": "{{> nobody}}"}), 400, "{{> nobody}}")


def test_a_split_label_is_its_first_version_until_a_label_is_added(local: Any, register: Callable[..., int]) -> None:
    for message in ("one", "two"):
        register("a", message)
    arms = [{"version": 2, "weight": 10}, {"version": 1, "weight": 90}]
    assert local.put("/v1/prompts/a/labels/production", json={"split": arms}).status_code == 200
    fetched = local.get(f"{PROMPTS}/a").json()
    assert (fetched["version"], fetched["labels"]) == (2, ["production", "latest"])
    (listed,) = local.get(f"{PROMPTS}?label=production").json()["data"]
    assert (listed["versions"], listed["labels"]) == ([2], ["production", "latest"])
    assert local.patch(f"{PROMPTS}/a/versions/1", json={"newLabels": ["production"]}).status_code == 200
    assert local.get("/v1/prompts/a").json()["split"] is None
    assert local.get(f"{PROMPTS}/a").json()["version"] == 1


def test_an_archived_prompt_is_found_only_by_number_and_is_not_changed(local: Any, register: Callable[..., int]) -> None:
    register("a", "x", labels=["production"])
    assert local.post("/v1/prompts/a/archive", json={}).status_code == 200
    check(local.get(f"{PROMPTS}/a"), 404, "the prompt 'a' is archived")
    assert local.get(f"{PROMPTS}/a?version=1").json()["prompt"] == "x"
    assert local.get(PROMPTS).json()["data"] == []
    check(local.post(PROMPTS, json={"name": "a", "prompt": "y"}), 400, "restore it first")
    check(local.patch(f"{PROMPTS}/a/versions/1", json={"newLabels": ["b"]}), 400, "restore it first")


def test_a_list_takes_what_it_can_filter_by_and_refuses_the_rest(local: Any, register: Callable[..., int]) -> None:
    register("support.a", "x")
    register("support", "x")
    assert [item["name"] for item in local.get(f"{PROMPTS}?name=support").json()["data"]] == ["support"]
    assert [item["name"] for item in local.get(f"{PROMPTS}?name=Support/A").json()["data"]] == ["Support/A"]
    register("support", "newer")
    (newest,) = local.get(f"{PROMPTS}?name=support&label=latest").json()["data"]
    assert newest["versions"] == [2]
    for key in ("filter", "fromUpdatedAt", "toUpdatedAt"):
        check(local.get(f"{PROMPTS}?{key}=%5B%5D"), 400, f"{key}: is not supported")
    for query in ("page=0", "limit=0", "page=x"):
        check(local.get(f"{PROMPTS}?{query}"), 400, query.partition("=")[0])
    assert local.get(f"{PROMPTS}?page=9").json() == {
        "data": [],
        "meta": {"page": 9, "limit": 50, "totalItems": 2, "totalPages": 1},
    }


def test_a_list_is_read_to_its_end(local: Any, register: Callable[..., int], monkeypatch: pytest.MonkeyPatch) -> None:
    from promptuary.compat import prompt_listing

    monkeypatch.setattr(prompt_listing, "STEP", 2)
    for number in range(5):
        register(f"p{number}", "x")
    fetched = local.get(f"{PROMPTS}?limit=3&page=2").json()
    assert [item["name"] for item in fetched["data"]] == ["p3", "p4"]
    assert fetched["meta"]["totalItems"] == 5


def test_errors_of_the_edge_have_langfuses_shape_too(local: Any, app: Any) -> None:
    from api.test_bad_input import HOST, send

    json_type = {"Content-Type": "application/json"}
    check(local.post(PROMPTS, content=b'{"a": 1, "a": 2}', headers=json_type), 400, "twice in one object")
    check(local.post(PROMPTS, content=b"[]", headers=json_type), 400, "the body must be a JSON object")
    check(local.post(PROMPTS, content=b"a=1", headers={"Content-Type": "text/plain"}), 415, "application/json", "Error")
    check(local.post(PROMPTS, content=b"x" * 2_000_000, headers=json_type), 413, "over the limit", "Error")
    check(send(app, "GET", PROMPTS, headers=[(b"host", b"evil.example")]), 400, "the Host header")
    check(send(app, "GET", f"{PROMPTS}?a=pmt_x", headers=[HOST]), 401, "revoke it", "UnauthorizedError")


def test_a_path_or_method_that_is_not_there_is_told_in_langfuses_shape(local: Any) -> None:
    check(local.post("/api/public/ingestion", json={}), 404, "there is nothing at this path")
    check(local.get("/api/public"), 404, "there is nothing at this path")
    response = local.put(PROMPTS, json={})
    check(response, 405, "does not accept this method")
    assert response.headers["allow"]
    assert local.get("/api/publicity").json()["code"] == "not_found"


def test_a_full_disk_keeps_its_status_and_says_when_to_come_back(local: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from promptuary.registry.service import Registry

    def full(*_args: Any, **_kwargs: Any) -> None:
        raise StorageFull("the disk is full", 30)

    monkeypatch.setattr(Registry, "create", full)
    response = local.post(PROMPTS, json={"name": "a", "prompt": "x"})
    check(response, 507, "the disk is full", "Error")
    assert response.headers["retry-after"] == "30"


def test_an_error_that_nobody_expected_tells_nothing(app: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from starlette.testclient import TestClient

    from promptuary.access.auth.request import LOCAL_PROJECT
    from promptuary.registry.service import Registry

    def breaks(*_args: Any, **_kwargs: Any) -> None:
        raise RuntimeError("hunter2")

    async def as_operator(scope: Any, receive: Any, send: Any) -> None:
        await app({**scope, LOCAL_PROJECT: "default"}, receive, send)

    monkeypatch.setattr(Registry, "lookup", breaks)
    with TestClient(as_operator, base_url="http://127.0.0.1", raise_server_exceptions=False) as client:
        check(client.get(f"{PROMPTS}/a"), 500, "something failed in the server", "Error")


def test_a_version_changed_in_the_database_is_refused_without_a_retry(
    local: Any, register: Callable[..., int], sqlite: Any
) -> None:
    """Langfuse's SDK asks again after a 409, in vain here."""
    from sqlalchemy import text

    register("a", "x", labels=["production"])
    with sqlite.write() as session:
        session.connection().execute(text("DROP TRIGGER version_no_update"))
        session.connection().execute(text("UPDATE version SET content = replace(content, 'x', 'y')"))
    check(local.get(f"{PROMPTS}/a"), 400, "was changed in the database")
