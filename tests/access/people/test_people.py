"""People over HTTP: created, given roles, deactivated; nobody acts on or as somebody above them."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text

from promptuary.core.database import Database

Headers = dict[str, str]


@pytest.fixture
def person(local: Any) -> Callable[..., str]:
    """Create a person with a role in the project `default`, or another: `person("Dana", "editor")` returns the id."""

    def create(name: str, role: str | None = "viewer", project: str | None = None) -> str:
        body = {"name": name, "role": role, "project": project}
        response = local.post("/v1/people", json={key: value for key, value in body.items() if value is not None})
        assert response.status_code == 201, response.text
        return str(response.json()["id"])

    return create


@pytest.fixture
def personal_key(local: Any) -> Callable[..., Headers]:
    """Create a person's key: `personal_key(person, "editor")` returns the header that carries it."""

    def create(person: str, role: str, **more: Any) -> Headers:
        response = local.post("/v1/keys", json={"name": "laptop", "role": role, "person": person, **more})
        assert response.status_code == 201, response.text
        return {"Authorization": f"Bearer {response.json()['key']}"}

    return create


def scopes_of(api: Any, headers: Headers) -> set[str]:
    return set(api.get("/v1/self", headers=headers).json()["scopes"])


def test_a_person_is_created_listed_and_found_by_name(local: Any, person: Any) -> None:
    dana = person("Dana", "editor")
    listed = local.get("/v1/people").json()["items"]
    assert [(each["id"], each["name"], each["memberships"]) for each in listed] == [
        (dana, "Dana", [{"project": "default", "role": "editor"}])
    ]
    assert local.get("/v1/people", params={"name": "dana"}).json()["items"] == listed
    assert local.get("/v1/people", params={"name": "Eve"}).json()["items"] == []


@pytest.mark.parametrize("name", ["dana", "\uff24\uff21\uff2e\uff21"])
def test_a_persons_name_is_taken_in_every_case_and_form(local: Any, person: Any, name: str) -> None:
    person("Dana")
    response = local.post("/v1/people", json={"name": name, "role": "viewer"})
    assert (response.status_code, response.json()["code"]) == (409, "already_exists")


@pytest.mark.parametrize("name", ["Da\u200bna", "Da\u202ena", "Da\nna", "key:Dana", "local", " Dana"])
def test_a_name_that_can_be_mistaken_is_refused(local: Any, name: str) -> None:
    response = local.post("/v1/people", json={"name": name, "role": "viewer"})
    assert (response.status_code, response.json()["errors"][0]["path"]) == (422, "name")
    if name != "key:Dana" and name != "local":
        response = local.post("/v1/keys", json={"name": name, "role": "viewer"})
        assert (response.status_code, response.json()["errors"][0]["path"]) == (422, "name")


def test_a_persons_key_may_do_what_both_its_role_and_the_person_may_do(
    api: Any, local: Any, person: Any, personal_key: Any
) -> None:
    dana = person("Dana", "editor")
    wide, narrow = personal_key(dana, "lead"), personal_key(dana, "viewer")
    assert "prompt:write" in scopes_of(api, wide)
    assert "key:manage" not in scopes_of(api, wide)
    assert "prompt:write" not in scopes_of(api, narrow)
    path = f"/v1/people/{dana}/memberships/default"
    assert local.put(path, json={"role": "lead"}).status_code == 200
    assert "key:manage" in scopes_of(api, wide)
    assert local.put(path, json={"role": "viewer"}).status_code == 200
    assert scopes_of(api, wide) == scopes_of(api, narrow)


def test_who_did_something_is_stored_as_an_identity_and_shown_by_name(
    api: Any, local: Any, person: Any, personal_key: Any, opened_database: Database
) -> None:
    dana = person("Dana", "editor")
    headers, identity = personal_key(dana, "editor"), f"person:{dana}"
    body = {"type": "text", "template": "Hi", "labels": ["production"]}
    version = api.post("/v1/prompts/greeting/versions", json=body, headers=headers).json()
    assert (version["author"], version["author_id"]) == ("Dana", identity)
    (move,) = api.get("/v1/prompts/greeting/labels/production/history", headers=headers).json()["items"]
    assert (move["actor"], move["actor_id"]) == ("Dana", identity)
    entries = local.get("/v1/audit").json()["items"]
    registered = next(entry for entry in entries if entry["action"] == "version.created" or "version" in entry["action"])
    assert (registered["actor"], registered["actor_id"]) == ("Dana", identity)
    with opened_database.read() as session:
        stored = session.connection().execute(text("SELECT author FROM version")).scalar_one()
        rows = session.connection().execute(text("SELECT detail FROM audit WHERE action <> 'key.created'")).scalars()
        assert stored == identity
        assert all("Dana" not in str(detail) for detail in rows)
    assert local.get("/v1/audit/verify").json()["broken_at"] is None


def test_a_deactivated_persons_keys_end_at_once_in_every_project(api: Any, local: Any, person: Any, personal_key: Any) -> None:
    local.post("/v1/projects", json={"name": "shop"})
    dana = person("Dana", "editor")
    assert local.put(f"/v1/people/{dana}/memberships/shop", json={"role": "viewer"}).status_code == 200
    keys = [personal_key(dana, "editor"), personal_key(dana, "viewer", project="shop")]
    assert [api.get("/v1/self", headers=headers).status_code for headers in keys] == [200, 200]
    assert local.post(f"/v1/people/{dana}/deactivate").json()["deactivated_at"] is not None
    assert [api.get("/v1/self", headers=headers).status_code for headers in keys] == [401, 401]
    assert local.post("/v1/keys", json={"name": "k", "role": "viewer", "person": dana}).status_code == 422
    assert local.put(f"/v1/people/{dana}/memberships/default", json={"role": "editor"}).status_code == 422


