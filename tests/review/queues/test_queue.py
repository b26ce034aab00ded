"""Queues: what they ask, what is in them, and how they are counted."""

from collections.abc import Callable
from typing import Any

import pytest

from promptuary.core.errors import Conflict, InvalidRequest, NotFound
from promptuary.registry.erasure.holder import ErasedVersion
from promptuary.review.claims.claim import Draft
from promptuary.review.queues.choice import Choice
from promptuary.review.queues.erasure import ReviewErasure
from promptuary.review.queues.service import NewItem

ReviewsAs = Callable[[str], Any]
CreateFilledQueue = Callable[..., None]
YES_NO = (Choice("yes", "Yes", "Y"), Choice("no", "No", "N"))


def decide(reviews_as: ReviewsAs, name: str, queue: str, decision: str = "approve") -> str:
    with reviews_as(name) as reviews:
        claim = reviews.claims.claim(queue).claim
        return reviews.submit(claim.id, claim.nonce, decision).source


def test_a_queue_offers_three_default_decisions(database: Any, reviews_as: ReviewsAs) -> None:
    with reviews_as("author") as reviews:
        state = reviews.put_queue("triage", "Is the intent right?")
    assert [choice.value for choice in state.queue.choices] == ["approve", "reject", "unsure"]
    assert [choice.shortcut for choice in state.queue.choices] == ["A", "X", "U"]
    assert state.queue.slots == 1
    assert state.counts.items == 0


def test_putting_a_queue_again_changes_what_it_asks(database: Any, reviews_as: ReviewsAs) -> None:
    with reviews_as("author") as reviews:
        reviews.put_queue("triage", "old")
        reviews.put_queue("triage", "new", YES_NO, slots=2)
        again = reviews.queues.queue("triage").queue
    assert (again.instructions, again.choices, again.slots) == ("new", YES_NO, 2)


def test_a_decision_that_was_made_does_not_leave_its_queue(
    database: Any, reviews_as: ReviewsAs, create_filled_queue: CreateFilledQueue
) -> None:
    create_filled_queue("triage", 1)
    decide(reviews_as, "ann", "triage")
    with pytest.raises(Conflict, match="approve"), reviews_as("author") as reviews:
        reviews.put_queue("triage", "", YES_NO)
    with reviews_as("author") as reviews:
        assert reviews.queues.queue("triage").queue.instructions == "Is it right?"


def test_a_queue_keeps_as_many_slots_as_an_item_has_decisions(
    database: Any, reviews_as: ReviewsAs, create_filled_queue: CreateFilledQueue
) -> None:
    create_filled_queue("triage", 1, slots=2)
    decide(reviews_as, "ann", "triage")
    decide(reviews_as, "ben", "triage")
    with pytest.raises(Conflict, match="2 slots"), reviews_as("author") as reviews:
        reviews.put_queue("triage", slots=1)


@pytest.mark.parametrize(
    ("choices", "path"),
    [
        ((Choice("yes", "Yes"), Choice("yes", "Yes!")), "decisions.1.value"),
        ((Choice("yes", "Yes", "Y"), Choice("no", "No", "Y")), "decisions.1.shortcut"),
        ((Choice("yes", "Yes", "S"), Choice("no", "No")), "decisions.0.shortcut"),
        ((Choice("yes", "Yes"), Choice("no", "No", "S")), "decisions.1.shortcut"),
    ],
)
def test_decisions_that_cannot_be_distinguished_are_refused(
    sqlite: Any, reviews_as: ReviewsAs, choices: tuple[Choice, ...], path: str
) -> None:
    with pytest.raises(InvalidRequest) as caught, reviews_as("author") as reviews:
        reviews.put_queue("triage", "", choices)
    assert [field_error.path for field_error in caught.value.field_errors] == [path]


def test_a_decision_may_have_every_key_but_that_which_skips(sqlite: Any, reviews_as: ReviewsAs) -> None:
    choices = [Choice(key.lower(), key, key) for key in "CRDZHME"]
    with reviews_as("author") as reviews:
        state = reviews.put_queue("triage", "", choices)
    assert "".join(choice.shortcut or "" for choice in state.queue.choices) == "CRDZHME"


def test_a_source_comes_into_a_queue_once(database: Any, reviews_as: ReviewsAs) -> None:
    with reviews_as("author") as reviews:
        reviews.put_queue("triage")
        first = reviews.queues.add_items("triage", [NewItem("a", {"n": 1}), NewItem("b", {}), NewItem("a", {"n": 2})])
        again = reviews.queues.add_items("triage", [NewItem("b", {"n": 3}), NewItem("c", {})])
    assert (first.added, first.present) == (2, 1)
    assert (again.added, again.present) == (1, 1)
    with reviews_as("ann") as reviews:
        assert reviews.claims.claim("triage").claim.item.payload == {"n": 1}


def test_items_are_claimed_in_the_order_in_which_they_came(database: Any, reviews_as: ReviewsAs) -> None:
    with reviews_as("author") as reviews:
        reviews.put_queue("triage")
        reviews.queues.add_items("triage", [NewItem(source, {}) for source in "zyx"])
        reviews.queues.add_items("triage", [NewItem(source, {}) for source in "cba"])
    assert "".join(decide(reviews_as, "ann", "triage") for _ in range(6)) == "zyxcba"


