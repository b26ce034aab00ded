import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from promptuary.core.errors import StorageFull
from promptuary.prompt.name import fold_name

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


# --- reading ------------------------------------------------------------------------------------------------------------


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


# --- writing ------------------------------------------------------------------------------------------------------------


def test_a_config_is_the_versions_config_and_comes_back_as_it_was(local: Any) -> None:
    config = {
        "top_k": None,
        "model": "openai:gpt-4o",
        "temperature": 0.5,
        "max_tokens": 100,
        "top_p": 0.9,
        "seed": 7,
        "stop": ["END"],
        "response_format": {"type": "json_object"},
        "tools": [{"name": "close"}],
        "variables": {"name": {"type": "string", "maxLength": 9}},
        "languages": [],
        "retries": 3.0,
    }
    registered = local.post(PROMPTS, json={"name": "a", "prompt": "Hi {{name}}", "config": config})
    assert registered.status_code == 201
    for response in (registered, local.get(f"{PROMPTS}/a?version=1")):
        assert json.dumps(response.json()["config"]) == json.dumps(config)
    version = local.get("/v1/prompts/a?version=1").json()
    assert json.dumps(version["config"]) == json.dumps(config)
    assert version["variables"]["name"]["maxLength"] == 9


@pytest.mark.parametrize("variables", [{"b": {}}, {"name": {"type": "colour"}}, ["name"], {"name": 7}, None, {}])
def test_variables_in_a_config_that_declare_nothing_are_the_applications_own(local: Any, variables: Any) -> None:
    config = {"variables": variables}
    registered = local.post(PROMPTS, json={"name": "a", "prompt": "Hi {{name}}", "config": config})
    assert (registered.status_code, registered.json()["config"]) == (201, config)
    assert local.get("/v1/prompts/a/versions/1").json()["variables"].get("b") is None


@pytest.mark.parametrize("config", [{}, [], [1, None], "", "fast", 0, 7, False, {"temperature": 9}, {"temperature": 0.5}])
def test_any_config_is_taken_and_comes_back_as_it_was(local: Any, config: Any) -> None:
    assert local.post(PROMPTS, json={"name": "a", "prompt": "x", "config": config}).status_code == 201
    assert local.get(f"{PROMPTS}/a?version=1").json()["config"] == config


def test_settings_of_the_versions_model_win_over_its_config(local: Any, register: Callable[..., int]) -> None:
    register("a", "x", model={"name": "m", "top_p": 0.5}, config={"top_p": 1, "own": True}, tools=[{"name": "f"}])
    config = local.get(f"{PROMPTS}/a?version=1").json()["config"]
    assert config == {"top_p": 0.5, "own": True, "model": "m", "tools": [{"name": "f"}]}


def test_a_version_overrides_what_its_config_has_for_the_same_by_any_name(local: Any, register: Callable[..., int]) -> None:
    config = {
        "provider": "anthropic",
        "model_name": "claude-x",
        "max_completion_tokens": 9,
        "stop_sequences": ["old"],
        "tools": [{"name": "old"}],
        "response_format": {"type": "text"},
        "own": True,
    }
    parts = {"tools": [{"name": "new"}], "response_format": {"type": "json_object"}}
    register("a", "x", model={"name": "openai:gpt-4o", "max_tokens": 4, "stop": ["x"]}, config=config, **parts)
    sent = local.get(f"{PROMPTS}/a?version=1").json()["config"]
    assert sent == {"own": True, "model": "openai:gpt-4o", "max_tokens": 4, "stop": ["x"], **parts}
    (listed,) = local.get(PROMPTS).json()["data"]
    assert listed["lastConfig"] == sent
    register("b", "x", config={"tools": [{"name": "old"}]}, tools=[])
    assert local.get(f"{PROMPTS}/b?version=1").json()["config"] == {"tools": []}


@pytest.mark.parametrize(
    ("declaration", "message"),
    [
        (
            {"minLength": 2, "maxLength": 1},
            "config.variables.name.minLength: is 2, over maxLength, which is 1: no value meets both",
        ),
        ({"type": "string", "enum": [False, "SE"]}, "config.variables.name.enum.0: is false and can never be given"),
    ],
)
def test_variables_in_a_config_that_no_value_meets_are_refused(local: Any, declaration: Any, message: str) -> None:
    body = {"name": "a", "prompt": "Hi {{name}}", "config": {"variables": {"name": declaration}}}
    check(local.post(PROMPTS, json=body), 400, message)
    assert local.get("/v1/prompts").json()["items"] == []


