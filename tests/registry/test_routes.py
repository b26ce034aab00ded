import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from factories.databases import file_bytes
from promptuary.prompt.content import Content
from promptuary.prompt.digest import content_digest
from promptuary.prompt.split import bucket

TRIAGE: dict[str, Any] = {
    "type": "chat",
    "format": "mustache",
    "template": [{"role": "system", "content": "Sort: {{intents}}"}, {"role": "user", "content": "{{ticket}}"}],
    "variables": {"ticket": {"type": "string", "maxLength": 4000}},
    "model": {"name": "local:smollm2", "temperature": 0, "max_tokens": 16},
}
VERSIONS = "/v1/prompts/support.triage/versions"
PRODUCTION = "/v1/prompts/support.triage/labels/production"


def with_text(words: str) -> dict[str, Any]:
    return {"type": "text", "template": words}


def test_a_version_is_registered_with_201_and_the_same_again_with_200(local: Any, database: Any) -> None:
    body = TRIAGE | {"message": "first", "tags": ["a"], "labels": ["staging"]}
    created = local.post(VERSIONS, json=body)
    assert created.status_code == 201
    again = local.post(VERSIONS, json=body)
    assert again.status_code == 200
    assert again.json() == created.json()
    assert created.json() == {
        "name": "support.triage",
        "version": 1,
        "digest": content_digest(Content.model_validate(TRIAGE)),
        "type": "chat",
        "template": TRIAGE["template"],
        "format": "mustache",
        "variables": created.json()["variables"],
        "model": created.json()["model"],
        "response_format": None,
        "tools": None,
        "partials": {},
        "context": None,
        "config": None,
        "labels": ["staging"],
        "message": "first",
        "tags": ["a"],
        "author": "local",
        "author_id": "local",
        "created_at": "2026-03-02T12:00:00Z",
        "includes": [],
        "given_name": None,
        "prompt_tags": ["a"],
        "warnings": [],
    }
    assert created.json()["variables"]["ticket"]["maxLength"] == 4000
    assert local.get(f"{VERSIONS}/1").json() | {"warnings": []} == created.json()


def test_a_lookup_says_what_it_found_and_an_unchanged_one_is_304(local: Any, database: Any) -> None:
    local.post(VERSIONS, json=TRIAGE | {"labels": ["production"]})
    fetched = local.get("/v1/prompts/support.triage")
    assert fetched.status_code == 200
    assert (fetched.json()["version"], fetched.json()["label"], fetched.json()["variant"]) == (1, "production", None)
    assert fetched.headers["cache-control"] == "no-cache"
    tag = fetched.headers["etag"]
    for value in (tag, f"W/{tag}", f'"other", {tag}'):
        same = local.get("/v1/prompts/support.triage", headers={"If-None-Match": value})
        assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag)
    local.post(
        VERSIONS,
        json=TRIAGE | {"format": "f-string", "template": [{"role": "user", "content": "{ticket}"}], "labels": ["production"]},
    )
    changed = local.get("/v1/prompts/support.triage", headers={"If-None-Match": tag})
    assert (changed.status_code, changed.json()["version"]) == (200, 2)
    assert changed.headers["etag"] != tag


def test_a_label_moves_with_if_match_only_if_it_has_not_moved_since(local: Any, database: Any) -> None:
    for words in ("a", "b"):
        local.post(VERSIONS, json=with_text(words))
    moved = local.put(PRODUCTION, json={"version": 1, "reason": "first"})
    assert moved.status_code == 200
    assert moved.json()["version"] == 1
    tag = moved.headers["etag"]
    assert tag == f'"{moved.json()["revision"]}"'
    assert local.put(PRODUCTION, json={"version": 2}, headers={"If-Match": tag}).status_code == 200
    for outdated in (tag, "nonsense", '"1", "2"', '"9999999999999999999"', "", f"W/{local.get(PRODUCTION).headers['etag']}"):
        response = local.put(PRODUCTION, json={"version": 1}, headers={"If-Match": outdated})
        assert (response.status_code, response.json()["code"]) == (412, "precondition_failed"), outdated
    assert local.get("/v1/prompts/support.triage").json()["version"] == 2


def test_a_label_is_rolled_back_and_its_history_read_in_pages(local: Any, database: Any) -> None:
    for words in ("a", "b"):
        local.post(VERSIONS, json=with_text(words) | {"labels": ["production"]})
    back = local.post(f"{PRODUCTION}/rollback", json={})
    assert (back.status_code, back.json()["version"]) == (200, 1)
    first = local.get(f"{PRODUCTION}/history?limit=2").json()
    assert [(move["previous"], move["version"], move["reason"]) for move in first["items"]] == [
        (2, 1, "rolled back"),
        (1, 2, "registered with this label"),
    ]
    rest = local.get(f"{PRODUCTION}/history", params={"cursor": first["next_cursor"]}).json()
    assert [move["version"] for move in rest["items"]] == [1]
    assert rest["next_cursor"] is None


