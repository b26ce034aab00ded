"""Claims and decisions belong to an identity, whatever the names of keys are."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text

from factories.reviews import SEEN
from promptuary.core.database import Database

SignIn = Callable[..., tuple[str, dict[str, str]]]


@pytest.fixture
def named(local: Any) -> SignIn:
    """Create a key: its id, and the header that carries it; `named("Dana", person=...)` makes a person's."""

    def create(name: str, role: str = "reviewer", **more: Any) -> tuple[str, dict[str, str]]:
        key = local.post("/v1/keys", json={"name": name, "role": role, **more}).json()
        return key["id"], {"Authorization": f"Bearer {key['key']}"}

    return create


@pytest.fixture
def queue(local: Any) -> str:
    """A queue of two items, each with two slots."""
    local.put("/v1/queues/triage", json={"slots": 2})
    items = [{"source": f"item-{number}", "payload": {"text": "?"}} for number in range(2)]
    local.post("/v1/queues/triage/items", json={"items": items})
    return "/v1/queues/triage"


def decide(api: Any, claim: dict[str, Any], headers: dict[str, str]) -> Any:
    body = {"nonce": claim["nonce"], "decision": "approve", **SEEN}
    return api.post(f"/v1/claims/{claim['id']}/submit", json=body, headers=headers)


def test_two_keys_of_one_name_cannot_touch_each_others_claims(api: Any, local: Any, named: SignIn, queue: str) -> None:
    (first_id, first), (second_id, second) = named("Dana"), named("Dana")
    claims = [api.post(f"{queue}/claims", headers=headers).json() for headers in (first, second)]
    assert claims[0]["id"] != claims[1]["id"]
    path = f"/v1/claims/{claims[0]['id']}"
    assert api.get(path, headers=second).status_code == 404
    assert decide(api, claims[0], second).status_code == 404
    for action in ("skip", "defer", "release", "heartbeat"):
        assert api.post(f"{path}/{action}", headers=second).status_code == 404
    assert decide(api, claims[0], first).json()["reviewer_id"] == f"service:{first_id}"
    assert decide(api, claims[1], second).json()["reviewer_id"] == f"service:{second_id}"
    exported = local.get(f"{queue}/export").json()["items"]
    assert [row["reviewer"] for row in exported] == ["key:Dana", "key:Dana"]
    assert api.get(queue, headers=second).json()["counts"]["mine"] == 1


def test_several_keys_of_a_person_are_one_reviewer(api: Any, local: Any, named: SignIn, queue: str) -> None:
    person = local.post("/v1/people", json={"name": "Dana", "role": "reviewer"}).json()
    (_, laptop), (_, phone) = named("laptop", person=person["id"]), named("phone", person=person["id"])
    claim = api.post(f"{queue}/claims", headers=laptop).json()
    assert api.post(f"{queue}/claims", headers=phone).json()["id"] == claim["id"]
    decision = decide(api, claim, phone).json()
    assert (decision["reviewer"], decision["reviewer_id"]) == ("Dana", f"person:{person['id']}")
    again = api.post(f"{queue}/claims", headers=laptop).json()
    assert again["item"]["source"] != claim["item"]["source"]


def stored_as(database: Database, queue_key: str, former: str | None, name: str) -> None:
    """Rewrite the claims as an earlier release stored them, and the key as an upgrade leaves it."""
    with database.write() as session:
        connection = session.connection()
        connection.execute(text("UPDATE claim SET reviewer = :name"), {"name": name})
        connection.execute(
            text("UPDATE api_key SET former_identity = :former WHERE id = :id"), {"former": former, "id": queue_key}
        )


def test_a_claim_of_an_earlier_release_belongs_to_the_one_key_of_its_name(
    api: Any, named: SignIn, queue: str, opened_database: Database
) -> None:
    key, headers = named("Dana")
    _, other = named("Dana")
    claim = api.post(f"{queue}/claims", headers=headers).json()
    stored_as(opened_database, key, "key:Dana", "key:Dana")
    assert api.get(f"/v1/claims/{claim['id']}", headers=other).status_code == 404
    assert decide(api, claim, headers).status_code == 200


def test_a_claim_of_an_earlier_release_is_nobodys_where_two_keys_had_the_name(
    api: Any, named: SignIn, queue: str, opened_database: Database
) -> None:
    (key, first), (_, second) = named("Dana"), named("Dana")
    claim = api.post(f"{queue}/claims", headers=first).json()
    stored_as(opened_database, key, None, "key:Dana")
    for headers in (first, second):
        assert api.get(f"/v1/claims/{claim['id']}", headers=headers).status_code == 404
        assert decide(api, claim, headers).status_code == 404
