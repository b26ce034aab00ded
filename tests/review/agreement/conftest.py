"""Queues with labelled items: decisions and fields are stored as the claims store them."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from factories.reviews import SEEN
from promptuary.access.role import Role
from promptuary.access.service import AccessService

Headers = dict[str, str]
Decide = Callable[..., None]


@pytest.fixture
def header_of(unit_as: Any) -> Callable[..., Headers]:
    """Return the header of a named key, made once: `header_of("ann")`, `header_of("lea", "lead")`."""
    headers: dict[str, Headers] = {}

    def header(name: str, role: str = "reviewer") -> Headers:
        if name not in headers:
            with unit_as("operator") as unit:
                headers[name] = {"Authorization": f"Bearer {AccessService(unit).create_key(name, Role(role))[1]}"}
        return headers[name]

    return header


@pytest.fixture
def lead(header_of: Callable[..., Headers]) -> Headers:
    return header_of("lea", "lead")


@pytest.fixture
def queue(api: Any, lead: Headers) -> str:
    """Return the path of a queue with three items and two slots, which shows labels after one's own decision."""
    body = {"instructions": "Is it right?", "slots": 2}
    assert api.put("/v1/queues/triage", json=body, headers=lead).status_code == 200
    items = [
        {"source": f"item-{number}", "payload": {"output": f"text {number}", "model": "m", "expected": "approve"}}
        for number in range(3)
    ]
    assert api.post("/v1/queues/triage/items", json={"items": items}, headers=lead).status_code == 200
    return "/v1/queues/triage"


@pytest.fixture
def decide(api: Any, queue: str, header_of: Callable[..., Headers], clock: Any) -> Decide:
    """Decide items in the queue's order, as a reviewer: `decide("ann", "approve", "reject")`."""

    def submit(name: str, *decisions: str, comment: str = "", role: str = "reviewer") -> None:
        headers = header_of(name, role)
        for decision in decisions:
            claim = api.post(f"{queue}/claims", headers=headers).json()
            body = {"nonce": claim["nonce"], "decision": decision, "comment": comment, **SEEN}
            assert api.post(f"/v1/claims/{claim['id']}/submit", json=body, headers=headers).status_code == 200

    return submit


def sources(page: dict[str, Any]) -> Sequence[str]:
    return [item["source"] for item in page["items"]]