def test_a_list_shows_no_more_than_the_page_limit(api: Any, local: Any, settings: Any) -> None:
    for number in range(3):
        local.post(f"/v1/prompts/p{number}/versions", json=with_text("x"))
    object.__setattr__(settings, "page_limit", 2)
    assert len(local.get("/v1/prompts?limit=10000").json()["items"]) == 2


def test_a_label_is_split_looked_up_by_key_and_rolled_back(local: Any, database: Any) -> None:
    for words in ("a", "b"):
        local.post(VERSIONS, json=with_text(words))
    local.put(PRODUCTION, json={"version": 1})
    split = {"split": [{"version": 1, "weight": 95}, {"version": 2, "weight": 5}], "reason": "carefully"}
    created = local.put(PRODUCTION, json=split)
    assert created.status_code == 200
    assert created.json()["split"]["arms"][1] == {"version": 2, "weight": 5.0, "buckets": [[9500, 10000]]}
    assert local.get(PRODUCTION).json() == created.json()
    assert local.get(PRODUCTION).headers["etag"] == created.headers["etag"]
    responses = {
        key: local.get("/v1/prompts/support.triage", params={"targeting_key": key}).json() for key in ("user-7", "user-1")
    }
    assert {key: (body["version"], body["variant"]) for key, body in responses.items()} == {
        key: ((2, "v2") if bucket("support.triage/production", key) >= 9500 else (1, "v1")) for key in responses
    }
    assert responses["user-1"]["split"] == created.json()["split"]
    (listed,) = local.get("/v1/prompts").json()["items"]
    assert (listed["labels"], listed["splits"]["production"]) == ({"production": 1}, created.json()["split"])
    assert local.post(f"{PRODUCTION}/rollback").json()["split"] is None
    assert [move["split"] is None for move in local.get(f"{PRODUCTION}/history").json()["items"]] == [True, False, True]


@pytest.mark.parametrize(
    ("body", "code", "path"),
    [
        ({"version": 1, "split": [{"version": 1, "weight": 1}, {"version": 2, "weight": 1}]}, "invalid_request", ""),
        ({"split": [{"version": 1, "weight": 1}]}, "invalid_split", "split"),
        ({"split": [{"version": 1, "weight": 1}, {"version": 1, "weight": 1}]}, "invalid_split", "split"),
        ({"split": [{"version": 1, "weight": 1}, {"version": 2, "weight": -1}]}, "invalid_split", "split.1.weight"),
        ({"split": [{"version": 1, "weight": "1"}, {"version": 2, "weight": 1}]}, "invalid_request", "split.0.weight"),
        ({"split": [{"version": 1, "weight": 1, "x": 1}, {"version": 2, "weight": 1}]}, "invalid_request", "split.0.x"),
    ],
)
def test_a_split_that_cannot_be_is_422_with_its_path(local: Any, body: Any, code: str, path: str) -> None:
    for words in ("a", "b"):
        local.post(VERSIONS, json=with_text(words))
    response = local.put(PRODUCTION, json=body)
    assert (response.status_code, response.json()["code"]) == (422, code)
    assert [error["path"] for error in response.json()["errors"]] == [path]
    assert local.get(PRODUCTION).status_code == 404


def test_a_lookup_as_of_a_moment_answers_as_of_then(local: Any, database: Any, clock: Any) -> None:
    local.post(VERSIONS, json=with_text("a") | {"labels": ["production"]})
    before = local.get("/v1/prompts/support.triage").json()
    clock.move(hours=1)
    local.post(VERSIONS, json=with_text("b") | {"labels": ["production"]})
    assert local.get("/v1/prompts/support.triage").json()["version"] == 2
    for moment in ("2026-03-02T12:30:00Z", "2026-03-02T14:30:00+02:00"):
        assert local.get("/v1/prompts/support.triage", params={"as_of": moment}).json() == before
    assert local.get("/v1/prompts/support.triage", params={"as_of": "2026-03-02T11:00:00Z"}).status_code == 404
    for wrong in ("yesterday", "2026-03-02T12:30:00", "2030-01-01T00:00:00Z"):
        assert local.get("/v1/prompts/support.triage", params={"as_of": wrong}).status_code == 422, wrong