def test_the_keys_of_a_membership_that_ends_end_and_stay_ended(api: Any, local: Any, person: Any, personal_key: Any) -> None:
    dana = person("Dana", "editor")
    headers = personal_key(dana, "editor")
    assert local.delete(f"/v1/people/{dana}/memberships/default").status_code == 204
    assert api.get("/v1/self", headers=headers).status_code == 401
    assert local.put(f"/v1/people/{dana}/memberships/default", json={"role": "editor"}).status_code == 200
    assert api.get("/v1/self", headers=headers).status_code == 401


def test_an_admin_sees_and_changes_the_people_of_the_project_only(
    api: Any, local: Any, person: Any, bearer: Callable[..., Headers]
) -> None:
    local.post("/v1/projects", json={"name": "shop"})
    dana, eve = person("Dana", "editor"), person("Eve", "viewer", "shop")
    admin = bearer("admin")
    assert [each["id"] for each in api.get("/v1/people", headers=admin).json()["items"]] == [dana]
    for response in (
        api.get(f"/v1/people/{eve}", headers=admin),
        api.post(f"/v1/people/{eve}/deactivate", headers=admin),
        api.post(f"/v1/people/{eve}/codes", headers=admin),
        api.put(f"/v1/people/{dana}/memberships/shop", json={"role": "viewer"}, headers=admin),
        api.post("/v1/keys", json={"name": "k", "role": "viewer", "person": eve}, headers=admin),
    ):
        assert response.status_code == 404, response.text
    local.put(f"/v1/people/{dana}/memberships/shop", json={"role": "viewer"})
    assert api.get(f"/v1/people/{dana}", headers=admin).json()["memberships"] == [{"project": "default", "role": "editor"}]
    assert api.post(f"/v1/people/{dana}/deactivate", headers=admin).status_code == 403


def test_an_admin_cannot_act_on_an_operators_account_or_key(
    api: Any, local: Any, person: Any, personal_key: Any, bearer: Callable[..., Headers]
) -> None:
    root, admin = person("Root", "operator"), bearer("admin")
    key = personal_key(root, "operator")["Authorization"].split("_")[1]
    service = bearer("operator")["Authorization"].split("_")[1]
    weak = personal_key(root, "viewer")["Authorization"].split("_")[1]
    for response in (
        api.delete(f"/v1/keys/{key}", headers=admin),
        api.delete(f"/v1/keys/{service}", headers=admin),
        api.post("/v1/keys", json={"name": "k", "role": "viewer", "person": root}, headers=admin),
        api.post("/v1/keys", json={"name": "k", "role": "operator"}, headers=admin),
        api.post(f"/v1/people/{root}/deactivate", headers=admin),
        api.post(f"/v1/people/{root}/codes", headers=admin),
        api.put(f"/v1/people/{root}/memberships/default", json={"role": "viewer"}, headers=admin),
        api.delete(f"/v1/people/{root}/memberships/default", headers=admin),
        api.post("/v1/people", json={"name": "Me", "role": "operator"}, headers=admin),
    ):
        assert response.status_code == 403, response.text
    assert api.delete(f"/v1/keys/{weak}", headers=admin).status_code == 403


def test_a_lead_creates_service_keys_up_to_their_own_role_and_no_persons(
    api: Any, person: Any, bearer: Callable[..., Headers]
) -> None:
    dana, lead = person("Dana", "viewer"), bearer("lead")
    for role in ("service", "ci", "viewer", "reviewer", "editor", "lead"):
        assert api.post("/v1/keys", json={"name": "k", "role": role}, headers=lead).status_code == 201, role
    for role in ("admin", "operator"):
        assert api.post("/v1/keys", json={"name": "k", "role": role}, headers=lead).status_code == 403, role
    refused = api.post("/v1/keys", json={"name": "k", "role": "viewer", "person": dana}, headers=lead)
    assert refused.status_code == 403
    assert api.post("/v1/people", json={"name": "Eve", "role": "viewer"}, headers=lead).status_code == 403


def test_a_grant_is_for_pipelines_and_of_what_the_giver_has(api: Any, bearer: Callable[..., Headers]) -> None:
    lead, editor = bearer("lead"), bearer("editor")
    body = {"name": "ci", "role": "ci", "grants": ["suite:write", "dataset:write"]}
    created = api.post("/v1/keys", json=body, headers=lead).json()
    assert created["grants"] == ["dataset:write", "suite:write"]
    assert api.post("/v1/keys", json=body, headers=editor).status_code == 403
    for wrong in ({"role": "service"}, {"grants": ["label:move"]}, {"grants": ["key:manage"]}, {"grants": ["nothing"]}):
        assert api.post("/v1/keys", json={**body, **wrong}, headers=lead).status_code == 422, wrong


def test_only_an_operator_creates_a_person_without_a_role(api: Any, person: Any, bearer: Callable[..., Headers]) -> None:
    assert person("Dana", None)
    response = api.post("/v1/people", json={"name": "Eve"}, headers=bearer("admin"))
    assert (response.status_code, response.json()["errors"][0]["path"]) == (422, "role")


def test_the_name_of_a_key_is_no_identity(local: Any) -> None:
    first, second = (local.post("/v1/keys", json={"name": "Dana", "role": "viewer"}).json() for _ in range(2))
    assert first["id"] != second["id"]
    assert (first["person"], first["person_id"]) == (None, None)