def test_each_create_makes_a_version_and_null_is_as_if_not_said(local: Any, database: Any) -> None:
    first = local.post(PROMPTS, json={"name": "a", "prompt": "x"})
    body = {"name": "a", "prompt": "x", "type": "text", "config": None, "labels": None, "tags": None, "commitMessage": None}
    again = local.post(PROMPTS, json=body)
    assert (first.status_code, again.status_code) == (201, 201)
    assert (first.json()["version"], again.json()["version"]) == (1, 2)
    assert first.json()["digest"] == again.json()["digest"]
    same = local.post("/v1/prompts/a/versions", json={"type": "text", "template": "x", "format": "simple"})
    assert (same.status_code, same.json()["version"]) == (200, 2)


def test_a_retry_under_one_idempotency_key_is_one_version(local: Any) -> None:
    headers = {"Idempotency-Key": "k"}
    registered = [local.post(PROMPTS, json={"name": "a", "prompt": "x"}, headers=headers) for _ in range(2)]
    assert [(response.status_code, response.json()["version"]) for response in registered] == [(201, 1), (201, 1)]
    check(local.post(PROMPTS, json={"name": "a", "prompt": "y"}, headers=headers), 400, "was used for another request")


REFUSED: list[tuple[Any, str]] = [
    ({"prompt": "x"}, "name: is required"),
    ({"name": "a"}, "prompt: is required"),
    ({"name": "!", "prompt": "x"}, "name: a name has 1 to 255 characters"),
    ({"name": "a//b", "prompt": "x"}, "name: a name has 1 to 255 characters"),
    ({"name": "a\u202eb", "prompt": "x"}, "name: a name has 1 to 255 characters"),
    ({"name": "x" * 128 + "refunds", "prompt": "x"}, "name: a name has 1 to 255 characters"),
    ({"name": "x" * 256, "prompt": "x"}, "name: a name has 1 to 255 characters"),
    ({"name": "a", "prompt": "x", "isActive": True}, "isActive: is not a known field"),
    ({"name": "a", "prompt": "x", "type": "image"}, "type: "),
    ({"name": "a", "prompt": "x", "type": "chat"}, "a chat prompt a list of messages"),
    ({"name": "a", "prompt": [{"role": "user", "content": "x"}]}, "a text prompt has one string"),
    ({"name": "a", "prompt": 7}, "prompt: must be a list"),
    ({"name": "a", "prompt": ["x"], "type": "chat"}, "prompt.0: must be an object"),
    ({"name": "a", "prompt": [], "type": "chat"}, "prompt: "),
    ({"name": "a", "prompt": [{"role": "user", "content": [{}]}], "type": "chat"}, "prompt.0.content.0: needs a `type`"),
    ({"name": "a", "prompt": [{"role": "user", "content": "x", "name": "y"}], "type": "chat"}, "has name, which the SDK drops"),
    ({"name": "a", "prompt": [{"type": "image", "role": "user", "content": "x"}], "type": "chat"}, "prompt.0.type: is not"),
    ({"name": "a", "prompt": [{"type": "placeholder", "name": "a b"}], "type": "chat"}, "prompt.0.name: "),
    ({"name": "a", "prompt": "{{> b}} {{a"}, "never closed"),
    ({"name": "a", "prompt": "x", "labels": ["Prod"]}, "'Prod' is not a name"),
    ({"name": "a", "prompt": "x", "tags": [""]}, "tags.0: "),
]  # fmt: skip


def test_an_invalid_prompt_is_refused_with_the_paths_of_the_request(local: Any) -> None:
    for body, message in REFUSED:
        check(local.post(PROMPTS, json=body), 400, message)
    assert local.get("/v1/prompts").json()["items"] == []


@pytest.mark.parametrize(
    "text", ["{{a", "{{a b}}", '{{ "key": "value" }} {{x}}', "{x} }} {", "{{#a}}x{{/a}}", "{{! a }}", "{% if"]
)
def test_a_text_that_is_no_mustache_is_taken_literally(local: Any, text: str) -> None:
    created = local.post(PROMPTS, json={"name": "a", "prompt": text, "labels": ["production"]})
    assert (created.status_code, created.json()["format"]) == (201, "simple")
    assert local.get(f"{PROMPTS}/a").json()["prompt"] == text
    variables = {"x": "v"} if "{{x}}" in text else {}
    rendered = local.post("/v1/prompts/a/render", json={"variables": variables}).json()
    assert rendered["text"] == text.replace("{{x}}", "v")


