"""What the API withholds from a reviewer until their own decision counts, and what the queue shows of it after."""

from collections.abc import Callable
from typing import Any

import pytest

from factories.reviews import SEEN
from promptuary.access.role import Role
from promptuary.access.service import AccessService
from promptuary.review.queues.service import NewItem, QueueService

WITHHELD = {
    "passed": False,
    "scores": {"exact": 0.0},
    "model": "m-1",
    "version": 3,
    "variant": "v3",
    "messages": [{"role": "user", "content": "secret prompt"}],
}
PAYLOAD = {"input": {"ticket": "lost"}, "output": "answer", "expected": "refund", "prompt": "triage", **WITHHELD}
Headers = dict[str, str]


@pytest.fixture
def header_of(unit_as: Any) -> Callable[..., Headers]:
    def header(name: str, role: str = "reviewer") -> Headers:
        with unit_as("operator") as unit:
            return {"Authorization": f"Bearer {AccessService(unit).create_key(name, Role(role))[1]}"}

    return header


@pytest.fixture
def put_queue(api: Any, header_of: Any) -> Callable[..., None]:
    """Create the queue with one run's item, two slots, and the fields that are passed."""
    author = header_of("author", "author")

    def put(**fields: Any) -> None:
        response = api.put("/v1/queues/triage", json={"slots": 2, **fields}, headers=author)
        assert response.status_code == 200, response.text
        items = [{"source": "run_1/7", "payload": PAYLOAD}, {"source": "ticket-9", "payload": {"output": "own text"}}]
        api.post("/v1/queues/triage/items", json={"items": items}, headers=author)

    return put


def decide(api: Any, headers: Headers, decision: str, comment: str = "") -> Any:
    claim = api.post("/v1/queues/triage/claims", headers=headers).json()
    body = {"nonce": claim["nonce"], "decision": decision, "comment": comment, **SEEN}
    response = api.post(f"/v1/claims/{claim['id']}/submit", json=body, headers=headers)
    assert response.status_code == 200, response.text
    return response.json()


def test_a_claim_has_nothing_that_could_bias(sqlite: Any, api: Any, put_queue: Any, header_of: Any) -> None:
    put_queue(blind=["labels", "verdict", "scores", "model", "version"])
    ann = header_of("ann")
    decide(api, header_of("ben"), "reject", "a comment of ben")
    created = api.post("/v1/queues/triage/claims", headers=ann).json()
    for claim in (created, api.get(f"/v1/claims/{created['id']}", headers=ann).json()):
        assert claim["item"]["payload"] == {name: PAYLOAD[name] for name in ("input", "output", "expected", "prompt")}
        assert claim["item"]["source"] == claim["item"]["id"]
        assert not any(text in str(claim) for text in ("run_1", "m-1", "v3", "secret prompt", "reject", "of ben"))


def test_a_source_that_leads_to_nothing_withheld_is_in_the_claim(sqlite: Any, api: Any, put_queue: Any, header_of: Any) -> None:
    put_queue()
    ann = header_of("ann")
    decide(api, ann, "approve")
    assert api.post("/v1/queues/triage/claims", headers=ann).json()["item"]["source"] == "ticket-9"


def test_the_queue_names_what_is_revealed_after_the_decision(
    sqlite: Any, api: Any, put_queue: Any, header_of: Any, clock: Any
) -> None:
    put_queue(blind=["labels", "verdict", "model"], undo_seconds=60)
    ann = header_of("ann")
    decide(api, header_of("ben"), "reject", "too short")
    stored = decide(api, ann, "approve")
    assert (stored["revealed"], stored["others"], stored["undo_until"]) == (None, None, "2026-03-02T12:01:00Z")
    clock.move(seconds=59)
    (own,) = api.get("/v1/me/decisions?queue=triage", headers=ann).json()["items"]
    assert (own["id"], own["revealed"], own["others"]) == (stored["id"], None, None)
    clock.move(seconds=1)
    (own,) = api.get("/v1/me/decisions?queue=triage", headers=ann).json()["items"]
    assert own["revealed"] == {"passed": False, "model": "m-1"}
    assert own["others"] == [{"decision": "reject", "labels": {}, "comment": "too short"}]
    assert own["source"] == own["item"]