def test_counts_are_of_decided_open_claimed_and_remaining_items(
    database: Any, reviews_as: ReviewsAs, create_filled_queue: CreateFilledQueue
) -> None:
    create_filled_queue("triage", 3, slots=2)
    decide(reviews_as, "ann", "triage")
    decide(reviews_as, "ben", "triage")
    decide(reviews_as, "ben", "triage")
    with reviews_as("cid") as reviews:
        reviews.claims.claim("triage")
    with reviews_as("ann") as reviews:
        counts = reviews.queues.queue("triage").counts
    assert vars(counts) == {"items": 3, "closed": 1, "open": 2, "claimed": 1, "mine": 1, "left": 2}


def test_a_claim_whose_lease_ended_is_not_counted(
    database: Any, reviews_as: ReviewsAs, create_filled_queue: CreateFilledQueue, clock: Any
) -> None:
    create_filled_queue("triage", 1)
    with reviews_as("ann") as reviews:
        reviews.claims.claim("triage")
    clock.move(seconds=300)
    with reviews_as("ann") as reviews:
        assert reviews.queues.queue("triage").counts.claimed == 0


def test_queues_are_listed_by_name_page_by_page(database: Any, reviews_as: ReviewsAs) -> None:
    with reviews_as("author") as reviews:
        for name in ("c", "a", "b"):
            reviews.put_queue(name)
        first = reviews.queues.queues(2, None)
        second = reviews.queues.queues(2, first.next_cursor)
    assert [state.queue.name for state in [*first.items, *second.items]] == ["a", "b", "c"]
    assert second.next_cursor is None


def test_decisions_come_out_in_their_order_with_what_they_were_about(
    database: Any, reviews_as: ReviewsAs, create_filled_queue: CreateFilledQueue
) -> None:
    create_filled_queue("triage", 2, slots=2)
    decide(reviews_as, "ann", "triage", "approve")
    decide(reviews_as, "ben", "triage", "reject")
    decide(reviews_as, "ann", "triage", "unsure")
    with reviews_as("author") as reviews:
        first = reviews.decisions.decisions("triage", 2, None)
        rest = reviews.decisions.decisions("triage", 2, first.next_cursor)
    rows = [(state.source, state.reviewer, state.decision) for state in [*first.items, *rest.items]]
    assert rows == [("item-0", "key:ann", "approve"), ("item-0", "key:ben", "reject"), ("item-1", "key:ann", "unsure")]
    assert first.items[0].payload == {"input": "text 0"}


def test_an_unknown_queue_is_not_found(sqlite: Any, reviews_as: ReviewsAs) -> None:
    for call in (
        lambda reviews: reviews.queues.queue("none"),
        lambda reviews: reviews.queues.add_items("none", []),
        lambda reviews: reviews.claims.claim("none"),
        lambda reviews: reviews.decisions.decisions("none", 1, None),
    ):
        with pytest.raises(NotFound, match="no queue 'none'"), reviews_as("ann") as reviews:
            call(reviews)


def test_another_projects_queue_is_not_found(database: Any, unit_as: Any, create_filled_queue: CreateFilledQueue) -> None:
    from promptuary.review.queues.service import QueueService

    create_filled_queue("triage", 1)
    with pytest.raises(NotFound), unit_as("author", "elsewhere") as unit:
        QueueService(unit).queue("triage")


def test_an_erasure_empties_drafts_and_reports_what_stays(database: Any, reviews_as: ReviewsAs, clock: Any) -> None:
    with reviews_as("author") as reviews:
        reviews.put_queue("triage")
        reviews.queues.add_items("triage", [NewItem("a", {"output": "secret", "prompt": "leak", "version": 1})])
    with reviews_as("ann") as reviews:
        claim = reviews.claims.claim("triage").claim
        reviews.claims.save_draft(claim.id, claim.nonce, Draft(correction="secret, corrected"))
    with reviews_as("author") as reviews:
        report = ReviewErasure().erase(reviews.unit, [ErasedVersion(1, "leak", 1, "sha256:0", clock(), clock())])
    assert report.remaining == ["reviewers' comments, texts and corrections are kept as they were written"]
    with reviews_as("ann") as reviews:
        again = reviews.claims.live_claim(claim.id)
    assert (again.item.payload["output"], again.draft) == (None, None)


def test_an_existing_queue_keeps_what_a_request_leaves_out(sqlite: Any, api: Any, header_of: Any) -> None:
    headers = header_of("author", "author")
    pass_fail = [{"value": "pass", "label": "Pass"}, {"value": "fail", "label": "Fail"}]
    definition = {"instructions": "Is it polite?", "decisions": pass_fail, "slots": 2}
    assert api.put("/v1/queues/polite", json=definition, headers=headers).status_code == 200
    changed = api.put("/v1/queues/polite", json={"judge": {"metric": "rubric", "passes": ["pass"]}}, headers=headers)
    assert changed.status_code == 200, changed.text
    stored = changed.json()
    assert (stored["instructions"], stored["slots"]) == ("Is it polite?", 2)
    assert [choice["value"] for choice in stored["decisions"]] == ["pass", "fail"]
    assert api.put("/v1/queues/polite", json={"instructions": ""}, headers=headers).json()["instructions"] == ""
