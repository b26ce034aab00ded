"""Review queues over HTTP: from an empty queue to an export, and what each route refuses."""

from collections.abc import Callable
from typing import Any

import pytest

from factories.reviews import SEEN
from promptuary.access.role import Role
from promptuary.access.service import AccessService

Headers = dict[str, str]


@pytest.fixture
def header_of(unit_as: Any) -> Callable[[str, str], Headers]:
    """Make the header of a named key, for each person is known by their key's name."""

    def header(name: str, role: str = "reviewer") -> Headers:
        with unit_as("operator") as unit:
            return {"Authorization": f"Bearer {AccessService(unit).create_key(name, Role(role))[1]}"}

    return header


@pytest.fixture
def author(header_of: Callable[..., Headers]) -> Headers:
    return header_of("author", "author")


@pytest.fixture
def queue(api: Any, author: Headers) -> str:
    response = api.put("/v1/queues/triage", json={"instructions": "Is it right?", "slots": 2}, headers=author)
    assert response.status_code == 200
    items = [{"source": f"item-{number}", "payload": {"input": {"ticket": f"text {number}"}}} for number in range(2)]
    assert api.post("/v1/queues/triage/items", json={"items": items}, headers=author).json() == {
        "added": 2,
        "present": 0,
        "gold": 0,
        "repeated": 0,
    }
    return "/v1/queues/triage"


def test_a_review_from_the_claim_to_the_export(sqlite: Any, api: Any, queue: str, author: Headers, header_of: Any) -> None:
    ann = header_of("ann")
    claimed = api.post(f"{queue}/claims", headers=ann)
    assert claimed.status_code == 201
    claim = claimed.json()
    assert claim["queue"] == "triage"
    assert claim["item"]["payload"] == {"input": {"ticket": "text 0"}}
    assert api.post(f"{queue}/claims", headers=ann).status_code == 200
    assert api.get(f"/v1/claims/{claim['id']}", headers=ann).json()["nonce"] == claim["nonce"]

    body = {"nonce": claim["nonce"], "decision": "reject", "comment": "a refund, not a top-up", **SEEN}
    response = api.post(f"/v1/claims/{claim['id']}/submit", json=body, headers=ann)
    assert response.status_code == 200
    assert response.json()["reviewer"] == "key:ann"
    assert api.post(f"/v1/claims/{claim['id']}/submit", json=body, headers=ann).status_code == 409

    exported = api.get(f"{queue}/export", headers=author).json()["items"]
    assert [(row["source"], row["decision"], row["comment"]) for row in exported] == [
        ("item-0", "reject", "a refund, not a top-up")
    ]
    counts = api.get(queue, headers=ann).json()["counts"]
    assert counts == {"items": 2, "decided": 0, "open": 2, "claimed": 0, "mine": 1, "left": 1}


def test_a_queue_with_nothing_to_have_answers_204(sqlite: Any, api: Any, author: Headers) -> None:
    api.put("/v1/queues/empty", json={}, headers=author)
    response = api.post("/v1/queues/empty/claims", headers=author)
    assert (response.status_code, response.content) == (204, b"")


def test_a_claim_shows_nothing_of_what_others_decided(sqlite: Any, api: Any, queue: str, header_of: Any) -> None:
    ann, ben = header_of("ann"), header_of("ben")
    claim = api.post(f"{queue}/claims", headers=ann).json()
    api.post(f"/v1/claims/{claim['id']}/submit", json={"nonce": claim["nonce"], "decision": "reject", **SEEN}, headers=ann)
    second_claim = api.post(f"{queue}/claims", headers=ben).json()
    assert second_claim["item"] == claim["item"]
    assert "reject" not in str(second_claim)
    assert api.get(f"{queue}/export", headers=ben).status_code == 403


@pytest.mark.parametrize("action", ["skip", "defer", "release"])
def test_a_skipped_or_released_claim_is_not_live(sqlite: Any, api: Any, queue: str, header_of: Any, action: str) -> None:
    ann = header_of("ann")
    claim = api.post(f"{queue}/claims", headers=ann).json()
    assert api.post(f"/v1/claims/{claim['id']}/{action}", headers=ann).status_code == 204
    assert api.get(f"/v1/claims/{claim['id']}", headers=ann).status_code == 409


def test_a_heartbeat_gives_the_new_end_of_the_lease(sqlite: Any, api: Any, queue: str, header_of: Any, clock: Any) -> None:
    ann = header_of("ann")
    claim = api.post(f"{queue}/claims", headers=ann).json()
    clock.move(seconds=60)
    extended = api.post(f"/v1/claims/{claim['id']}/heartbeat", headers=ann).json()
    assert (claim["lease_until"], extended["lease_until"]) == ("2026-03-02T12:05:00Z", "2026-03-02T12:06:00Z")


