"""Disagreements and their adjudication over HTTP."""

from typing import Any

import pytest

Headers = dict[str, str]


def sources(page: dict[str, Any]) -> list[str]:
    return [item["source"] for item in page["items"]]


@pytest.fixture
def disputed(database: Any, api: Any, queue: str, lead: Headers, decide: Any) -> str:
    """Return the id of the second item, on which ann and ben disagree; they agree on the first."""
    decide("ann", "approve", "reject", "reject", comment="not a refund")
    decide("ben", "approve", "approve")
    [item] = api.get(f"{queue}/disagreements", headers=lead).json()["items"]
    return str(item["item"])


def test_a_disagreement_has_all_labels_and_comments(api: Any, queue: str, lead: Headers, disputed: str) -> None:
    [item] = api.get(f"{queue}/disagreements", headers=lead).json()["items"]
    assert (item["source"], item["differing"], item["gold"]) == ("item-1", ["decision"], {"decision": "approve"})
    assert [(each["reviewer"], each["decision"], each["comment"]) for each in item["reviews"]] == [
        ("key:ann", "reject", "not a refund"),
        ("key:ben", "approve", ""),
    ]
    assert item["adjudications"] == []
    assert [each["correction"] for each in item["reviews"]] == [None, None]
    assert item["payload"] == {"output": "text 1", "expected": "approve"}  # an adjudicator is as blind as a reviewer


def test_a_disagreement_has_the_corrections_of_its_reviewers(
    database: Any, api: Any, queue: str, lead: Headers, decide: Any
) -> None:
    decide("ann", "approve")
    decide("ben", "reject", correction="text 0, as it should be")
    [item] = api.get(f"{queue}/disagreements", headers=lead).json()["items"]
    assert [each["correction"] for each in item["reviews"]] == [None, "text 0, as it should be"]


def test_an_adjudicated_item_leaves_the_open_disagreements(api: Any, queue: str, lead: Headers, disputed: str) -> None:
    body = {"item": disputed, "decision": "reject", "reason": "the customer asked for a refund"}
    response = api.post(f"{queue}/adjudications", json=body, headers=lead)
    assert response.status_code == 201
    [adjudication] = response.json()["items"]
    assert (adjudication["label"], adjudication["value"], adjudication["adjudicator"]) == ("decision", "reject", "key:lea")
    assert sources(api.get(f"{queue}/disagreements", headers=lead).json()) == []
    for state in ("adjudicated", "all"):
        [item] = api.get(f"{queue}/disagreements?state={state}", headers=lead).json()["items"]
        assert item["adjudications"] == [adjudication]
    agreement = api.get(f"{queue}/agreement", headers=lead).json()
    assert agreement["disagreements"] == ["item-1"]  # how far reviewers agree does not change


def test_an_adjudication_is_audited_with_its_reason(api: Any, queue: str, lead: Headers, disputed: str, header_of: Any) -> None:
    api.post(f"{queue}/adjudications", json={"item": disputed, "decision": "reject", "reason": "a refund"}, headers=lead)
    entries = api.get("/v1/audit", headers=header_of("boss", "admin")).json()["items"]
    [entry] = [entry for entry in entries if entry["action"] == "item.adjudicated"]
    assert (entry["subject"], entry["actor"]) == (disputed, "key:lea")
    assert entry["detail"] == {"queue": "triage", "labels": ["decision"], "reason": "a refund", "own": False}


SPANS = {"fields": [{"name": "faults", "type": "spans", "options": ["rude"]}, {"name": "note", "type": "text"}]}


