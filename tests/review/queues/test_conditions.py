"""Leads who write a queue at the same time: conditions on what was read, and no change that is lost."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from promptuary.core.errors import PreconditionFailed
from promptuary.core.preconditions import parse_preconditions

Headers = dict[str, str]
TRIAGE = "/v1/queues/triage"


def put(api: Any, lead: Headers, body: dict[str, Any], **conditions: str) -> Any:
    headers = {name.replace("_", "-"): value for name, value in conditions.items()}
    return api.put(TRIAGE, json=body, headers=lead | headers)


def test_a_queue_is_created_only_where_there_is_none(sqlite: Any, api: Any, lead: Headers) -> None:
    created = put(api, lead, {"instructions": "first"}, If_None_Match="*")
    assert (created.status_code, created.headers["etag"]) == (200, api.get(TRIAGE, headers=lead).headers["etag"])
    refused = put(api, lead, {"instructions": "second"}, If_None_Match="*")
    assert (refused.status_code, refused.json()["code"]) == (412, "precondition_failed")
    assert api.get(TRIAGE, headers=lead).json()["instructions"] == "first"


def test_a_queue_that_is_not_there_does_not_match(sqlite: Any, api: Any, lead: Headers) -> None:
    assert put(api, lead, {}, If_Match="*").status_code == 412
    assert put(api, lead, {}, If_Match='"1"').status_code == 412
    assert api.get(TRIAGE, headers=lead).status_code == 404


def test_of_two_leads_who_read_the_same_queue_one_writes(sqlite: Any, api: Any, queue: str, lead: Headers) -> None:
    tag = api.get(queue, headers=lead).headers["etag"]
    first = put(api, lead, {"slots": 3}, If_Match=tag)
    assert (first.status_code, first.headers["etag"] != tag) == (200, True)
    second = put(api, lead, {"slots": 4}, If_Match=tag)
    assert (second.status_code, "has changed" in second.json()["detail"]) == (412, True)
    assert api.get(queue, headers=lead).json()["slots"] == 3
    assert put(api, lead, {"slots": 4}, If_Match=f'"other", {first.headers["etag"]}').status_code == 200


def test_a_condition_of_another_form_is_never_ignored(sqlite: Any, api: Any, queue: str, lead: Headers) -> None:
    tag = api.get(queue, headers=lead).headers["etag"]
    for value in (tag.strip('"'), f"W/{tag}"):
        assert put(api, lead, {"slots": 4}, If_Match=value).status_code == 412
    assert put(api, lead, {"slots": 4}, If_None_Match=tag).status_code == 412
    assert api.get(queue, headers=lead).json()["slots"] == 2


@pytest.mark.parametrize(
    "change",
    [
        {"instructions": "other"},
        {"slots": 3},
        {"due_at": "2031-01-01T00:00:00Z"},
        {"undo_seconds": 5},
        {"blind": ["labels"]},
        {"judge": {"metric": "rubric", "passes": ["approve"]}},
        {"schema": {"fields": [{"name": "why", "type": "text"}]}},
        {"decisions": [{"value": "yes"}, {"value": "no"}]},
        {"swap_share": 0.5},
        {"reviewers": ["lea"]},
    ],
)
def test_each_member_is_a_part_of_the_tag(sqlite: Any, api: Any, queue: str, lead: Headers, change: dict[str, Any]) -> None:
    tag = api.get(queue, headers=lead).headers["etag"]
    assert put(api, lead, change, If_Match=tag).headers["etag"] != tag
    assert put(api, lead, {"slots": 4}, If_Match=tag).status_code == 412


def test_items_and_decisions_do_not_change_the_tag(
    sqlite: Any, api: Any, queue: str, lead: Headers, decide: Callable[..., None]
) -> None:
    tag = api.get(queue, headers=lead).headers["etag"]
    decide("ann", "approve")
    items = {"items": [{"source": "another", "payload": {"output": "text"}}]}
    assert api.post(f"{queue}/items", json=items, headers=lead).json()["added"] == 1
    assert api.get(queue, headers=lead).headers["etag"] == tag


def test_of_leads_who_write_at_once_exactly_one_is_not_refused(database: Any, reviews_as: Any) -> None:
    with reviews_as("author") as reviews:
        tag = reviews.put_queue("triage", "start").queue.tag
    barrier = threading.Barrier(4)

    def write(lead: int, match: str | None) -> bool:
        condition = parse_preconditions([match] if match else [], [] if match else ["*"])
        name = "triage" if match else "new"
        barrier.wait()
        try:
            with reviews_as(f"lead{lead}") as reviews:
                definition = replace(reviews.queues.queue("triage").queue, name=name, instructions=f"by {lead}")
                reviews.queues.put_queue(definition, condition=condition)
        except PreconditionFailed:
            return False
        return True

    for match, name in ((tag, "triage"), (None, "new")):
        with ThreadPoolExecutor(4) as pool:
            written = list(pool.map(lambda lead, match=match: write(lead, match), range(4)))
        assert sum(written) == 1
        with reviews_as("author") as reviews:
            assert reviews.queues.queue(name).queue.instructions == f"by {written.index(True)}"