def test_a_retry_under_one_idempotency_key_gets_the_first_answer(sqlite: Any, api: Any, queue: str, header_of: Any) -> None:
    ann = header_of("ann")
    claim = api.post(f"{queue}/claims", headers=ann).json()
    for _ in range(2):
        response = api.post(
            f"/v1/claims/{claim['id']}/submit",
            json={"nonce": claim["nonce"], "decision": "approve", **SEEN},
            headers={**ann, "Idempotency-Key": "one"},
        )
        assert response.status_code == 200


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"decisions": [{"value": "yes"}]}, "decisions"),
        ({"decisions": [{"value": "yes", "shortcut": "yy"}, {"value": "no"}]}, "decisions.0.shortcut"),
        ({"decisions": [{"value": "yes", "shortcut": "S"}, {"value": "no"}]}, "decisions.0.shortcut"),
        ({"slots": 0}, "slots"),
        ({"slots": True}, "slots"),
        ({"id": 1}, "id"),
    ],
)
def test_a_queue_that_cannot_be_is_refused_by_its_field(
    sqlite: Any, api: Any, author: Headers, body: dict[str, Any], path: str
) -> None:
    response = api.put("/v1/queues/triage", json=body, headers=author)
    assert (response.status_code, response.json()["errors"][0]["path"]) == (422, path)
    assert api.get("/v1/queues/triage", headers=author).status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"items": []},
        {"items": [{"source": "a", "payload": {}}], "run": "r"},
        {"items": [{"source": "a", "payload": {}}], "only": "all"},
        {"items": [{"source": "", "payload": {}}]},
        {"items": [{"source": "a", "payload": "text"}]},
        {"items": [{"source": "a", "payload": {}, "probability": 0.0}]},
        {"items": [{"source": "a", "payload": {}, "probability": 1.5}]},
        {"run": "r", "only": "best"},
    ],
)
def test_items_that_cannot_be_are_refused(sqlite: Any, api: Any, author: Headers, body: dict[str, Any]) -> None:
    api.put("/v1/queues/triage", json={}, headers=author)
    assert api.post("/v1/queues/triage/items", json=body, headers=author).status_code == 422
    assert api.get("/v1/queues/triage", headers=author).json()["counts"]["items"] == 0


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "/v1/queues/triage", {}),
        ("POST", "/v1/queues/triage/items", {"items": [{"source": "a", "payload": {}}]}),
        ("GET", "/v1/queues/triage/export", None),
    ],
)
def test_a_reviewers_key_manages_no_queue(
    sqlite: Any, api: Any, header_of: Any, method: str, path: str, body: dict[str, Any] | None
) -> None:
    assert api.request(method, path, json=body, headers=header_of("ann")).status_code == 403


def test_a_readers_key_claims_nothing(sqlite: Any, api: Any, queue: str, header_of: Any) -> None:
    assert api.post(f"{queue}/claims", headers=header_of("app", "reader")).status_code == 403


def test_agreement_has_the_share_of_agreeing_pairs_and_disagreements(
    sqlite: Any, api: Any, queue: str, author: Headers, header_of: Any
) -> None:
    for name, decisions in (("ann", ("approve", "reject")), ("ben", ("approve", "approve"))):
        headers = header_of(name)
        for decision in decisions:
            claim = api.post(f"{queue}/claims", headers=headers).json()
            body = {"nonce": claim["nonce"], "decision": decision, **SEEN}
            assert api.post(f"/v1/claims/{claim['id']}/submit", json=body, headers=headers).status_code == 200
    agreement = api.get(f"{queue}/agreement", headers=author).json()
    assert (agreement["items"], agreement["reviewers"], agreement["percent"]) == (2, 2, 50.0)
    assert agreement["disagreements"] == ["item-1"]
    # By hand: coincidences approve-approve 2, approve-reject 1 + 1 of n = 4, so alpha = 1 - (4 - 1) * 2 / (2 * 3 * 1) = 0.
    assert agreement["coefficients"][0]["coefficient"] == "krippendorff-alpha-nominal"
    assert agreement["coefficients"][0]["value"] == pytest.approx(0.0)


def test_agreement_without_a_second_opinion_is_none(sqlite: Any, api: Any, queue: str, author: Headers) -> None:
    agreement = api.get(f"{queue}/agreement", headers=author).json()
    assert {name: agreement[name] for name in ("items", "reviewers", "percent", "coefficients", "disagreements")} == {
        "items": 0,
        "reviewers": 0,
        "percent": None,
        "coefficients": [],
        "disagreements": [],
    }