@pytest.mark.parametrize(
    ("start", "end", "message"),
    [
        (0, 7, "ends at 7; the output has 6 characters"),
        (6, 7, "ends at 7; the output has 6 characters"),
        (0, 10**9, "ends at 1000000000; the output has 6 characters"),
    ],
)
def test_an_adjudicated_span_beyond_the_output_is_refused(
    database: Any, api: Any, queue: str, lead: Headers, decide: Any, start: int, end: int, message: str
) -> None:
    assert api.put(queue, json={"schema": SPANS}, headers=lead).status_code == 200
    decide("ann", "approve")
    decide("ben", "reject")
    [item] = api.get(f"{queue}/disagreements", headers=lead).json()["items"]

    def settle(first: int, last: int) -> Any:
        labels = {"faults": [{"start": first, "end": last, "label": "rude"}]}
        body = {"item": item["item"], "decision": "reject", "labels": labels, "reason": "a refund"}
        return api.post(f"{queue}/adjudications", json=body, headers=lead)

    refused = settle(start, end)
    assert refused.status_code == 422
    assert refused.json()["errors"] == [{"path": "labels.faults.0", "message": message}]
    [still_open] = api.get(f"{queue}/disagreements", headers=lead).json()["items"]
    assert still_open["adjudications"] == []  # nothing of a refused request is stored
    assert settle(0, 6).status_code == 201


@pytest.mark.parametrize("role", ["viewer", "reviewer", "editor", "ci", "service"])
def test_only_a_lead_or_above_adjudicates(api: Any, queue: str, disputed: str, header_of: Any, role: str) -> None:
    body = {"item": disputed, "decision": "reject", "reason": "a refund"}
    assert api.post(f"{queue}/adjudications", json=body, headers=header_of(f"a {role}", role)).status_code == 403


def test_a_reviewer_of_the_item_adjudicates_only_by_saying_so(
    database: Any, api: Any, queue: str, lead: Headers, decide: Any
) -> None:
    decide("lea", "approve", role="lead")
    decide("ben", "reject")
    [item] = api.get(f"{queue}/disagreements", headers=lead).json()["items"]
    body = {"item": item["item"], "decision": "approve", "reason": "I am sure"}
    refused = api.post(f"{queue}/adjudications", json=body, headers=lead)
    assert refused.status_code == 409
    assert "'own': true" in refused.json()["detail"]
    assert api.post(f"{queue}/adjudications", json={**body, "own": True}, headers=lead).status_code == 201


def test_a_second_adjudication_names_the_one_that_it_replaces(
    api: Any, queue: str, lead: Headers, disputed: str, header_of: Any
) -> None:
    body = {"item": disputed, "decision": "reject", "reason": "a refund"}
    first = api.post(f"{queue}/adjudications", json=body, headers=lead).json()["items"][0]
    other = header_of("max", "lead")
    changed = {**body, "decision": "unsure", "reason": "both are right"}
    refused = api.post(f"{queue}/adjudications", json=changed, headers=other)
    assert refused.status_code == 409
    assert "key:lea" in refused.json()["detail"]
    accepted = api.post(f"{queue}/adjudications", json={**changed, "replaces": [first["id"]]}, headers=other)
    assert accepted.status_code == 201
    [item] = api.get(f"{queue}/disagreements?state=adjudicated", headers=lead).json()["items"]
    assert [(each["value"], each["adjudicator"]) for each in item["adjudications"]] == [("unsure", "key:max")]


def test_an_item_that_lacks_decisions_is_not_adjudicated(
    database: Any, api: Any, queue: str, lead: Headers, decide: Any, header_of: Any
) -> None:
    decide("ann", "approve")
    item = api.get(f"{queue}/export", headers=lead).json()["items"][0]["item"]
    body = {"item": item, "decision": "reject", "reason": "no"}
    response = api.post(f"{queue}/adjudications", json=body, headers=lead)
    assert (response.status_code, "lacks 1 of its 2" in response.json()["detail"]) == (409, True)


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"decision": "perhaps"}, "decision"),
        ({"labels": {"tone": "kind"}}, "labels.tone"),
        ({"reason": ""}, "reason"),
        ({"reason": "   "}, "reason"),
        ({"reason": None}, "reason"),
        ({"decision": None}, ""),
        ({"labels": {"decision": "approve"}}, ""),
        ({"extra": 1}, "extra"),
    ],
)
def test_an_adjudication_that_cannot_be_is_refused_by_its_field(
    api: Any, queue: str, lead: Headers, disputed: str, change: dict[str, Any], path: str
) -> None:
    body = {"item": disputed, "decision": "reject", "reason": "a refund", **change}
    response = api.post(f"{queue}/adjudications", json=body, headers=lead)
    assert (response.status_code, response.json()["errors"][0]["path"]) == (422, path)


