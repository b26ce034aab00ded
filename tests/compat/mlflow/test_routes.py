import json
from collections.abc import Callable
from typing import Any

import pytest

from promptuary.core.errors import StorageFull

BASE = "/api/2.0/mlflow"
IS_PROMPT = {"key": "mlflow.prompt.is_prompt", "value": "true"}


def check(response: Any, status: int, code: str, message: str = "") -> None:
    """Check that an answer is an error in MLflow's shape."""
    assert (response.status_code, response.headers["content-type"]) == (status, "application/json"), response.text
    body = response.json()
    assert set(body) == {"error_code", "message"}
    assert body["error_code"] == code
    assert message in body["message"]


def version(name: str, *tags: tuple[str, str], **more: Any) -> dict[str, Any]:
    """Make the body that registers a version."""
    values = {"mlflow.prompt.is_prompt": "true", "mlflow.prompt.text": "x", **dict(tags)}
    return {"name": name, "source": "dummy-source", "tags": [{"key": key, "value": values[key]} for key in values], **more}


def tags_of(response: Any) -> dict[str, str]:
    return {tag["key"]: tag["value"] for tag in next(iter(response.json().values()))["tags"]}


# --- reading ------------------------------------------------------------------------------------------------------------


def test_a_prompt_and_a_version_tell_all_that_mlflow_tells(
    local: Any, register: Callable[..., int], clock: Any, database: Any
) -> None:
    register("a", "Hi {{name}}", labels=["staging"], message="first", tags=["team=b", "urgent"])
    clock.move(seconds=1)
    register("a", "Hello {{name}}", message="second")
    model = local.get(f"{BASE}/registered-models/get?name=a")
    assert model.json()["registered_model"] == {
        "name": "a",
        "creation_timestamp": 1772452800000,
        "last_updated_timestamp": 1772452801000,
        "description": "first",
        "tags": [IS_PROMPT],
        "aliases": [{"alias": "staging", "version": "1"}],
    }
    fetched = local.get(f"{BASE}/model-versions/get?name=a&version=1")
    assert fetched.json()["model_version"] == {
        "name": "a",
        "version": "1",
        "creation_timestamp": 1772452800000,
        "last_updated_timestamp": 1772452800000,
        "user_id": "local",
        "current_stage": "None",
        "description": "first",
        "source": "dummy-source",
        "status": "READY",
        "tags": [
            {"key": "team", "value": "b"},
            {"key": "urgent", "value": ""},
            IS_PROMPT,
            {"key": "_mlflow_prompt_type", "value": "text"},
            {"key": "mlflow.prompt.text", "value": "Hi {{name}}"},
        ],
        "aliases": ["staging"],
    }
    assert local.get(f"{BASE}/registered-models/alias?name=a&alias=staging").json() == fetched.json()
    newest = local.get(f"{BASE}/registered-models/alias?name=a&alias=latest").json()
    assert newest["model_version"]["version"] == "2"


def test_no_word_of_ours_is_taken_for_a_tag_of_mlflows(local: Any, register: Callable[..., int]) -> None:
    message = ["mlflow.prompt.text=evil", "_mlflow_prompt_type=chat", "mlflow.prompt.is_prompt=false", "promptuary.tools=[]"]
    register("a", "x", tags=message)
    assert tags_of(local.get(f"{BASE}/model-versions/get?name=a&version=1")) == {
        "mlflow.prompt.is_prompt": "true",
        "mlflow.prompt.text": "x",
        "_mlflow_prompt_type": "text",
    }
    assert tags_of(local.get(f"{BASE}/registered-models/get?name=a")) == {"mlflow.prompt.is_prompt": "true"}
    for tag in ("mlflow.prompt.is_prompt", "_mlflow_prompt_type", "promptuary.tools"):
        body = {"name": "a", "key": tag, "value": "false"}
        check(local.post(f"{BASE}/registered-models/set-tag", json=body), 400, "INVALID_PARAMETER_VALUE", "own protocol")
        body["version"] = "1"
        check(local.post(f"{BASE}/model-versions/set-tag", json=body), 400, "INVALID_PARAMETER_VALUE", "never changes")
        body.pop("value")
        removed = local.request("DELETE", f"{BASE}/model-versions/delete-tag", json=body)
        check(removed, 400, "INVALID_PARAMETER_VALUE", "never changes")