def test_a_prompt_is_archived_and_restored(local: Any, database: Any) -> None:
    local.post(VERSIONS, json=with_text("a") | {"labels": ["production"]})
    archived = local.post("/v1/prompts/support.triage/archive", json={"reason": "not used"})
    assert (archived.status_code, archived.json()["archived_at"]) == (200, "2026-03-02T12:00:00Z")
    assert local.get("/v1/prompts/support.triage").status_code == 404
    assert local.get("/v1/prompts/support.triage?version=1").status_code == 200
    assert local.get("/v1/prompts").json()["items"] == []
    assert [item["name"] for item in local.get("/v1/prompts?archived=true").json()["items"]] == ["support.triage"]
    refused = local.post(VERSIONS, json=with_text("b"))
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    assert local.post("/v1/prompts/support.triage/restore").json()["archived_at"] is None
    assert local.get("/v1/prompts/support.triage").json()["version"] == 1


def test_includes_are_shown_previewed_followed_back_and_renewed(local: Any, database: Any) -> None:
    local.post("/v1/prompts/tone/versions", json=with_text("one") | {"labels": ["production"]})
    body = with_text("{{> tone}} {{ticket}}")
    preview = local.post("/v1/prompts/support.triage/preview", json=body)
    assert (preview.status_code, preview.json()["version"], preview.json()["created"]) == (200, 1, True)
    assert local.get("/v1/prompts/support.triage?version=1").status_code == 404
    created = local.post(VERSIONS, json=body | {"labels": ["production"]}).json()
    assert created["digest"] == preview.json()["digest"]
    assert created["includes"] == [
        {"reference": "tone", "name": "tone", "version": 1, "digest": created["includes"][0]["digest"]}
    ]
    assert local.get("/v1/prompts/support.triage").json()["partials"] == {"tone": "one"}
    assert local.post("/v1/prompts/support.triage/renew").status_code == 200
    local.post("/v1/prompts/tone/versions", json=with_text("two") | {"labels": ["production"]})
    assert local.get("/v1/prompts/tone/dependents").json()["dependents"] == [
        {"prompt": "support.triage", "version": 1, "reference": "tone", "pinned": 1, "offered": 2}
    ]
    renewed = local.post("/v1/prompts/support.triage/renew")
    assert (renewed.status_code, renewed.json()["version"], renewed.json()["partials"]) == (201, 2, {"tone": "two"})
    refused = local.post(VERSIONS, json=body | {"partials": {"tone": "smuggled"}})
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request")


def test_prompts_are_listed_by_tag(local: Any) -> None:
    local.post(VERSIONS, json=with_text("a") | {"tags": ["billing"]})
    local.post("/v1/prompts/other/versions", json=with_text("a"))
    assert [item["name"] for item in local.get("/v1/prompts?tag=billing").json()["items"]] == ["support.triage"]


# --- idempotency --------------------------------------------------------------------------------------------------------


def test_one_idempotency_key_has_one_effect_and_one_answer(local: Any, database: Any) -> None:
    headers = {"Idempotency-Key": "deploy 42"}
    local.post(VERSIONS, json=with_text("a"), headers=headers)
    local.post(VERSIONS, json=with_text("b"))
    again = local.post(VERSIONS, json=with_text("a"), headers=headers)
    assert (again.status_code, again.json()["version"]) == (201, 1)
    assert [item["version"] for item in local.get(VERSIONS).json()["items"]] == [2, 1]


def test_an_idempotency_key_is_stored_as_a_digest(local: Any, sqlite: Any) -> None:
    local.post(VERSIONS, json=with_text("a"), headers={"Idempotency-Key": "anna.berg@example.org"})
    assert b"anna.berg" not in file_bytes(sqlite)


@pytest.mark.parametrize(("path", "words"), [(VERSIONS, "other"), ("/v1/prompts/another/versions", "a")])
def test_the_same_idempotency_key_for_another_request_is_refused(local: Any, path: str, words: str) -> None:
    headers = {"Idempotency-Key": "k"}
    local.post(VERSIONS, json=with_text("a"), headers=headers)
    response = local.post(path, json=with_text(words), headers=headers)
    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")
    assert "take a new one" in response.json()["detail"]
    assert local.get("/v1/prompts").json()["items"][0]["newest"] == 1


def test_a_write_that_failed_may_be_tried_again_under_its_key(local: Any) -> None:
    headers = {"Idempotency-Key": "k"}
    assert local.put(PRODUCTION, json={"version": 1}, headers=headers).status_code == 404
    local.post(VERSIONS, json=with_text("a"))
    assert local.put(PRODUCTION, json={"version": 1}, headers=headers).status_code == 200


