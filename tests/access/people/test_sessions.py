"""Sign-in sessions over HTTP: opened by a personal key or a one-time code, and ended at once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlmodel import SQLModel

from promptuary.access.sessions.service import CODE_MINUTES, CODE_TRIES
from promptuary.access.sessions.token import parse_code
from promptuary.core.database import Database

Headers = dict[str, str]


def carry(credential: str) -> Headers:
    return {"Authorization": f"Bearer {credential}"}


@pytest.fixture
def dana(local: Any) -> str:
    return str(local.post("/v1/people", json={"name": "Dana", "role": "editor"}).json()["id"])


@pytest.fixture
def key(local: Any, dana: str) -> Callable[..., str]:
    """Create a key of Dana's."""

    def create(role: str = "editor", **more: Any) -> str:
        return str(local.post("/v1/keys", json={"name": "laptop", "role": role, "person": dana, **more}).json()["key"])

    return create


@pytest.fixture
def code(local: Any, dana: str) -> Callable[[], str]:
    """Create a one-time code for Dana."""
    return lambda: str(local.post(f"/v1/people/{dana}/codes").json()["code"])


def opened(api: Any, credential: str) -> dict[str, Any]:
    response = api.post("/v1/sessions", headers=carry(credential))
    assert response.status_code == 201, response.text
    body: dict[str, Any] = response.json()
    return body


def status(api: Any, credential: str) -> int:
    return int(api.get("/v1/self", headers=carry(credential)).status_code)


def test_a_personal_key_opens_a_session_whose_token_is_taken_as_a_key(api: Any, dana: str, key: Any) -> None:
    session = opened(api, key())
    assert session["token"].startswith(f"pms_{session['id']}_")
    caller = api.get("/v1/self", headers=carry(session["token"])).json()
    assert (caller["actor"], caller["actor_id"], caller["role"]) == ("Dana", f"person:{dana}", "editor")
    body = {"type": "text", "template": "Hi", "labels": ["production"]}
    assert api.post("/v1/prompts/p/versions", json=body, headers=carry(session["token"])).json()["author"] == "Dana"
    for _ in range(2):  # the second lookup is answered from memory
        assert api.get("/v1/prompts/p?version=1", headers=carry(session["token"])).status_code == 200


def test_a_session_may_do_no_more_than_the_key_that_opened_it(api: Any, key: Any) -> None:
    narrow = opened(api, key("viewer"))
    scopes = api.get("/v1/self", headers=carry(narrow["token"])).json()["scopes"]
    assert "prompt:write" not in scopes


def test_a_session_ends_with_its_key(api: Any, local: Any, key: Any) -> None:
    text = key()
    session = opened(api, text)
    assert local.delete(f"/v1/keys/{text.split('_')[1]}").status_code == 204
    assert status(api, session["token"]) == 401


def test_a_session_that_ended_with_its_key_is_not_listed(api: Any, local: Any, key: Any, clock: Any) -> None:
    revoked, expired, valid = key(), key(days=1), key()
    clock.move(hours=20)
    for text in (revoked, expired):
        opened(api, text)
    assert local.delete(f"/v1/keys/{revoked.split('_')[1]}").status_code == 204
    clock.move(hours=4)
    session = opened(api, valid)
    listed = api.get("/v1/sessions", headers=carry(session["token"])).json()["items"]
    assert [each["id"] for each in listed] == [session["id"]]


def test_a_session_ends_with_the_days_of_its_key(api: Any, key: Any, clock: Any) -> None:
    text = key(days=1)
    clock.move(hours=20)
    session = opened(api, text)
    assert datetime.fromisoformat(session["expires_at"]) == clock() + timedelta(hours=4)
    clock.move(hours=3)
    assert status(api, session["token"]) == 200
    clock.move(hours=1)
    assert status(api, session["token"]) == 401


def test_neither_a_service_nor_a_session_opens_a_session(api: Any, local: Any, key: Any) -> None:
    service = local.post("/v1/keys", json={"name": "k", "role": "editor"}).json()["key"]
    assert api.post("/v1/sessions", headers=carry(service)).status_code == 409
    session = opened(api, key())
    assert api.post("/v1/sessions", headers=carry(session["token"])).status_code == 409


def test_a_code_opens_one_session_once(api: Any, local: Any, code: Any) -> None:
    text = code()
    session = opened(api, text.lower())
    assert status(api, session["token"]) == 200
    assert api.post("/v1/sessions", headers=carry(text)).status_code == 401
    methods = [entry["detail"] for entry in local.get("/v1/audit").json()["items"] if entry["action"] == "session.opened"]
    assert methods == [{"method": "code"}]


def test_of_many_who_send_a_code_at_once_one_gets_a_session(api: Any, code: Any) -> None:
    text = code()
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda _: api.post("/v1/sessions", headers=carry(text)).status_code, range(8)))
    assert sorted(statuses) == [201, *[401] * 7]