UNREADABLE: list[tuple[str, int, str, str]] = [
    ("registered-models/get", 400, "INVALID_PARAMETER_VALUE", "name: is required"),
    ("registered-models/get?name=b", 404, "RESOURCE_DOES_NOT_EXIST", "there is no prompt 'b'"),
    ("registered-models/get?name=A%20b", 404, "RESOURCE_DOES_NOT_EXIST", "there is no prompt 'a-b'"),
    ("registered-models/get?name=%21", 404, "RESOURCE_DOES_NOT_EXIST", "a name has 1 to 255 characters"),
    ("registered-models/alias?name=a&alias=b", 404, "RESOURCE_DOES_NOT_EXIST", "has no label 'b'; its labels are: none"),
    ("registered-models/alias?name=a&alias=b", 404, "RESOURCE_DOES_NOT_EXIST", "Prompt alias b not found. "),
    ("model-versions/get?name=a&version=2", 404, "RESOURCE_DOES_NOT_EXIST", "has no version 2"),
    ("model-versions/get?name=a&version=x", 400, "INVALID_PARAMETER_VALUE", "version: must be a number"),
    ("model-versions/get?name=a&version=99999999999", 400, "INVALID_PARAMETER_VALUE", "version: must be a number"),
    ("registered-models/search?filter=source%20%3D%20'x'", 400, "INVALID_PARAMETER_VALUE", "'source = 'x'' is not supported"),
    ("registered-models/search?filter=name%20%3D%20'a'%20AND", 400, "INVALID_PARAMETER_VALUE", "filter: '' is not supported"),
    ("registered-models/search?order_by=timestamp", 400, "INVALID_PARAMETER_VALUE", "order_by: is not supported"),
    ("registered-models/search?page_token=forged", 400, "INVALID_PARAMETER_VALUE", "the cursor does not come from this server"),
    ("registered-models/search?max_results=0", 400, "INVALID_PARAMETER_VALUE", "max_results: "),
    ("model-versions/search", 400, "INVALID_PARAMETER_VALUE", "must name the prompt"),
    ("model-versions/search?filter=name%3D'b'", 404, "RESOURCE_DOES_NOT_EXIST", "there is no prompt 'b'"),
    ("model-versions/search?filter=name%3D'a'&order_by=name", 400, "INVALID_PARAMETER_VALUE", "order_by: is not supported"),
    ("experiments/search", 404, "ENDPOINT_NOT_FOUND", "there is nothing at this path"),
    ("registered-models/create", 405, "ENDPOINT_NOT_FOUND", "does not accept this method"),
]


def test_what_cannot_be_read_is_told_in_mlflows_shape(local: Any, register: Callable[..., int]) -> None:
    register("a", "x")
    for path, status, code, message in UNREADABLE:
        check(local.get(f"{BASE}/{path}"), status, code, message)


def test_models_that_are_no_prompts_are_none(local: Any, register: Callable[..., int]) -> None:
    register("a", "x")
    fetched = local.get(f"{BASE}/registered-models/search", params={"filter": "tag.`mlflow.prompt.is_prompt` != 'true'"})
    assert fetched.json() == {"registered_models": [], "next_page_token": ""}
    fetched = local.get(f"{BASE}/model-versions/search", params={"filter": "name = 'a' AND tags.team = 'b'"})
    assert fetched.json() == {"model_versions": [], "next_page_token": ""}


def test_orders_that_are_ours_are_taken(local: Any, register: Callable[..., int]) -> None:
    register("a", "x")
    assert local.get(f"{BASE}/registered-models/search?order_by=name%20ASC").status_code == 200
    assert local.get(f"{BASE}/model-versions/search?filter=name%3D'a'&order_by=version_number%20DESC").status_code == 200


# --- writing ------------------------------------------------------------------------------------------------------------


def test_a_prompt_comes_into_being_with_its_first_version(local: Any) -> None:
    created = local.post(f"{BASE}/registered-models/create", json={"name": "a", "tags": [IS_PROMPT], "description": "about"})
    assert created.status_code == 200
    assert (created.json()["registered_model"]["name"], created.json()["registered_model"]["description"]) == ("a", "about")
    assert local.get("/v1/prompts").json()["items"] == []
    assert local.get("/v1/audit").json()["items"] == []
    assert local.post(f"{BASE}/model-versions/create", json=version("a")).json()["model_version"]["version"] == "1"
    again = local.post(f"{BASE}/registered-models/create", json={"name": "a", "tags": [IS_PROMPT]})
    check(again, 400, "RESOURCE_ALREADY_EXISTS", "there is a prompt 'a' already")


