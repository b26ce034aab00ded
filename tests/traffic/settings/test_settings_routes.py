"""A project's traffic settings over HTTP."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from promptuary.core.settings import Settings
from promptuary.traffic.settings.schemas import OwnTrafficSettings
from promptuary.traffic.settings.store import load_project_traffic, require_project_traffic

PATH = "/v1/traffic/settings"
RULE = {"prompt": "support.triage", "service": "checkout", "attribute": {"tenant": "acme"}}


@pytest.fixture
def prompt(api: Any, bearer: Any) -> str:
    content = {"type": "text", "format": "mustache", "template": "Hi"}
    assert api.post("/v1/prompts/support.triage/versions", json=content, headers=bearer("editor")).status_code == 201
    return "support.triage"


def test_settings_are_those_of_the_service_until_they_are_changed(database: Any, api: Any, bearer: Any) -> None:
    answer = api.get(PATH, headers=bearer("lead")).json()
    assert answer["settings"] == dict.fromkeys(OwnTrafficSettings.model_fields)
    assert (answer["effective"]["sample"], answer["effective"]["keep"], answer["rules"]) == (0.05, "attributed", [])


def test_a_change_is_read_back_and_can_be_taken_back(database: Any, api: Any, bearer: Any, prompt: str) -> None:
    headers = bearer("lead")
    changed = api.put(PATH, json={"settings": {"sample": 0.5, "days": 7}, "rules": [RULE]}, headers=headers)
    assert changed.status_code == 200, changed.text
    answer = api.get(PATH, headers=headers).json()
    assert answer == changed.json()
    assert (answer["effective"]["sample"], answer["effective"]["days"], answer["effective"]["wait"]) == (0.5, 7, 600)
    assert answer["settings"]["sample"] == 0.5
    assert answer["settings"]["wait"] is None
    assert answer["rules"] == [{**RULE, "span_name": None, "version": None, "label": None}]
    assert api.put(PATH, json={}, headers=headers).json()["effective"]["sample"] == 0.05


def test_a_change_keeps_the_key_of_end_users(
    database: Any, opened_database: Any, settings: Any, api: Any, bearer: Any, unit_as: Any
) -> None:
    with unit_as("lead") as unit:
        key = require_project_traffic(unit.session, unit.caller.project, settings).user_key
        assert require_project_traffic(unit.session, unit.caller.project, settings).user_key == key
    assert len(key) == 32
    answer = api.put(PATH, json={"settings": {"wait": 0}}, headers=bearer("lead"))
    assert key.hex() not in answer.text
    with opened_database.read() as session:
        traffic = load_project_traffic(session, unit.caller.project, settings)
    assert (traffic.user_key, traffic.settings.wait) == (key, 0)


def test_each_change_is_in_the_audit_chain(sqlite: Any, api: Any, bearer: Any, prompt: str) -> None:
    api.put(PATH, json={"settings": {"sample": 1}, "rules": [RULE]}, headers=bearer("lead"))
    entries = api.get("/v1/audit", params={"limit": 100}, headers=bearer("admin")).json()["items"]
    [entry] = [entry for entry in entries if entry["action"] == "traffic.settings_changed"]
    assert entry["detail"] == {"settings": {"sample": 1.0}, "rules": [RULE]}


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"settings": {"sample": 1.5}}, "settings.sample"),
        ({"settings": {"sample": "0.5"}}, "settings.sample"),
        ({"settings": {"days": 0}}, "settings.days"),
        ({"settings": {"keep": "none"}}, "settings.keep"),
        ({"settings": {"user_key": "x"}}, "settings.user_key"),
        ({"rules": [{"prompt": "support.triage"}]}, "rules.0"),
        ({"rules": [{"prompt": "support.triage", "attribute": {}}]}, "rules.0"),
        ({"rules": [{"prompt": "support.triage", "service": ""}]}, "rules.0.service"),
        ({"rules": [{"prompt": "no.such", "service": "s"}]}, "rules.0.prompt"),
        ({"rules": [RULE | {"version": 2}]}, "rules.0.version"),
        ({"rules": [RULE | {"version": 0}]}, "rules.0.version"),
        ({"rules": [RULE | {"label": "production"}]}, "rules.0.label"),
        ({"rules": [RULE | {"version": 1, "label": "production"}]}, "rules.0"),
        ({"rules": [{"prompt": "../x", "service": "s"}]}, "rules.0.prompt"),
        ({"rules": [{"prompt": "support.triage", "attribute": {"a": [1]}}]}, "rules.0.attribute.a"),
    ],
)
def test_a_wrong_change_is_refused_and_named(
    sqlite: Any, api: Any, bearer: Any, prompt: str, body: dict[str, Any], path: str
) -> None:
    headers = bearer("lead")
    refused = api.put(PATH, json=body, headers=headers)
    assert refused.status_code == 422
    assert any(error["path"].startswith(path) for error in refused.json()["errors"]), refused.text
    assert api.get(PATH, headers=headers).json()["effective"]["sample"] == 0.05


def test_a_wrong_value_of_an_attribute_is_one_error_at_its_name(sqlite: Any, api: Any, bearer: Any, prompt: str) -> None:
    refused = api.put(PATH, json={"rules": [RULE | {"attribute": {"tenant": [1]}}]}, headers=bearer("lead"))
    (error,) = refused.json()["errors"]
    assert error["path"] == "rules.0.attribute.tenant"
    assert error["message"] == "must be a string or true or false or an integer or a number"


def test_a_rule_has_the_version_or_the_label_that_it_names(sqlite: Any, api: Any, bearer: Any, prompt: str) -> None:
    headers = bearer("lead")
    assert api.put(f"/v1/prompts/{prompt}/labels/live", json={"version": 1, "reason": "why"}, headers=headers).is_success
    answer = api.put(PATH, json={"rules": [RULE | {"version": 1}, RULE | {"label": "live"}]}, headers=headers)
    assert answer.status_code == 200, answer.text
    assert [(rule["version"], rule["label"]) for rule in answer.json()["rules"]] == [(1, None), (None, "live")]


def test_a_rule_does_not_see_prompts_of_another_project(sqlite: Any, api: Any, bearer: Any, prompt: str) -> None:
    assert api.put(PATH, json={"rules": [RULE]}, headers=bearer("lead", "elsewhere")).status_code == 422


@pytest.mark.parametrize("role", ["editor", "viewer", "service", "reviewer", "ci"])
def test_others_than_leads_do_not_see_settings(sqlite: Any, api: Any, bearer: Any, role: str) -> None:
    assert api.get(PATH, headers=bearer(role)).status_code == 403


def test_a_project_has_the_bounds_of_the_service() -> None:
    own = OwnTrafficSettings.model_json_schema()["properties"]
    service = Settings.model_json_schema()["properties"]
    for name, schema in own.items():
        bounds = {key: value for key, value in service[f"traffic_{name}"].items() if key not in ("default", "title")}
        assert schema["anyOf"] == [bounds, {"type": "null"}]


def test_a_change_of_what_has_changed_meanwhile_is_refused(database: Any, api: Any, bearer: Any, prompt: str) -> None:
    headers = bearer("lead")
    tag = api.get(PATH, headers=headers).headers["etag"]
    conditional = headers | {"If-Match": tag}
    first = api.put(PATH, json={"settings": {"sample": 0.5}, "rules": [RULE]}, headers=conditional)
    assert first.status_code == 200
    assert first.headers["etag"] != tag
    second = api.put(PATH, json={"settings": {"days": 7}}, headers=conditional)
    assert (second.status_code, second.json()["code"]) == (412, "precondition_failed")
    present = api.get(PATH, headers=headers)
    assert (present.headers["etag"], present.json()) == (first.headers["etag"], first.json())
    assert api.put(PATH, json={}, headers=headers | {"If-Match": first.headers["etag"]}).headers["etag"] == tag


def test_writers_at_the_same_time_lose_no_change(database: Any, api: Any, bearer: Any) -> None:
    headers = bearer("lead")
    changes = [{"sample": 0.5}, {"days": 7}, {"wait": 60}, {"reservoir": 10}]

    def change(own: dict[str, Any]) -> None:
        for _ in range(50):
            present = api.get(PATH, headers=headers)
            body = {"settings": present.json()["settings"] | own}
            answer = api.put(PATH, json=body, headers=headers | {"If-Match": present.headers["etag"]})
            if answer.status_code == 200:
                return
            assert answer.status_code == 412, answer.text
        raise AssertionError("the others always came first")

    with ThreadPoolExecutor(len(changes)) as pool:
        list(pool.map(change, changes))
    own = api.get(PATH, headers=headers).json()["settings"]
    assert {name: value for name, value in own.items() if value is not None} == {
        "sample": 0.5,
        "days": 7,
        "wait": 60,
        "reservoir": 10,
    }
