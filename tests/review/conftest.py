"""Reviewers: units of work whose caller is a named reviewer."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Any

import pytest

from factories.reviews import SEEN, Reviews
from promptuary.access.role import Role
from promptuary.access.service import AccessService
from promptuary.review.queues.service import NewItem

Headers = dict[str, str]
Decide = Callable[..., None]
ReviewsAs = Callable[[str], AbstractContextManager[Reviews]]


@pytest.fixture
def reviews_as(unit_as: Callable[..., AbstractContextManager[Any]]) -> ReviewsAs:
    """Open the reviews as somebody, in one transaction each time."""

    @contextmanager
    def opened(name: str) -> Iterator[Reviews]:
        with unit_as("author") as unit:
            yield Reviews(replace(unit, caller=replace(unit.caller, identity=f"key:{name}")))

    return opened


@pytest.fixture
def create_filled_queue(reviews_as: ReviewsAs) -> Callable[..., None]:
    """Make a queue with items: `create_filled_queue("q", 3, slots=2)`, whose sources count up from `item-0`."""

    def make(name: str, items: int, slots: int = 1) -> None:
        with reviews_as("author") as reviews:
            reviews.put_queue(name, "Is it right?", slots=slots)
            reviews.queues.add_items(name, [NewItem(f"item-{number}", {"input": f"text {number}"}) for number in range(items)])

    return make


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

    def submit(name: str, *decisions: str, comment: str = "", role: str = "reviewer", **more: Any) -> None:
        headers = header_of(name, role)
        for decision in decisions:
            claim = api.post(f"{queue}/claims", headers=headers).json()
            body = {"nonce": claim["nonce"], "decision": decision, "comment": comment, **SEEN, **more}
            assert api.post(f"/v1/claims/{claim['id']}/submit", json=body, headers=headers).status_code == 200

    return submit