@pytest.mark.parametrize("tags", [[], [{"key": "mlflow.prompt.is_prompt", "value": "false"}], [{"key": "a", "value": "b"}]])
def test_a_model_that_is_no_prompt_is_refused(local: Any, tags: list[Any]) -> None:
    response = local.post(f"{BASE}/registered-models/create", json={"name": "a", "tags": tags})
    check(response, 400, "INVALID_PARAMETER_VALUE", "this registry has only prompts")


REFUSED: list[tuple[Any, str]] = [
    ({"name": "a", "source": "s3://bucket/model", "tags": [IS_PROMPT]}, "source: is for models"),
    ({"name": "a", "run_id": "r", "tags": [IS_PROMPT]}, "run_id: is not a known field"),
    ({"name": "a", "tags": []}, "mlflow.prompt.is_prompt: must be 'true'"),
    ({"name": "a", "tags": [IS_PROMPT]}, "mlflow.prompt.text: is required"),
    ({"name": "a", "tags": [IS_PROMPT, IS_PROMPT]}, "tags: have a key twice"),
    (version("!"), "name: a name has 1 to 255 characters"),
    (version("a", ("mlflow.prompt.associatedRunIds", "r")), "mlflow.prompt.associatedRunIds: is not a known tag"),
    (version("a", ("promptuary.refused", "r")), "promptuary.refused: is not a known tag"),
    (version("a", ("_mlflow_prompt_type", "image")), "type: "),
    (version("a", ("_mlflow_prompt_type", "chat")), "mlflow.prompt.text: is not usable JSON"),
    (version("a", ("_mlflow_prompt_type", "chat"), ("mlflow.prompt.text", "{}")), "text: must be a JSON list"),
    (version("a", ("_mlflow_prompt_response_format", "[]")), "_mlflow_prompt_response_format: must be a JSON object"),
    (version("a", ("_mlflow_prompt_response_format", '{"a": NaN}')), "NaN, which is not a JSON number"),
    (version("a", ("_mlflow_prompt_response_format", '{"a": 1, "a": 2}')), "twice in one object"),
    (version("a", ("_mlflow_prompt_model_config", "{")), "_mlflow_prompt_model_config: is not usable JSON"),
    (version("a", ("_mlflow_prompt_model_config", "[]")), "_mlflow_prompt_model_config: must be a JSON object"),
    (version("a", ("promptuary.tools", "{}")), "promptuary.tools: must be a JSON list"),
    (version("a", ("promptuary.variables", '{"b": {}}')), "variables.b: is declared, but"),
    (version("a", ("k" * 250, "")), "is over the limit of 200 characters"),
    (version("a", *((f"k{number}", "") for number in range(51))), "tags: are over the limit of 50"),
    (version("a", description="x" * 2001), "description: "),
]  # fmt: skip


def test_what_cannot_be_registered_is_refused_by_the_tags_key(local: Any) -> None:
    for body, message in REFUSED:
        check(local.post(f"{BASE}/model-versions/create", json=body), 400, "INVALID_PARAMETER_VALUE", message)
    assert local.get("/v1/prompts").json()["items"] == []


def test_an_empty_model_config_says_nothing(local: Any) -> None:
    local.post(f"{BASE}/model-versions/create", json=version("a", ("_mlflow_prompt_model_config", '{"temperature": null}')))
    local.post(f"{BASE}/model-versions/create", json=version("b", ("_mlflow_prompt_model_config", "{}")))
    version_of_b = local.get("/v1/prompts/b?version=1").json()
    assert (version_of_b["model"], version_of_b["config"]) == (None, None)


def test_a_model_config_is_kept_as_it_was_sent(local: Any) -> None:
    config = '{"top_k": 3, "model_name": "ft:gpt:me", "temperature": 1, "extra": {"b": null, "a": []}}'
    created = local.post(f"{BASE}/model-versions/create", json=version("a", ("_mlflow_prompt_model_config", config)))
    assert tags_of(created)["_mlflow_prompt_model_config"] == config
    assert json.dumps(local.get("/v1/prompts/a?version=1").json()["config"]) == config