def test_latest_is_taken_among_the_labels_of_a_create(local: Any) -> None:
    created = local.post(PROMPTS, json={"name": "a", "prompt": "x", "labels": ["production", "latest"]})
    assert (created.status_code, created.json()["labels"]) == (201, ["production", "latest"])


# --- names --------------------------------------------------------------------------------------------------------------


def test_a_name_is_kept_as_it_was_given_beside_the_folded_one(local: Any, database: Any) -> None:
    created = local.post(PROMPTS, json={"name": "Support/Triage (v2)", "prompt": "x", "labels": ["production"]})
    assert (created.status_code, created.json()["name"]) == (201, "Support/Triage (v2)")
    assert [item["name"] for item in local.get(PROMPTS).json()["data"]] == ["Support/Triage (v2)"]
    (listed,) = local.get("/v1/prompts").json()["items"]
    assert (listed["name"], listed["given_name"]) == ("support.triage-v2", "Support/Triage (v2)")
    assert local.get("/v1/prompts/support.triage-v2").json()["given_name"] == "Support/Triage (v2)"
    for path in ("Support%2FTriage%20(v2)", "support.triage-v2", "support%2ftriage%20v2"):
        assert local.get(f"{PROMPTS}/{path}").status_code == 200


def test_two_names_that_fold_onto_one_are_refused_by_name(local: Any, database: Any) -> None:
    assert local.post(PROMPTS, json={"name": "team a/greet", "prompt": "x"}).status_code == 201
    for name in ("team-a/greet", "Team A/greet", "team-a.greet"):
        refused = local.post(PROMPTS, json={"name": name, "prompt": "y", "tags": ["t"]})
        check(refused, 400, f"the names '{name}' and 'team a/greet' are both 'team-a.greet' here")
    check(local.patch(f"{PROMPTS}/Team-A%2Fgreet/versions/1", json={"newLabels": ["b"]}), 400, "use that name")
    assert [version["version"] for version in local.get("/v1/prompts/team-a.greet/versions").json()["items"]] == [1]
    assert local.get("/v1/prompts").json()["items"][0]["tags"] == []
    for name in ("team%20a%2Fgreet", "team-a.greet"):
        assert local.patch(f"{PROMPTS}/{name}/versions/1", json={"newLabels": ["b"]}).status_code == 200


def test_names_in_another_script_are_prompts_of_their_own(local: Any) -> None:
    names = ("客服", "客户", "Größe", "Grosse")
    for name in names:
        assert local.post(PROMPTS, json={"name": name, "prompt": name, "labels": ["production"]}).status_code == 201
    prompts = [local.get(f"{PROMPTS}/{quote(name, safe='')}").json() for name in names]
    assert [(prompt["name"], prompt["prompt"], prompt["version"]) for prompt in prompts] == [(name, name, 1) for name in names]


@pytest.mark.parametrize("name", ["team a//greet", "a\u202e b", "(a)/b"])
def test_an_imported_given_name_is_found_by_exactly_itself_whatever_its_form(
    local: Any, register: Callable[..., int], name: str
) -> None:
    register(fold_name(name), "x", labels=["production"])
    naming = {"versions": [], "naming": [{"given_name": name}]}
    assert local.post(f"/v1/prompts/{fold_name(name)}/import", json=naming).status_code == 200
    path = f"{PROMPTS}/{quote(name, safe='')}"
    fetched = local.get(path)
    assert (fetched.status_code, fetched.json()["name"]) == (200, name)
    assert local.patch(f"{path}/versions/1", json={"newLabels": ["stable"]}).json()["labels"] == [
        "production",
        "stable",
        "latest",
    ]
    created = local.post(PROMPTS, json={"name": name, "prompt": "y"})
    assert (created.status_code, created.json()["version"]) == (201, 2)
    check(local.post(PROMPTS, json={"name": f"{name}!", "prompt": "z"}), 400, "name")


def test_a_prompt_of_our_own_takes_the_first_name_that_a_program_gives(local: Any, register: Callable[..., int]) -> None:
    register("support.triage", "x")
    assert local.post(PROMPTS, json={"name": "support.triage", "prompt": "y"}).json()["version"] == 2
    assert local.get("/v1/prompts").json()["items"][0]["given_name"] is None
    assert local.post(PROMPTS, json={"name": "Support/Triage", "prompt": "z"}).json()["version"] == 3
    assert local.get("/v1/prompts").json()["items"][0]["given_name"] == "Support/Triage"
    check(local.post(PROMPTS, json={"name": "support/triage", "prompt": "z"}), 400, "'Support/Triage'")