def test_an_idempotency_key_belongs_to_its_project(api: Any, bearer: Callable[..., dict[str, str]]) -> None:
    for project in ("default", "shop"):
        headers = bearer("author", project) | {"Idempotency-Key": "k"}
        response = api.post(VERSIONS, json=with_text(project), headers=headers)
        assert (response.status_code, response.json()["template"]) == (201, project)


@pytest.mark.parametrize("value", ["", "x" * 201])
def test_the_length_of_an_idempotency_key_is_limited(local: Any, value: str) -> None:
    assert local.post(VERSIONS, json=with_text("a"), headers={"Idempotency-Key": value}).status_code == 422


def test_two_requests_at_once_under_one_key_get_one_answer(local: Any, database: Any) -> None:
    start = threading.Barrier(4)

    def post(_number: int) -> tuple[int, str]:
        start.wait()
        response = local.post(VERSIONS, json=with_text("a"), headers={"Idempotency-Key": "k"})
        return response.status_code, response.text

    with ThreadPoolExecutor(4) as pool:
        responses = set(pool.map(post, range(4)))
    assert len(responses) == 1
    assert responses.pop()[0] == 201
    assert len(local.get("/v1/audit").json()["items"]) == 1


@pytest.mark.usefixtures("sqlite")
def test_events_are_listed_in_pages_and_by_kind(local: Any) -> None:
    for text in ("one", "two"):
        local.post("/v1/prompts/q/versions", json={"type": "text", "template": text, "labels": ["production"]})
    local.post("/v1/prompts/q/archive", json={"reason": "why"})
    first = local.get("/v1/prompts/q/events?limit=2").json()
    assert [(event["revision"], event["kind"]) for event in first["items"]] == [(5, "prompt.archived"), (4, "label.moved")]
    assert first["items"][0]["detail"] == {"reason": "why"}
    rest = local.get("/v1/prompts/q/events", params={"cursor": first["next_cursor"]}).json()
    assert [event["revision"] for event in rest["items"]] == [3, 2, 1]
    by_kind = local.get("/v1/prompts/q/events?kind=label.moved&kind=prompt.restored").json()["items"]
    assert [event["revision"] for event in by_kind] == [4, 2]
    assert local.get("/v1/prompts/q/events?kind=nonsense").status_code == 422
    assert local.get("/v1/prompts/never/events").status_code == 404


def test_a_label_is_created_or_moved_by_the_conditions_of_rfc_9110(local: Any, database: Any) -> None:
    for words in ("a", "b"):
        local.post(VERSIONS, json=with_text(words))

    def put(**headers: str) -> int:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return int(local.put(PRODUCTION, json={"version": 1}, headers=sent).status_code)

    assert put(If_Match="*") == 412
    assert put(If_None_Match="*") == 200
    assert put(If_None_Match="*") == 412
    assert put(If_Match="*") == 200
    tag = local.get(PRODUCTION).headers["etag"]
    assert put(If_Match=f"W/{tag}") == 412
    assert put(If_Match=f'"other", {tag}') == 200
    assert local.get(PRODUCTION, headers={"If-None-Match": local.get(PRODUCTION).headers["etag"]}).status_code == 304
    assert local.get(PRODUCTION, headers={"If-Match": tag}).status_code == 412
    two_lines = [("If-Match", '"other"'), ("If-Match", local.get(PRODUCTION).headers["etag"])]
    assert local.put(PRODUCTION, json={"version": 2}, headers=two_lines).status_code == 200


def test_a_lookup_checks_if_match_and_ignores_an_odd_if_none_match(local: Any, database: Any) -> None:
    local.post(VERSIONS, json=TRIAGE | {"labels": ["production"]})
    tag = local.get("/v1/prompts/support.triage").headers["etag"]
    for header, value, status in (
        ("If-Match", tag, 200),
        ("If-Match", '"other"', 412),
        ("If-None-Match", tag.strip('"'), 200),
        ("If-None-Match", f'"a" {tag}', 200),
        ("If-None-Match", f'"a" , W/{tag}', 304),
    ):
        assert local.get("/v1/prompts/support.triage", headers={header: value}).status_code == status, (header, value)