def test_a_template_of_mlflows_own_jinja2_is_registered_as_jinja2(local: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether the server allows Jinja2 is a setting of its own; here the format matters."""
    from promptuary.registry.service import Registry

    seen = []

    def create(_registry: Any, _name: str, content: Any, _details: Any) -> None:
        seen.append(content)
        raise StorageFull("seen", 1)

    monkeypatch.setattr(Registry, "create", create)
    for text in ("{% if a %}{{ a }}{% endif %}", "{{ a }} {%"):
        local.post(f"{BASE}/model-versions/create", json=version("a", ("mlflow.prompt.text", text)))
    assert [content.format for content in seen] == ["jinja2", "simple"]


def test_an_alias_is_removed_as_a_label(local: Any, register: Callable[..., int]) -> None:
    register("a", "x", labels=["production"])
    body = {"name": "a", "alias": "production"}
    assert local.request("DELETE", f"{BASE}/registered-models/alias", json=body).json() == {}
    check(local.get(f"{BASE}/registered-models/alias?name=a&alias=production"), 404, "RESOURCE_DOES_NOT_EXIST")
    history = local.get("/v1/prompts/a/labels/production/history").json()["items"]
    assert (len(history), history[0]["reason"]) == (2, "by an MLflow client")
    for change, status, code in (
        ({}, 404, "RESOURCE_DOES_NOT_EXIST"),
        ({"name": "b"}, 404, "RESOURCE_DOES_NOT_EXIST"),
        ({"alias": "latest"}, 400, "INVALID_PARAMETER_VALUE"),
    ):
        check(local.request("DELETE", f"{BASE}/registered-models/alias", json=body | change), status, code)


def test_an_alias_is_a_label(local: Any, register: Callable[..., int]) -> None:
    register("a", "x")
    body = {"name": "a", "alias": "champion", "version": "1"}
    assert local.post(f"{BASE}/registered-models/alias", json=body).json() == {}
    (move,) = local.get("/v1/prompts/a/labels/champion/history").json()["items"]
    assert (move["version"], move["reason"]) == (1, "by an MLflow client")
    for change, status, code in (
        ({"version": 1}, 400, "INVALID_PARAMETER_VALUE"),
        ({"version": "2"}, 404, "RESOURCE_DOES_NOT_EXIST"),
        ({"alias": "Champion"}, 400, "INVALID_PARAMETER_VALUE"),
        ({"alias": "latest"}, 400, "INVALID_PARAMETER_VALUE"),
        ({"name": "b"}, 404, "RESOURCE_DOES_NOT_EXIST"),
    ):
        check(local.post(f"{BASE}/registered-models/alias", json=body | change), status, code)


def test_a_split_alias_gives_its_first_version_and_setting_it_ends_the_split(local: Any, register: Callable[..., int]) -> None:
    for message in ("one", "two"):
        register("a", message)
    arms = [{"version": 2, "weight": 10}, {"version": 1, "weight": 90}]
    local.put("/v1/prompts/a/labels/production", json={"split": arms})
    fetched = local.get(f"{BASE}/registered-models/alias?name=a&alias=production").json()["model_version"]
    assert (fetched["version"], fetched["aliases"]) == ("2", ["production"])
    aliases = local.get(f"{BASE}/registered-models/get?name=a").json()["registered_model"]["aliases"]
    assert aliases == [{"alias": "production", "version": "2"}]
    local.post(f"{BASE}/registered-models/alias", json={"name": "a", "alias": "production", "version": "1"})
    assert (local.get("/v1/prompts/a").json()["split"], local.get("/v1/prompts/a").json()["version"]) == (None, 1)


def test_an_archived_prompt_is_found_only_by_number_and_is_not_changed(local: Any, register: Callable[..., int]) -> None:
    register("a", "x", labels=["production"])
    local.post("/v1/prompts/a/archive", json={})
    assert local.get(f"{BASE}/registered-models/get?name=a").status_code == 200
    assert local.get(f"{BASE}/model-versions/get?name=a&version=1").status_code == 200
    archived = local.get(f"{BASE}/registered-models/alias?name=a&alias=production")
    check(archived, 404, "RESOURCE_DOES_NOT_EXIST", "the prompt 'a' is archived")
    assert local.get(f"{BASE}/registered-models/search").json()["registered_models"] == []
    check(local.post(f"{BASE}/model-versions/create", json=version("a")), 409, "RESOURCE_CONFLICT", "restore it first")
    refused = local.post(f"{BASE}/registered-models/create", json={"name": "a", "tags": [IS_PROMPT]})
    check(refused, 400, "RESOURCE_ALREADY_EXISTS")


def test_what_a_prompt_includes_is_put_in(local: Any, register: Callable[..., int]) -> None:
    register("tone", "Be {{kind}}. ", labels=["production"])
    created = local.post(f"{BASE}/model-versions/create", json=version("a", ("mlflow.prompt.text", "{{> tone}}Hi {{ name }}")))
    assert created.status_code == 200
    assert tags_of(created)["mlflow.prompt.text"] == "Be {{kind}}. Hi {{name}}"


def test_two_names_that_fold_onto_one_are_a_conflict_that_names_both(local: Any) -> None:
    assert local.post(f"{BASE}/model-versions/create", json=version("Team-A")).status_code == 200
    for path, body in (
        ("model-versions/create", version("team-a")),
        ("registered-models/set-tag", {"name": "TEAM-A", "key": "k", "value": "v"}),
        ("registered-models/alias", {"name": "TEAM-A", "alias": "b", "version": "1"}),
    ):
        response = local.post(f"{BASE}/{path}", json=body)
        check(response, 409, "RESOURCE_CONFLICT", f"the names '{body['name']}' and 'Team-A' are both 'team-a' here")
    (listed,) = local.get(f"{BASE}/registered-models/search").json()["registered_models"]
    assert listed["name"] == "Team-A"
    fetched = local.get(f"{BASE}/model-versions/get?name=TEAM-A&version=1").json()["model_version"]
    assert fetched["name"] == "TEAM-A"


def test_tags_are_set_and_removed_each_with_an_audit_row(local: Any, register: Callable[..., int], database: Any) -> None:
    digest = (register("a", "x", tags=["team=b", "plain"]), local.get("/v1/prompts/a/versions/1").json()["digest"])[1]
    revision = local.get("/v1/prompts").json()["items"][0]["revision"]

    def change(path: str, method: str = "POST", **body: str) -> None:
        response = local.request(method, f"{BASE}/{path}", json={"name": "a", **body})
        assert (response.status_code, response.json()) == (200, {}), response.text

    change("model-versions/set-tag", version="1", key="team", value="c")
    change("model-versions/set-tag", version="1", key="new", value="")
    change("model-versions/set-tag", version="1", key="new", value="")
    change("model-versions/delete-tag", "DELETE", version="1", key="plain")
    change("model-versions/delete-tag", "DELETE", version="1", key="nobody")
    change("registered-models/set-tag", key="env", value="prod")
    change("registered-models/set-tag", key="env", value="dev")
    changed = local.get("/v1/prompts/a/versions/1").json()
    assert (changed["digest"], changed["tags"]) == (digest, ["team=c", "new"])
    assert changed["prompt_tags"] == ["new", "team=c", "env=dev"]
    assert [row["name"] for row in local.get("/v1/prompts?tag=env%3Ddev").json()["items"]] == ["a"]
    assert local.get("/v1/prompts?tag=plain").json()["items"] == []
    change("registered-models/delete-tag", "DELETE", key="env")
    change("registered-models/delete-tag", "DELETE", key="env")
    rows = [row["detail"] for row in local.get("/v1/audit").json()["items"] if row["action"] == "tags.changed"]
    assert [row["version"] for row in rows] == [1, 1, 1, None, None, None]
    events = local.get("/v1/prompts/a/events?kind=tags.changed").json()["items"]
    assert (len(events), events[0]["detail"]) == (6, rows[-1])
    assert local.get("/v1/prompts").json()["items"][0]["revision"] > revision
    register("a", "y")
    assert local.get("/v1/prompts/a/versions/1").json()["tags"] == ["team=c", "new"]
    assert local.get("/v1/prompts").json()["items"][0]["tags"] == ["new", "team=c"]


@pytest.mark.parametrize("path", ["registered-models", "model-versions"])
def test_a_tag_that_cannot_be_set_is_refused(local: Any, register: Callable[..., int], path: str) -> None:
    register("a", "x")
    body = {"name": "a", "key": "k", "value": "v"} | ({"version": "1"} if path == "model-versions" else {})
    for change, status, code, message in (
        ({"key": "a=b"}, 400, "INVALID_PARAMETER_VALUE", "key: is not valid: it has a ="),
        ({"value": "x" * 200}, 400, "INVALID_PARAMETER_VALUE", "must have 1 to 200 characters"),
        ({"name": "b"}, 404, "RESOURCE_DOES_NOT_EXIST", "there is no prompt 'b'"),
    ):
        check(local.post(f"{BASE}/{path}/set-tag", json=body | change), status, code, message)
    for number in range(50):
        local.post(f"{BASE}/{path}/set-tag", json=body | {"key": f"k{number}"})
    check(local.post(f"{BASE}/{path}/set-tag", json=body), 400, "INVALID_PARAMETER_VALUE", "over the limit of 50")
    local.post("/v1/prompts/a/archive", json={})
    check(local.post(f"{BASE}/{path}/set-tag", json=body), 409, "RESOURCE_CONFLICT", "restore it first")


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("registered-models/delete", {}, "nothing is deleted; archive the prompt"),
        ("model-versions/delete", {"version": "1"}, "a version is never deleted"),
    ],
)
def test_nothing_is_removed(local: Any, register: Callable[..., int], path: str, body: dict[str, str], message: str) -> None:
    register("a", "x")
    for name, status, code in (("a", 400, "INVALID_PARAMETER_VALUE"), ("!", 404, "RESOURCE_DOES_NOT_EXIST")):
        response = local.request("DELETE", f"{BASE}/{path}", json={"name": name, **body})
        check(response, status, code, message if name == "a" else "")
    if path != "registered-models/delete":
        check(local.request("DELETE", f"{BASE}/{path}", json={"name": "b", **body}), 404, "RESOURCE_DOES_NOT_EXIST")


def test_the_body_of_a_delete_is_read_as_strictly_as_any(local: Any) -> None:
    def delete(**sent: Any) -> Any:
        return local.request("DELETE", f"{BASE}/registered-models/delete", **sent)

    json_type = {"Content-Type": "application/json"}
    check(delete(content=b'{"name": "a", "name": "b"}', headers=json_type), 400, "INVALID_PARAMETER_VALUE", "twice")
    check(delete(content=b'{"name": "a"}', headers={"Content-Type": "text/plain"}), 415, "BAD_REQUEST")
    check(delete(content=b"x" * 2_000_000, headers=json_type), 413, "INVALID_PARAMETER_VALUE", "over the limit")
    check(delete(json={"name": "a", "force": True}), 400, "INVALID_PARAMETER_VALUE", "force: is not a known field")
    check(delete(), 400, "INVALID_PARAMETER_VALUE")


# --- errors from anywhere -----------------------------------------------------------------------------------------------


def test_errors_of_the_edge_have_mlflows_shape_too(local: Any, app: Any) -> None:
    from api.test_bad_input import HOST, send

    path = f"{BASE}/registered-models/get"
    check(send(app, "GET", f"{path}?name=a", headers=[(b"host", b"evil.example")]), 400, "INVALID_PARAMETER_VALUE", "Host")
    check(send(app, "GET", f"{path}%2Fx", headers=[HOST]), 400, "INVALID_PARAMETER_VALUE", "the path has `%2F`")
    check(send(app, "GET", f"{path}?name=pmt_x", headers=[HOST]), 401, "UNAUTHENTICATED", "revoke it")
    check(local.post(f"{BASE}/model-versions/create", content=json.dumps(version("a")) + "x"), 415, "BAD_REQUEST")


def test_a_full_disk_keeps_its_status_and_says_when_to_come_back(local: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from promptuary.registry.service import Registry

    def full(*_args: Any, **_kwargs: Any) -> None:
        raise StorageFull("the disk is full", 30)

    monkeypatch.setattr(Registry, "create", full)
    response = local.post(f"{BASE}/model-versions/create", json=version("a"))
    check(response, 507, "RESOURCE_EXHAUSTED", "the disk is full")
    assert response.headers["retry-after"] == "30"