def test_an_item_of_another_queue_or_project_is_not_adjudicated(
    api: Any, queue: str, lead: Headers, disputed: str, bearer: Any
) -> None:
    body = {"item": disputed, "decision": "reject", "reason": "a refund"}
    api.put("/v1/queues/other", json={}, headers=lead)
    assert api.post("/v1/queues/other/adjudications", json=body, headers=lead).status_code == 404
    assert api.post(f"{queue}/adjudications", json=body, headers=bearer("lead", "elsewhere")).status_code == 404
    assert api.post(f"{queue}/adjudications", json={**body, "item": "none"}, headers=lead).status_code == 404


def test_disagreements_are_paged_in_the_order_of_the_queue(
    sqlite: Any, api: Any, queue: str, lead: Headers, decide: Any
) -> None:
    decide("ann", "approve", "approve", "approve")
    decide("ben", "reject", "approve", "reject")
    first = api.get(f"{queue}/disagreements?limit=1", headers=lead).json()
    assert sources(first) == ["item-0"]
    body = {"item": first["items"][0]["item"], "decision": "reject", "reason": "no"}
    api.post(f"{queue}/adjudications", json=body, headers=lead)
    second = api.get(f"{queue}/disagreements?limit=1&cursor={first['next_cursor']}", headers=lead).json()
    assert (sources(second), second["next_cursor"]) == (["item-2"], None)


def test_a_reviewer_sees_no_labels_where_the_queue_does_not_show_them(
    api: Any, queue: str, disputed: str, header_of: Any
) -> None:
    response = api.get(f"{queue}/disagreements", headers=header_of("ann"))
    assert (response.status_code, "does not show the labels" in response.json()["detail"]) == (403, True)


def test_a_reviewer_sees_own_finished_disagreements_without_names_and_known_labels(
    api: Any, queue: str, lead: Headers, disputed: str, header_of: Any, clock: Any
) -> None:
    response = api.put(queue, json={"slots": 2, "blind": ["labels"]}, headers=lead)
    assert response.status_code == 200, response.text
    path = f"{queue}/disagreements"
    assert api.get(path, headers=header_of("ann")).json()["items"] == []  # a decision can still be undone
    clock.move(seconds=300)
    [item] = api.get(path, headers=header_of("ann")).json()["items"]
    assert (item["source"], item["gold"]) == (disputed, {})
    assert [(each["reviewer"], each["reviewer_id"] is None, each["decision"]) for each in item["reviews"]] == [
        ("key:ann", False, "reject"),
        ("another reviewer", True, "approve"),
    ]
    assert api.get(path, headers=header_of("cy")).json()["items"] == []  # who did not decide it sees nothing


def test_a_queue_that_names_its_adjudicators_refuses_others(
    api: Any, queue: str, lead: Headers, disputed: str, header_of: Any
) -> None:
    header_of("max", "lead")
    named = api.put(queue, json={"slots": 2, "adjudicators": ["max"]}, headers=lead)
    assert named.status_code == 200, named.text
    body = {"item": disputed, "decision": "reject", "reason": "a refund"}
    assert api.post(f"{queue}/adjudications", json=body, headers=lead).status_code == 403
    assert api.post(f"{queue}/adjudications", json=body, headers=header_of("max")).status_code == 201