# --- tags ---------------------------------------------------------------------------------------------------------------


def test_tags_are_the_prompts_and_replaced_by_a_create_that_gives_some(local: Any, database: Any) -> None:
    def create(**more: Any) -> Any:
        return local.post(PROMPTS, json={"name": "a", "prompt": "x", **more}).json()["tags"]

    assert [create(), create(tags=["two", "one", "two"]), create(), create(tags=None)] == [
        [],
        ["two", "one"],
        ["two", "one"],
        ["two", "one"],
    ]
    assert create(tags=["three"]) == ["three"]
    assert local.get(f"{PROMPTS}/a?version=1").json()["tags"] == ["three"]
    (listed,) = local.get("/v1/prompts?tag=three").json()["items"]
    assert (listed["name"], listed["tags"]) == ("a", ["three"])
    assert local.get("/v1/prompts?tag=one").json()["items"] == []
    version = local.get("/v1/prompts/a/versions/1").json()
    assert (version["tags"], version["prompt_tags"]) == ([], ["three"])
    assert create(tags=[]) == []
    assert local.get(f"{PROMPTS}?tag=three").json()["data"] == []
    changes = [row["detail"]["tags"] for row in local.get("/v1/audit").json()["items"] if row["action"] == "tags.changed"]
    assert changes == [["two", "one"], ["three"], []]


def test_a_prompt_keeps_the_tags_of_its_newest_version_when_a_program_goes_on(local: Any, register: Callable[..., int]) -> None:
    register("a", "x", tags=["old", "kept"])
    assert local.post(PROMPTS, json={"name": "a", "prompt": "y"}).json()["tags"] == ["kept", "old"]
    assert local.get("/v1/prompts/a/versions/1").json()["tags"] == ["old", "kept"]
    register("a", "z", tags=["new"])
    assert local.get("/v1/prompts").json()["items"][0]["tags"] == ["kept", "new", "old"]


@pytest.mark.parametrize(
    ("body", "message"),
    [({"newLabels": ["latest"]}, "labels.latest"), ({}, "newLabels: is required"), ({"newLabels": ["A"]}, "not a name")],
)
def test_labels_that_cannot_be_added_are_refused_and_none_is_moved(
    local: Any, register: Callable[..., int], body: Any, message: str
) -> None:
    register("a", "x")
    labels = {"newLabels": ["staging", *body["newLabels"]]} if body else body
    check(local.patch(f"{PROMPTS}/a/versions/1", json=labels), 400, message)
    assert local.get("/v1/prompts/a/versions/1").json()["labels"] == []


def test_a_version_that_is_not_there_gets_no_label(local: Any, register: Callable[..., int]) -> None:
    register("a", "x")
    check(local.patch(f"{PROMPTS}/a/versions/2", json={"newLabels": ["b"]}), 404, "has no version 2")
    check(local.patch(f"{PROMPTS}/a/versions/2", json={"newLabels": []}), 404, "has no version 2")
    check(local.patch(f"{PROMPTS}/b/versions/1", json={"newLabels": ["b"]}), 404, "there is no prompt 'b'")
    check(local.patch(f"{PROMPTS}/a/versions/x", json={"newLabels": ["b"]}), 400, "version: ")


def test_no_label_to_add_changes_nothing(local: Any, register: Callable[..., int]) -> None:
    register("a", "x", labels=["production"])
    assert local.patch(f"{PROMPTS}/a/versions/1", json={"newLabels": []}).json()["labels"] == ["production", "latest"]
    assert len(local.get("/v1/prompts/a/labels/production/history").json()["items"]) == 1


def test_nothing_is_deleted(local: Any, register: Callable[..., int]) -> None:
    register("a", "x")
    check(local.delete(f"{PROMPTS}/a"), 400, "nothing is deleted; archive the prompt")
    check(local.delete(f"{PROMPTS}/!"), 404, "a name has")
    assert local.get("/v1/prompts/a?version=1").status_code == 200


# --- errors from anywhere -----------------------------------------------------------------------------------------------


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
    check(local.post("/api/public/otel/v1/traces", json={}), 404, "there is nothing at this path")
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
