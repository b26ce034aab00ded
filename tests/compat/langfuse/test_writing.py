"""Langfuse's routes that write: versions, names, labels and tags."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from factories.langfuse_routes import PROMPTS, check
from promptuary.prompt.name import fold_name


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
