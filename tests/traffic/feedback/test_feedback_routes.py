"""Feedback over HTTP: stored once, counted, corrected by its sender, and refused with the reason."""

from collections.abc import Callable
from typing import Any

import pytest

from factories.clock import ManualClock
from factories.feedback import add_call
from promptuary.traffic.feedback.feedback import hour_of

PATH = "/v1/feedback"
Send = Callable[..., Any]


def test_feedback_is_stored_and_counted_for_its_version(database: Any, send: Send, counts: Any, clock: ManualClock) -> None:
    answer = send(value=0.25, comment="too long", correction="Hi!", name="tone")
    assert answer.status_code == 201, answer.text
    stored = answer.json()
    assert (stored["prompt"], stored["version"], stored["value"], stored["name"]) == ("greeting", 1, 0.25, "tone")
    assert (stored["comment"], stored["correction"], stored["observation"]) == ("too long", "Hi!", None)
    assert counts() == {(1, "", hour_of(clock())): (1, 0.25, 1)}


@pytest.mark.parametrize(("value", "stored"), [(True, 1.0), (False, 0.0), (1, 1.0), (0, 0.0), (0.5, 0.5)])
def test_a_value_is_true_false_or_a_number_from_0_to_1(send: Send, value: Any, stored: float) -> None:
    assert send(value=value).json()["value"] == stored


@pytest.mark.parametrize("value", [-0.1, 1.01, 2, "1", "true", [1], float("nan")])
def test_another_value_is_refused(send: Send, counts: Any, value: Any) -> None:
    try:
        assert send(value=value).status_code in (400, 422)
    except ValueError:  # the client of the test does not send NaN
        assert value != value
    assert counts() == {}


def test_repeated_delivery_counts_once(database: Any, send: Send, counts: Any, clock: ManualClock) -> None:
    first = send(id="a", comment="good", user="u-1")
    again = send(id="a", comment="good", user="u-1")
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert counts() == {(1, "", hour_of(clock())): (1, 1.0, 0)}


def test_a_correction_replaces_it_and_the_counters_follow(database: Any, send: Send, counts: Any, clock: ManualClock) -> None:
    hour = hour_of(clock())
    created = send(id="a", value=1).json()["created_at"]
    clock.move(hours=2)
    answer = send(id="a", value=0, version=2, comment="wrong after all")
    assert (answer.status_code, answer.json()["value"], answer.json()["created_at"]) == (200, 0.0, created)
    assert counts() == {(2, "", hour + 2): (1, 0.0, 1)}


def test_a_delayed_delivery_does_not_undo_a_correction(send: Send, counts: Any, clock: ManualClock) -> None:
    clock.move(hours=1)
    send(id="a", value=0, at="2026-03-02T12:30:00Z")
    assert send(id="a", value=1, at="2026-03-02T12:10:00Z").json()["value"] == 0.0
    assert [count for count, _, _ in counts().values()] == [1]


def test_nobody_replaces_somebody_elses_feedback(api: Any, send: Send, bearer: Any, counts: Any) -> None:
    send(id="a", value=1)
    body = {"prompt": "greeting", "version": 1, "value": 0, "id": "a"}
    refused = api.post(PATH, json=body, headers=bearer("reviewer"))
    assert (refused.status_code, refused.json()["code"]) == (409, "already_exists")
    assert [total for _, total, _ in counts().values()] == [1.0]


def test_the_id_of_another_project_is_free(api: Any, send: Send, bearer: Any) -> None:
    send(id="a")
    content = {"type": "text", "format": "mustache", "template": "Hi"}
    assert api.post("/v1/prompts/greeting/versions", json=content, headers=bearer("editor", "other")).status_code == 201
    body = {"prompt": "greeting", "version": 1, "value": 0, "id": "a"}
    assert api.post(PATH, json=body, headers=bearer("service", "other")).status_code == 201
    assert [item["value"] for item in api.get(PATH, headers=bearer("editor")).json()["items"]] == [1.0]


