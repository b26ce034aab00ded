"""Content that comes back as it was sent: the order of an author's JSON and its numbers, on both databases."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from promptuary.prompt.content import Content
from promptuary.prompt.digest import ADDED_PARTS, content_digest
from promptuary.prompt.files.bundle import IMPORTED_FIELDS

NAME = "support.answer"
VERSIONS = f"/v1/prompts/{NAME}/versions"
PROPERTIES = {"reasoning": {"type": "string"}, "answer": {"type": "string", "maxLength": 9}}
SCHEMA = {"type": "object", "properties": PROPERTIES, "required": ["reasoning", "answer"], "additionalProperties": False}
TOOL = {"type": "function", "function": {"name": "look_up", "strict": True, "parameters": SCHEMA, "description": "Looks up."}}
BODY: dict[str, Any] = {
    "type": "text",
    "template": "{{z}}{{a}}",
    "variables": {"z": {"default": {"y": 1.0, "x": [None, {}]}}, "a": {"enum": [{"d": 1.0, "c": 1}, 2.0]}},
    "model": {"name": "local:smollm2", "temperature": 0, "top_p": 1.0},
    "response_format": {"type": "json_schema", "json_schema": {"name": "a", "strict": True, "schema": SCHEMA}},
    "tools": [TOOL],
    "config": {"z": 1.0, "a": {"y": None, "x": []}, "model": "gpt-4o", "n": [1e-7, -0.0, 2**60, 1e21]},
}
AS_SENT = ("response_format", "tools", "config")


def parts(body: dict[str, Any]) -> str:
    """Return the parts whose JSON is the author's, as text: with their order and numbers."""
    variables = {name: [variable.get("default"), variable.get("enum")] for name, variable in body["variables"].items()}
    return json.dumps([[body[part] for part in AS_SENT], variables, body["model"]["temperature"], body["model"]["top_p"]])


@pytest.fixture
def send(database: Any, local: Any) -> Callable[..., Any]:
    """Send a request as the operator, with a body exactly as Python writes it."""

    def request(method: str, path: str, body: Any = None, **headers: str) -> Any:
        content = None if body is None else json.dumps(body)
        response = local.request(method, path, content=content, headers={"content-type": "application/json", **headers})
        assert response.status_code in (200, 201), response.text
        return response

    return request


def test_every_answer_has_the_order_and_the_numbers_that_were_sent(send: Callable[..., Any]) -> None:
    created = send("POST", VERSIONS, {**BODY, "labels": ["production"]}, **{"Idempotency-Key": "k"})
    again = send("POST", VERSIONS, {**BODY, "labels": ["production"]}, **{"Idempotency-Key": "k"})
    assert (created.status_code, again.status_code, again.content) == (201, 201, created.content)
    assert created.json()["digest"] == content_digest(Content.model_validate(BODY))
    for path in (f"/v1/prompts/{NAME}", f"{VERSIONS}/1", f"/v1/prompts/{NAME}?label=production"):
        assert parts(send("GET", path).json()) == parts(BODY)
    assert parts(send("GET", VERSIONS).json()["items"][0]) == parts(BODY)
    assert parts(created.json()) == parts(BODY)
    preview = send("POST", f"/v1/prompts/{NAME}/preview", BODY).json()
    assert (parts(preview["content"]), preview["created"]) == (parts(BODY), False)


def reversed_properties(body: dict[str, Any]) -> dict[str, Any]:
    schema = {**SCHEMA, "properties": dict(reversed(PROPERTIES.items()))}
    return {**body, "response_format": {"type": "json_schema", "json_schema": {"name": "a", "strict": True, "schema": schema}}}


OTHERS: dict[str, dict[str, Any]] = {
    "response_format": reversed_properties(BODY),
    "tools": {**BODY, "tools": [{"function": TOOL["function"], "type": "function"}]},
    "config": {**BODY, "config": dict(reversed(BODY["config"].items()))},
    "a number in config": {**BODY, "config": {**BODY["config"], "z": 1}},
    "a default": {**BODY, "variables": {**BODY["variables"], "z": {"default": {"x": [None, {}], "y": 1.0}}}},
}


@pytest.mark.parametrize("part", OTHERS)
def test_another_order_is_another_version_and_a_change_in_the_diff(part: str, send: Callable[..., Any]) -> None:
    send("POST", VERSIONS, BODY)
    other = OTHERS[part]
    second = send("POST", VERSIONS, other)
    assert (second.status_code, second.json()["version"]) == (201, 2)
    assert send("POST", VERSIONS, other).status_code == 200
    assert parts(send("GET", f"{VERSIONS}/2").json()) == parts(other)
    diff = send("GET", f"/v1/prompts/{NAME}/diff?from=1&to=2").json()
    assert (len(diff["changes"]), diff["breaking"], diff["changes"][0]["kind"]) == (1, False, "changed")


def test_another_order_of_what_reaches_no_model_is_the_same_version(send: Callable[..., Any]) -> None:
    send("POST", VERSIONS, BODY)
    other = {**BODY, "variables": {"a": {"enum": [{"c": 1, "d": 1.0}, 2.0]}, "z": BODY["variables"]["z"]}}
    same = send("POST", VERSIONS, other)
    assert (same.status_code, same.json()["version"], parts(same.json())) == (200, 1, parts(BODY))


def test_the_order_survives_the_export_into_another_project(
    send: Callable[..., Any], api: Any, bearer: Callable[..., Any]
) -> None:
    send("POST", VERSIONS, BODY)
    version = send("GET", f"{VERSIONS}/1").json()
    fields = {key: version[key] for key in (*IMPORTED_FIELDS, *ADDED_PARTS)}
    headers = bearer("operator", "another") | {"content-type": "application/json"}
    response = api.post(f"/v1/prompts/{NAME}/import", content=json.dumps({"versions": [fields]}), headers=headers)
    assert response.status_code == 200, response.text
    imported = api.get(f"{VERSIONS}/1", headers=headers).json()
    assert (imported["digest"], parts(imported)) == (version["digest"], parts(BODY))


def test_a_config_over_the_servers_limit_is_refused(local: Any) -> None:
    response = local.post(VERSIONS, json={"type": "text", "template": "x", "config": "a" * 70_000})
    assert (response.status_code, response.json()["code"]) == (422, "invalid_prompt")
    assert response.json()["errors"][0]["path"] == "config"


def test_a_contradicting_declaration_is_refused_with_its_place(local: Any) -> None:
    variables = {"country": {"type": "string", "enum": [False, "SE"]}, "n": {"minLength": 3, "maxLength": 1}}
    response = local.post(VERSIONS, json={"type": "text", "template": "{{country}}{{n}}", "variables": variables})
    assert response.status_code == 422
    assert [error["path"] for error in response.json()["errors"]] == ["variables.country.enum.0", "variables.n.minLength"]