def test_nothing_is_revealed_where_the_queue_names_nothing(
    sqlite: Any, api: Any, put_queue: Any, header_of: Any, clock: Any
) -> None:
    put_queue(undo_seconds=0)
    ann = header_of("ann")
    stored = decide(api, ann, "approve")
    clock.move(days=1)
    (own,) = api.get("/v1/me/decisions", headers=ann).json()["items"]
    assert own == stored
    assert (own["revealed"], own["others"]) == (None, None)


def test_what_is_revealed_cannot_be_undone(sqlite: Any, api: Any, put_queue: Any, header_of: Any) -> None:
    put_queue(blind=["verdict"], undo_seconds=0)
    ann = header_of("ann")
    stored = decide(api, ann, "approve")
    assert stored["revealed"] == {"passed": False}
    assert api.post(f"/v1/decisions/{stored['id']}/undo", headers=ann).status_code == 409


def test_the_selection_of_a_queue_is_its_leads(sqlite: Any, api: Any, put_queue: Any, header_of: Any, unit_as: Any) -> None:
    put_queue()
    with unit_as("author") as unit:
        from promptuary.review.queues import store

        queue = store.find_queue(unit.session, unit.caller.project, "triage", lock=True)
        assert queue is not None
        store.set_source(unit.session, queue, {"run": "run_1", "fills": [{"run": "run_1", "only": "failed"}]})
    reviewer = api.get("/v1/queues/triage", headers=header_of("ann")).json()
    assert reviewer["source"] == {"run": "run_1", "fills": [{"run": "run_1"}]}
    lead = api.get("/v1/queues/triage", headers=header_of("lee", "lead")).json()
    assert lead["source"]["fills"][0]["only"] == "failed"


def test_a_pair_is_in_the_reviewers_own_order(database: Any, reviews_as: Any) -> None:
    from promptuary.review.claims.view import show_claim
    from promptuary.review.queues.label_schema import FieldType, LabelField, LabelSchema

    sides = {"first": {"output": "one", "model": "m-1"}, "second": {"output": "two", "model": "m-2"}}
    schema = LabelSchema((LabelField("better", FieldType.PREFERENCE, "Better", required=True),))
    with reviews_as("author") as reviews:
        reviews.put_queue("triage", choices=(), schema=schema, slots=2)
        reviews.queues.add_items("triage", [NewItem(f"{n}", {"input": n}, pair_sides=sides) for n in range(8)])
    lefts, stored = [], []
    for _ in range(8):
        with reviews_as("ann") as reviews:
            claim = reviews.claims.claim("triage").claim
            item = show_claim(claim).item
            assert item.sides is not None
            assert sorted(side["output"] for side in item.sides.values()) == ["one", "two"]
            assert "m-1" not in str(item)
            lefts.append(item.sides["left"]["output"])
            decision = reviews.submit(claim.id, claim.nonce, None, labels={"better": "left"})
            stored.append((decision.labels["better"], decision.swapped))
    assert sorted(lefts) == ["one"] * 4 + ["two"] * 4
    assert stored == [("first", False) if left == "one" else ("second", True) for left in lefts]
    with reviews_as("ann") as reviews:
        assert {own.labels["better"] for own in reviews.decisions.own_decisions(None, 10, None).items} == {"left"}
        undone = reviews.submissions.undo(decision.id)
        assert undone.draft is not None
        assert (undone.draft.labels, undone.swapped) == ({"better": "left"}, decision.swapped)


def test_a_pair_does_not_show_by_its_passages_which_side_retrieves(sqlite: Any, api: Any, header_of: Any, unit_as: Any) -> None:
    field = {"name": "better", "type": "preference"}
    definition = {"decisions": [], "schema": {"fields": [field]}}
    assert api.put("/v1/queues/pairs", json=definition, headers=header_of("author", "author")).status_code == 200
    sides = {
        "first": {"output": "a", "passages": [{"text": "a passage"}], "version": 2},
        "second": {"output": "b", "passages": [], "version": 1},
    }
    with unit_as("author") as unit:
        QueueService(unit).add_items("pairs", [NewItem("run_1/0:1", {"input": {}}, pair_sides=sides)])
    claim = api.post("/v1/queues/pairs/claims", headers=header_of("ann")).json()
    assert [set(side) for side in claim["item"]["sides"].values()] == [{"output"}, {"output"}]