def test_feedback_on_a_known_call_counts_with_the_call(database: Any, send: Send, counts: Any, clock: ManualClock) -> None:
    hour = hour_of(clock())
    with database.write() as session:
        add_call(session, clock(), response_id="chatcmpl-1", trace_id="a" * 32, span_id="b" * 16)
    clock.move(hours=3)
    for index, names in enumerate(
        ({"observation": "obs-1"}, {"observation": "key-1"}, {"observation": "chatcmpl-1"}),
    ):
        assert send(id=f"f{index}", **names).json()["observation"] == "obs-1"
    assert send(id="f3", trace_id="a" * 32, span_id="b" * 16, value=0).json()["observation"] == "obs-1"
    assert counts() == {(1, "m", hour): (4, 3.0, 1)}


def test_feedback_that_names_another_version_than_its_call_is_refused(
    api: Any, sqlite: Any, send: Send, clock: ManualClock, counts: Any
) -> None:
    with sqlite.write() as session:
        add_call(session, clock(), version=2)
    refused = send(observation="obs-1")
    assert refused.status_code == 409
    assert "version 2 of 'greeting'" in refused.json()["detail"]
    assert counts() == {}


def test_a_version_can_be_named_by_its_digest(api: Any, send: Send, bearer: Any) -> None:
    digest = api.get("/v1/prompts/greeting/versions/2", headers=bearer("editor")).json()["digest"]
    assert send(version=None, digest=digest).json()["version"] == 2
    assert send(version=None, digest="sha256:" + "0" * 64).status_code == 404


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"prompt": "nothing"}, 404),
        ({"version": 3}, 404),
        ({"version": None}, 422),
        ({"digest": "sha256:" + "0" * 64}, 422),
        ({"trace_id": "a" * 32}, 422),
        ({"id": "no spaces"}, 422),
        ({"unknown": 1}, 422),
        ({"comment": "x" * 100_001}, 422),
        ({"user": ""}, 422),
    ],
)
def test_wrong_feedback_is_refused_and_leaves_nothing(send: Send, counts: Any, fields: Any, status: int) -> None:
    assert send(**fields).status_code == status
    assert counts() == {}


def test_a_list_is_stored_except_what_is_refused(database: Any, api: Any, bearer: Any, prompt: str, counts: Any) -> None:
    good = {"prompt": prompt, "version": 1, "value": 1}
    items = [{**good, "id": "a"}, {**good, "version": 9, "id": "b"}, {**good, "value": 0, "id": "a"}, {**good, "id": "c"}]
    answer = api.post(PATH, json={"items": items}, headers=bearer("service"))
    assert answer.status_code == 202, answer.text
    assert answer.json()["accepted"] == 3
    (rejected,) = answer.json()["rejected"]
    assert (rejected["index"], rejected["id"], rejected["code"]) == (1, "b", "not_found")
    assert list(counts().values()) == [(2, 1.0, 1)]
    both = {"items": [good], "prompt": prompt}
    assert api.post(PATH, json=both, headers=bearer("service")).status_code == 422
    too_many = [{**good, "id": f"f{number}"} for number in range(1001)]
    assert api.post(PATH, json={"items": too_many}, headers=bearer("service")).status_code == 422


def test_a_list_names_items_that_cannot_be_read_and_stores_the_rest(api: Any, bearer: Any, prompt: str, counts: Any) -> None:
    good = {"prompt": prompt, "version": 1, "value": 1}
    bad = [{**good, "value": 2, "id": "b"}, "text", {**good, "at": "1999-01-01T00:00:00Z"}, {"value": 1}]
    answer = api.post(PATH, json={"items": [bad[0], good, *bad[1:]]}, headers=bearer("service"))
    assert (answer.status_code, answer.json()["accepted"]) == (202, 1)
    rejected = answer.json()["rejected"]
    assert [(each["index"], each["id"], each["code"]) for each in rejected] == [
        (0, "b", "invalid_request"),
        (2, None, "invalid_request"),
        (3, None, "invalid_request"),
        (4, None, "invalid_request"),
    ]
    assert rejected[0]["message"] == "value must be true, false, or a number from 0 to 1"
    assert rejected[2]["message"].startswith("at must not be before 2025-01-2")
    assert rejected[3]["message"] == "prompt is required"
    assert [count for count, _, _ in counts().values()] == [1]