def test_a_condition_on_a_path_without_etags_is_not_ignored(local: Any) -> None:
    for headers in ({"If-Match": '"1"'}, {"If-None-Match": "*"}):
        answer = local.put("/v1/collections/c", json={}, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (412, "precondition_failed")
    assert local.get("/v1/collections/c").status_code == 404


def test_a_rollback_obeys_if_match_names_a_version_and_is_done_once_a_key(local: Any, database: Any) -> None:
    for words in ("a", "b", "c"):
        local.post(VERSIONS, json=with_text(words) | {"labels": ["production"]})
    tag = local.get(PRODUCTION).headers["etag"]
    headers = {"If-Match": tag, "Idempotency-Key": "once"}
    responses = [local.post(f"{PRODUCTION}/rollback", json={}, headers=headers) for _ in range(2)]
    assert [(response.status_code, response.json()["version"]) for response in responses] == [(200, 2), (200, 2)]
    stale = local.post(f"{PRODUCTION}/rollback", json={}, headers={"If-Match": tag})
    assert (stale.status_code, local.get(PRODUCTION).json()["version"]) == (412, 2)
    assert local.post(f"{PRODUCTION}/rollback", json={"to": 1}).json()["version"] == 1
    local.put(PRODUCTION, json={"version": 3})
    assert local.post(f"{PRODUCTION}/rollback?to=2", json={"to": 1}).status_code == 422
    assert local.post(f"{PRODUCTION}/rollback?to=1").json()["version"] == 1
    nothing = local.post(f"{PRODUCTION}/rollback", json={})
    assert (nothing.status_code, nothing.json()["code"]) == (409, "conflict")


def test_a_label_is_removed_and_comes_back_and_the_past_stays(local: Any, database: Any, clock: Any) -> None:
    local.post(VERSIONS, json=with_text("a") | {"labels": ["production", "staging"]})
    while_there = local.get("/v1/prompts/support.triage").json()["created_at"]
    clock.move(hours=1)
    revision = local.get("/v1/prompts/support.triage", params={"label": "latest"}).json()["revision"]
    removed = local.delete(
        PRODUCTION, params={"reason": "never used"}, headers={"If-Match": local.get(PRODUCTION).headers["etag"]}
    )
    assert (removed.status_code, removed.content) == (204, b"")
    missing = local.get("/v1/prompts/support.triage")
    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")
    assert "its labels are: staging" in missing.json()["detail"]
    assert local.get(PRODUCTION).status_code == local.delete(PRODUCTION).status_code == 404
    assert local.get("/v1/prompts/support.triage", params={"label": "latest"}).json()["revision"] == revision + 1
    assert local.get("/v1/prompts").json()["items"][0]["labels"] == {"staging": 1}
    assert local.get("/v1/prompts/support.triage", params={"as_of": while_there}).json()["version"] == 1
    entry = local.get(f"{PRODUCTION}/history").json()["items"][0]
    assert (entry["version"], entry["split"], entry["previous"], entry["reason"]) == (None, None, 1, "never used")
    (event,) = local.get("/v1/prompts/support.triage/events?kind=label.removed").json()["items"]
    assert event["detail"] == {"label": "production", "version": None, "split": None, "previous": 1, "reason": "never used"}
    assert local.get("/v1/audit").json()["items"][-1]["action"] == "label.removed"
    back = local.post(f"{PRODUCTION}/rollback", json={})
    assert (back.status_code, back.json()["version"]) == (200, 1)
    once = {"Idempotency-Key": "once"}
    for reason, status in (("over", 204), ("over", 204), ("other", 422)):
        assert local.delete(PRODUCTION, params={"reason": reason}, headers=once).status_code == status
    assert len(local.get("/v1/prompts/support.triage/events?kind=label.removed").json()["items"]) == 2
    assert local.delete("/v1/prompts/support.triage/labels/latest").status_code == 422


def test_the_virtual_label_has_no_state_of_its_own_and_its_error_says_so(local: Any, database: Any) -> None:
    local.post(VERSIONS, json=TRIAGE)
    answer = local.get("/v1/prompts/support.triage/labels/latest")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert "as in GET /v1/prompts/support.triage?label=latest" in answer.json()["detail"]
    assert local.get("/v1/prompts/nothing/labels/latest").json()["detail"] != answer.json()["detail"]


@pytest.mark.parametrize("weights", [[], [1]])
def test_a_split_of_too_few_arms_has_one_error_with_the_remedy(local: Any, database: Any, weights: list[int]) -> None:
    local.post(VERSIONS, json=TRIAGE)
    arms = [{"version": number, "weight": weight} for number, weight in enumerate(weights, 1)]
    answer = local.put("/v1/prompts/support.triage/labels/production", json={"split": arms, "reason": ""})
    (error,) = answer.json()["errors"]
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_split")
    assert f"must have 2 to 16 arms, and has {len(weights)}" in error["message"]
    assert ("point the label at it without a split" in error["message"]) == (len(weights) == 1)