def test_a_code_ends_with_the_membership_of_its_project_alone(api: Any, local: Any, dana: str, code: Any) -> None:
    local.post("/v1/projects", json={"name": "shop"})
    assert local.put(f"/v1/people/{dana}/memberships/shop", json={"role": "viewer"}).status_code == 200
    first, second = code(), code()
    assert local.delete(f"/v1/people/{dana}/memberships/shop").status_code == 204
    assert api.post("/v1/sessions", headers=carry(first)).status_code == 201
    assert local.delete(f"/v1/people/{dana}/memberships/default").status_code == 204
    assert local.put(f"/v1/people/{dana}/memberships/default", json={"role": "editor"}).status_code == 200
    assert api.post("/v1/sessions", headers=carry(second)).status_code == 401


def test_a_code_ends_after_its_minutes(api: Any, code: Any, clock: Any) -> None:
    text = code()
    clock.move(minutes=CODE_MINUTES)
    assert api.post("/v1/sessions", headers=carry(text)).status_code == 401


def test_a_code_ends_after_a_few_wrong_tries(api: Any, code: Any) -> None:
    text = code()
    wrong = text[:-1] + ("0" if text[-1] != "0" else "1")
    for _ in range(CODE_TRIES):
        assert api.post("/v1/sessions", headers=carry(wrong)).status_code == 401
    assert api.post("/v1/sessions", headers=carry(text)).status_code == 401


def test_a_code_is_taken_at_the_sign_in_alone(api: Any, code: Any) -> None:
    text = code()
    assert api.get("/v1/self", headers=carry(text)).status_code == 401
    assert api.get("/v1/prompts", headers=carry(text)).status_code == 401
    assert api.get(f"/v1/self?code={text}", headers=carry(text)).status_code == 401


def test_a_deactivated_persons_code_and_sessions_are_dead(api: Any, local: Any, dana: str, code: Any, key: Any) -> None:
    text, session = code(), opened(api, key())
    assert local.post(f"/v1/people/{dana}/deactivate").status_code == 200
    assert status(api, session["token"]) == 401
    assert api.post("/v1/sessions", headers=carry(text)).status_code == 401


def test_a_person_lists_and_ends_their_own_sessions(api: Any, local: Any, key: Any) -> None:
    text = key()
    first, second = opened(api, text), opened(api, text)
    listed = api.get("/v1/sessions", headers=carry(first["token"])).json()["items"]
    assert {(each["id"], each["current"]) for each in listed} == {(first["id"], True), (second["id"], False)}
    assert api.delete(f"/v1/sessions/{second['id']}", headers=carry(first["token"])).status_code == 204
    assert [status(api, each["token"]) for each in (first, second)] == [200, 401]
    assert api.delete("/v1/sessions", headers=carry(text)).status_code == 204
    assert status(api, first["token"]) == 401
    assert api.get("/v1/sessions", headers=carry(text)).json()["items"] == []
    ended = [entry["subject"] for entry in local.get("/v1/audit").json()["items"] if entry["action"] == "session.ended"]
    assert ended == [second["id"], first["id"]]


def test_anothers_session_is_not_found(api: Any, local: Any, key: Any) -> None:
    session = opened(api, key())
    eve = local.post("/v1/people", json={"name": "Eve", "role": "admin"}).json()["id"]
    other = local.post("/v1/keys", json={"name": "k", "role": "admin", "person": eve}).json()["key"]
    assert api.delete(f"/v1/sessions/{session['id']}", headers=carry(other)).status_code == 404
    assert api.get("/v1/sessions", headers=carry(other)).json()["items"] == []
    assert status(api, session["token"]) == 200


def test_a_session_ends_after_its_hours(api: Any, key: Any, clock: Any, settings: Any) -> None:
    session = opened(api, key())
    clock.move(hours=settings.session_hours)
    assert status(api, session["token"]) == 401


def test_the_last_use_of_a_session_is_stored_to_within_minutes(api: Any, key: Any, clock: Any) -> None:
    session = opened(api, key())
    clock.move(minutes=6)
    assert status(api, session["token"]) == 200
    (listed,) = api.get("/v1/sessions", headers=carry(session["token"])).json()["items"]
    assert listed["last_used_at"] > listed["created_at"]


def test_no_secret_of_a_sign_in_is_stored(api: Any, key: Any, code: Any, opened_database: Database) -> None:
    text = code()
    parsed = parse_code(text)
    session = opened(api, key())
    with opened_database.read() as connection:
        rows = "".join(str(connection.connection().execute(table.select()).all()) for table in SQLModel.metadata.sorted_tables)
    assert session["id"] in rows
    assert session["token"].split("_")[2] not in rows
    assert parsed is not None
    assert parsed.secret not in rows