@pytest.mark.parametrize("value", [5, "yes", [1], -1])
def test_a_wrong_value_is_one_error_in_plain_words(send: Send, value: Any) -> None:
    errors = send(value=value).json()["errors"]
    assert [(error["path"], error["message"]) for error in errors] == [
        ("value", "must be true, false, or a number from 0 to 1")
    ]


@pytest.mark.parametrize("at", ["1970-01-21T00:00:00Z", "1999-12-31T00:00:00Z", "2031-01-01T00:00:00Z"])
def test_feedback_of_an_impossible_time_is_refused_at_its_field(send: Send, counts: Any, at: str) -> None:
    refused = send(at=at)
    assert (refused.status_code, [error["path"] for error in refused.json()["errors"]]) == (422, ["at"])
    assert counts() == {}


def test_people_in_texts_are_redacted_and_the_user_is_hashed(sqlite: Any, send: Send) -> None:
    stored = send(comment="write to ann@example.org", correction="call +49 170 1234567", user="ann@example.org").json()
    assert stored["redacted"] == 2
    assert "ann@" not in str(stored)
    assert "1234567" not in str(stored)
    assert len(stored["user"]) == 64


@pytest.mark.parametrize("role", ["service", "reviewer", "editor", "lead", "admin"])
def test_applications_and_reviewers_send_feedback(api: Any, bearer: Any, prompt: str, role: str) -> None:
    body = {"prompt": prompt, "version": 1, "value": 1}
    assert api.post(PATH, json=body, headers=bearer(role)).status_code == 201


def test_a_viewer_sends_none_and_a_service_reads_none(api: Any, bearer: Any, prompt: str) -> None:
    body = {"prompt": prompt, "version": 1, "value": 1}
    assert api.post(PATH, json=body, headers=bearer("viewer")).status_code == 403
    assert api.get(PATH, headers=bearer("service")).status_code == 403


def test_feedback_is_listed_in_pages_the_newest_first(
    database: Any, api: Any, bearer: Any, send: Send, clock: ManualClock
) -> None:
    for number in range(5):
        send(id=f"f{number}", value=number / 4, version=1 + number % 2, name="tone" if number else "")
        clock.move(seconds=number)  # the first two have one time
    headers, pages, cursor = bearer("editor"), [], None
    while True:
        query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        answer = api.get(PATH, params=query, headers=headers)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        pages.append([item["id"] for item in page["items"]])
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert pages == [["f4", "f3"], ["f2", "f1"], ["f0"]]

    def ids(**query: Any) -> list[str]:
        answer = api.get(PATH, params=query, headers=headers)
        assert answer.status_code == 200, answer.text
        return [item["id"] for item in answer.json()["items"]]

    assert ids(prompt="greeting", version=2) == ["f3", "f1"]
    assert ids(below=0.5) == ["f1", "f0"]
    assert ids(name="tone", version=1) == ["f4", "f2"]
    assert ids(observation="nothing") == []
    assert api.get(PATH, params={"prompt": "nothing"}, headers=headers).status_code == 404
    assert api.get(PATH, params={"cursor": "ImEi"}, headers=headers).status_code in (400, 422)


def test_what_is_refused_of_a_list_is_named_without_personal_data(api: Any, bearer: Any) -> None:
    item = {"prompt": "support.triage", "version": 1, "value": 1, "id": "anna@example.org", "of ben@example.org": 1}
    response = api.post("/v1/feedback", json={"items": [item]}, headers=bearer("service"))
    [rejected] = response.json()["rejected"]
    assert (rejected["index"], rejected["id"]) == (0, "[redacted: e-mail]")
    assert "example.org" not in response.text
