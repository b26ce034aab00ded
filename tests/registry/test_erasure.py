"""An erased version: its content is in no table and in no file, what identifies it stays, and nothing crashes on it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import inspect, text

SECRET = "sk-live-51H8xQ2eZvKYlo2C"
VERSIONS = "/v1/prompts/leak/versions"
ERASE = f"{VERSIONS}/1/erase"
WHY = {"reason": "a key was pasted"}


def put(local: Any, words: str, name: str = "leak", **more: Any) -> Any:
    return local.post(f"/v1/prompts/{name}/versions", json={"type": "text", "template": words, **more})


@pytest.fixture
def leak(local: Any) -> str:
    """The digest of version 1 of `leak`, which has the secret; version 2 does not, and `production` points at it."""
    digest = put(local, f"Use {SECRET} for {{{{who}}}}.", message="first", tags=["a"]).json()["digest"]
    put(local, "Use the vault.", labels=["production"])
    return str(digest)


def stored_texts(database: Any) -> str:
    """Return every value of every table, so that a new table that stores contents is noticed."""
    with database.read() as session:
        tables = inspect(session.connection()).get_table_names()
        return "".join(str(row) for table in tables for row in session.execute(text(f'SELECT * FROM "{table}"')))


@pytest.mark.usefixtures("database")
def test_an_erased_version_keeps_its_number_digest_and_history_and_is_410(local: Any, leak: str) -> None:
    erased = local.post(ERASE, json=WHY)
    assert erased.status_code == 200
    body = erased.json()
    assert [(entry["name"], entry["version"], entry["digest"]) for entry in body["erased"]] == [("leak", 1, leak)]
    assert body["backups"]["from"] <= body["backups"]["until"]
    assert "every backup" in body["backups"]["detail"]
    assert body["storage"]["scrubbed"] is True
    for path in (f"{VERSIONS}/1", "/v1/prompts/leak?version=1"):
        answer = local.get(path)
        assert (answer.status_code, answer.json()["code"], answer.json()["title"]) == (410, "erased", "Gone")
        assert SECRET not in answer.text
    newest, oldest = local.get(VERSIONS).json()["items"]
    assert (newest["version"], newest["template"]) == (2, "Use the vault.")
    assert (oldest["version"], oldest["digest"], oldest["message"], "template" in oldest) == (1, leak, "first", False)
    assert oldest["erased_at"] == body["erased"][0]["erased_at"]
    (event,) = local.get("/v1/prompts/leak/events?kind=version.erased").json()["items"]
    assert event["detail"] == {"version": 1, "digest": leak}
    entry = local.get("/v1/audit").json()["items"][-1]
    assert (entry["action"], entry["detail"]["reason"]) == ("version.erased", "a key was pasted")
    assert local.get("/v1/audit/verify").json()["broken_at"] is None
    assert local.get("/v1/prompts/leak").json()["version"] == 2


@pytest.mark.usefixtures("leak")
def test_no_table_contains_the_content_any_more(local: Any, database: Any) -> None:
    key = {"Idempotency-Key": "once"}
    retried = {"type": "text", "template": f"More: {SECRET}, really.", "labels": ["staging"]}
    assert local.post(VERSIONS, json=retried, headers=key).status_code == 201
    assert SECRET in stored_texts(database)
    for number in (1, 3):
        assert local.post(f"{VERSIONS}/{number}/erase", json=WHY | {"labelled": True}).status_code == 200
    assert SECRET not in stored_texts(database)
    assert SECRET.rpartition("-")[2].lower() not in stored_texts(database).lower()
    replayed = local.post(VERSIONS, json=retried, headers=key)
    assert (replayed.status_code, replayed.json()["code"]) == (410, "erased")
    assert replayed.headers["content-type"] == "application/problem+json"


@pytest.mark.usefixtures("leak")
def test_the_database_itself_permits_no_other_change_of_a_version(local: Any, database: Any) -> None:
    local.post(ERASE, json=WHY)
    for change in (
        "UPDATE version SET content = 'x' WHERE number = 2",
        "UPDATE version SET content = '' WHERE number = 2",
        "UPDATE version SET content = '', erased_at = created_at, digest = 'x' WHERE number = 2",
        "UPDATE version SET content = 'x', erased_at = created_at WHERE number = 2",
        "UPDATE version SET content = '', erased_at = created_at, tags = '[\"b\"]' WHERE number = 2",
        "UPDATE version SET content = 'x' WHERE number = 1",
        "UPDATE version SET erased_at = NULL WHERE number = 1",
        "DELETE FROM version WHERE number = 1",
    ):
        with pytest.raises(Exception, match="version is append-only"), database.write() as session:
            session.execute(text(change))


def test_a_response_with_json_inside_json_is_erased_too(local: Any, database: Any) -> None:
    words = f'Use "{SECRET}"\nfor é'
    messages = json.dumps([{"role": "user", "content": words}])
    tags = [{"key": "mlflow.prompt.text", "value": messages}, {"key": "_mlflow_prompt_type", "value": "chat"}]
    tags.append({"key": "mlflow.prompt.is_prompt", "value": "true"})
    local.post("/api/2.0/mlflow/registered-models/create", json={"name": "leak", "tags": tags[2:]})
    created = local.post(
        "/api/2.0/mlflow/model-versions/create",
        json={"name": "leak", "tags": tags},
        headers={"Idempotency-Key": "k"},
    )
    assert created.status_code == 200, created.text
    assert local.post(ERASE, json=WHY).status_code == 200
    assert SECRET not in stored_texts(database)


def test_a_digest_finds_the_version_that_still_has_the_content(local: Any) -> None:
    for _ in range(2):
        local.post("/api/public/v2/prompts", json={"name": "leak", "prompt": "Use it.", "type": "text"})
    digest = local.get(f"{VERSIONS}/1").json()["digest"].removeprefix("sha256:")
    assert local.post(f"{VERSIONS}/2/erase", json=WHY).status_code == 200
    assert local.get(f"/langsmith/commits/-/leak/{digest}").status_code == 200


@pytest.mark.usefixtures("leak")
def test_the_files_of_sqlite_do_not_contain_the_content(local: Any, sqlite: Any) -> None:
    put(local, f"{{{{> leak@1}}}} and {SECRET}", "other")
    assert local.get("/v1/prompts?search=51H8xQ2eZvKYlo2C").json()["items"][0]["name"] == "other"
    folder = Path(sqlite.engine.url.database).parent
    files = [file for file in folder.rglob("*") if file.is_file()]
    assert any(SECRET.encode() in file.read_bytes() for file in files)
    answer = local.post(ERASE, json=WHY | {"including": True}).json()
    assert answer["storage"]["scrubbed"], answer["storage"]
    assert local.get("/v1/prompts?search=51H8xQ2eZvKYlo2C").json()["items"] == []
    word = SECRET.rpartition("-")[2].lower().encode()
    assert [file for file in folder.rglob("*") if file.is_file() and word in file.read_bytes().lower()] == []


def test_only_an_operator_erases_and_gives_a_reason(api: Any, bearer: Callable[..., dict[str, str]], leak: str) -> None:
    assert api.post(ERASE, json=WHY, headers=bearer("admin")).status_code == 403
    for body in ({}, {"reason": ""}, {"reason": " "}):
        assert api.post(ERASE, json=body, headers=bearer("operator")).status_code == 422
    assert api.post(f"{VERSIONS}/9/erase", json=WHY, headers=bearer("operator")).status_code == 404
    assert api.get(f"{VERSIONS}/1", headers=bearer("operator")).status_code == 200


@pytest.mark.usefixtures("database", "leak")
def test_a_labelled_version_is_erased_only_if_the_caller_accepts_it(local: Any) -> None:
    local.put("/v1/prompts/leak/labels/staging", json={"split": [{"version": 2, "weight": 9}, {"version": 1, "weight": 1}]})
    refused = local.post(ERASE, json=WHY)
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    assert "leak/staging" in refused.json()["detail"]
    erased = local.post(ERASE, json=WHY | {"labelled": True})
    assert (erased.status_code, erased.json()["labels"]) == (200, ["leak/staging"])
    statuses = {
        local.get("/v1/prompts/leak", params={"label": "staging", "targeting_key": str(user)}).status_code for user in range(60)
    }
    assert statuses == {200, 410}
    assert local.get("/v1/prompts/leak").status_code == 200


@pytest.mark.usefixtures("database", "leak")
def test_what_includes_the_version_is_named_and_erased_only_on_request(local: Any) -> None:
    assert put(local, "Say: {{> leak@1}}", "outer", labels=["production"]).status_code == 201
    assert put(local, "Nested: {{> outer}}", "nested").status_code == 201
    refused = local.post(ERASE, json=WHY)
    assert (refused.status_code, "outer@1, nested@1 include version 1" in refused.json()["detail"]) == (409, True)
    assert local.post(ERASE, json=WHY | {"including": True}).status_code == 409  # a label points at one of them
    erased = local.post(ERASE, json=WHY | {"including": True, "labelled": True}).json()
    assert {(entry["name"], entry["version"]) for entry in erased["erased"]} == {("leak", 1), ("outer", 1), ("nested", 1)}
    assert local.get("/v1/prompts/nested/versions/1").status_code == local.get("/v1/prompts/outer").status_code == 410
    again = put(local, "Again: {{> leak@1}}", "later")
    assert (again.status_code, "was erased" in again.text) == (422, True)


@pytest.mark.usefixtures("database", "leak")
def test_an_erasure_is_done_once_however_often_it_is_requested(local: Any) -> None:
    first, second = (local.post(ERASE, json=WHY).json() for _ in range(2))
    assert first["erased"] == second["erased"]
    assert [entry["action"] for entry in local.get("/v1/audit").json()["items"]].count("version.erased") == 1
    assert len(local.get("/v1/prompts/leak/events?kind=version.erased").json()["items"]) == 1


@pytest.mark.usefixtures("database")
def test_the_content_can_be_registered_again_as_a_new_version(local: Any) -> None:
    digest = put(local, "one and only").json()["digest"]
    assert put(local, "one and only", "twin").status_code == 201
    erased = local.post(ERASE, json=WHY).json()
    assert erased["same_content"] == ["twin@1"]
    assert local.post("/v1/prompts/leak/preview", json={"type": "text", "template": "one and only"}).json()["created"] is True
    again = put(local, "one and only")
    assert (again.status_code, again.json()["version"], again.json()["digest"]) == (201, 2, digest)


@pytest.mark.usefixtures("database", "leak")
def test_no_label_moves_or_rolls_back_to_an_erased_version(local: Any) -> None:
    label = "/v1/prompts/leak/labels/production"
    put(local, "third")
    for number in (1, 3):
        local.put(label, json={"version": number})
    local.post(ERASE, json=WHY)
    assert local.put(label, json={"version": 1}).json()["code"] == "erased"
    assert local.post(f"{label}/rollback", json={"to": 1}).json()["code"] == "erased"
    assert local.post(f"{label}/rollback", json={}).json()["version"] == 2


@pytest.mark.usefixtures("database", "leak")
def test_every_way_to_an_erased_version_reports_it(local: Any) -> None:
    local.post(ERASE, json=WHY)
    for method, path, body in (
        ("GET", "/v1/prompts/leak/diff?from=1&to=2", None),
        ("POST", "/v1/prompts/leak/render", {"version": 1, "variables": {}}),
        ("GET", "/v1/prompts/leak/similar?version=1", None),
        ("GET", "/api/public/v2/prompts/leak?version=1", None),
        ("GET", "/api/2.0/mlflow/model-versions/get?name=leak&version=1", None),
    ):
        answer = local.request(method, path, **({"json": body} if body else {}))
        assert (answer.status_code in (404, 410), "was erased" in answer.text) == (True, True), (path, answer.text)
    for path in (
        "/v1/prompts",
        "/v1/prompts/leak/dependents",
        "/v1/prompts/leak/events",
        "/api/public/v2/prompts",
        "/api/2.0/mlflow/registered-models/search",
        "/api/2.0/mlflow/registered-models/get?name=leak",
        "/api/2.0/mlflow/model-versions/search?filter=name%3D'leak'",
    ):
        assert local.get(path).status_code == 200, path


def test_outputs_and_rendered_inputs_of_runs_and_reviews_are_emptied(
    local: Any, sqlite: Any, create_words_suite: Callable[..., None], finish_run: Callable[..., Any]
) -> None:
    create_words_suite(versions=("Say {{text}} politely.",))
    run = finish_run()
    (variant,) = run.plan.variants
    results = f"/v1/runs/{run.id}/results"
    assert local.put("/v1/queues/q", json={"instructions": "look"}).status_code in (200, 201)
    added = local.post("/v1/queues/q/items", json={"run": run.id, "only": "all"})
    assert added.status_code == 200, added.text
    before = local.get(results).json()["items"]
    assert all(result["output"] is not None and result["detail"] for result in before)
    body = WHY | {"labelled": True}
    removed = local.post(f"/v1/prompts/{variant.prompt}/versions/{variant.version}/erase", json=body).json()["removed"]
    assert (removed["runs"], removed["results"], removed["review_items"]) == (1, len(before), len(before))
    after = local.get(results).json()["items"]
    assert [(result["output"], result["pass"], result["score"]) for result in after] == [
        (None, result["pass"], result["score"]) for result in before
    ]
    with sqlite.read() as session:
        payloads = [json.loads(payload) for (payload,) in session.execute(text("SELECT payload FROM review_item"))]
    assert all(payload["output"] is None and payload["messages"] is None and payload["erased"] for payload in payloads)
    assert local.get(f"/v1/runs/{run.id}").status_code == 200


def test_a_response_in_memory_ends_in_every_process(
    api: Any, bearer: Callable[..., dict[str, str]], local: Any, leak: str
) -> None:
    reader = bearer("reader")
    local.put("/v1/prompts/leak/labels/staging", json={"version": 1})
    for path in ("/v1/prompts/leak?version=1", "/v1/prompts/leak?label=staging"):
        tags = [api.get(path, headers=reader).headers["etag"] for _ in range(2)]
        assert api.get(path, headers=reader | {"If-None-Match": tags[0]}).status_code == 304
    assert local.post(ERASE, json=WHY | {"labelled": True}).status_code == 200
    for path in ("/v1/prompts/leak?version=1", "/v1/prompts/leak?label=staging"):
        for headers in (reader, reader | {"If-None-Match": tags[1]}):
            assert api.get(path, headers=headers).json()["code"] == "erased"


def test_a_run_in_flight_is_cancelled_and_its_worker_can_write_nothing_more(
    local: Any, create_words_suite: Callable[..., None], submit_run: Callable[..., Any], executor: Any
) -> None:
    create_words_suite(versions=("Say {{text}} politely.",))
    submit_run()
    leased = executor.lease("w1")
    body = WHY | {"labelled": True}
    assert local.post("/v1/prompts/word/versions/1/erase", json=body).json()["removed"]["runs"] == 1
    assert local.get(f"/v1/runs/{leased.id}").json()["state"] == "cancelled"
    executor.execute(leased)
    assert local.get(f"/v1/runs/{leased.id}/results").json()["items"] == []
    assert local.get(f"/v1/runs/{leased.id}").json()["state"] == "cancelled"
    refused = local.post("/v1/runs", json={"suite": "words"})
    assert (refused.status_code, refused.json()["code"]) == (410, "erased")
