"""A reviewer's session: the next item beside the current one, drafts, deferred items, and decisions that are undone."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from factories.reviews import Reviews
from promptuary.access.identity import person_identity
from promptuary.access.people.service import PeopleService
from promptuary.access.role import Role
from promptuary.core.errors import Conflict, Forbidden, InvalidRequest, NotFound
from promptuary.review.claims.claim import Claim, Draft
from promptuary.review.claims.submission import ItemNotSeen
from promptuary.review.queues.service import NewItem

ReviewsAs = Callable[[str], Any]
CreateFilledQueue = Callable[..., None]
DRAFT = Draft("reject", {}, "half a thou", "better")


def claim(reviews_as: ReviewsAs, name: str, beside: Claim | None = None, queue: str = "triage") -> Any:
    with reviews_as(name) as reviews:
        return reviews.claims.claim(queue, beside.id if beside else None)


def submit(reviews_as: ReviewsAs, name: str, claim: Claim, decision: str = "approve", **rest: Any) -> Any:
    with reviews_as(name) as reviews:
        return reviews.submit(claim.id, claim.nonce, decision, **rest)


def undo(reviews_as: ReviewsAs, name: str, decision: int) -> Claim:
    with reviews_as(name) as reviews:
        undone: Claim = reviews.submissions.undo(decision)
        return undone


def test_the_next_item_is_leased_beside_the_current_one(
    database: Any, reviews_as: ReviewsAs, create_filled_queue: CreateFilledQueue
) -> None:
    create_filled_queue("triage", 3, slots=2)
    first = claim(reviews_as, "ann").claim
    second = claim(reviews_as, "ann", beside=first)
    assert (second.created, second.claim.item.source) == (True, "item-1")
    again = claim(reviews_as, "ann", beside=first)
    assert (again.created, again.claim.id) == (False, second.claim.id)
    assert claim(reviews_as, "ann").claim.id == first.id
    assert claim(reviews_as, "ann", beside=second.claim).claim.id == first.id


def test_the_item_beside_becomes_the_current_one(
    database: Any, reviews_as: ReviewsAs, create_filled_queue: CreateFilledQueue
) -> None:
    create_filled_queue("triage", 3)
    first = claim(reviews_as, "ann").claim
    second = claim(reviews_as, "ann", beside=first).claim
    submit(reviews_as, "ann", first)
    assert claim(reviews_as, "ann").claim.id == second.id
    assert claim(reviews_as, "ann", beside=second).claim.item.source == "item-2"


def test_no_item_is_leased_to_one_reviewer_twice(
    database: Any, reviews_as: ReviewsAs, create_filled_queue: CreateFilledQueue
) -> None:
    create_filled_queue("triage", 1, slots=2)
    assert claim(reviews_as, "ann", beside=claim(reviews_as, "ann").claim) is None


def test_an_item_is_leased_beside_a_live_claim_of_its_queue_only(
    sqlite: Any, reviews_as: ReviewsAs, create_filled_queue: CreateFilledQueue, clock: Any
) -> None:
    create_filled_queue("triage", 3)
    create_filled_queue("other", 3)
    first = claim(reviews_as, "ann").claim
    with pytest.raises(Conflict, match="is of the queue 'triage'"):
        claim(reviews_as, "ann", beside=first, queue="other")
    with pytest.raises(NotFound):
        claim(reviews_as, "ben", beside=first)
    clock.move(minutes=6)
    with pytest.raises(Conflict, match="lease has ended"):
        claim(reviews_as, "ann", beside=first)


def test_both_leases_end_by_the_same_rules(
    database: Any, reviews_as: ReviewsAs, create_filled_queue: CreateFilledQueue, clock: Any
) -> None:
    create_filled_queue("triage", 2)
    first = claim(reviews_as, "ann").claim
    second = claim(reviews_as, "ann", beside=first).claim
    assert claim(reviews_as, "ben") is None
    clock.move(minutes=4)
    with reviews_as("ann") as reviews:
        reviews.claims.heartbeat(second.id)
    clock.move(minutes=2)
    assert claim(reviews_as, "ben").claim.item.source == "item-0"
    submit(reviews_as, "ann", second)
    with pytest.raises(Conflict):
        submit(reviews_as, "ann", first)


def test_a_decision_without_seen_at_is_refused(
    sqlite: Any, reviews_as: ReviewsAs, create_filled_queue: CreateFilledQueue
) -> None:
    create_filled_queue("triage", 1)
    first = claim(reviews_as, "ann").claim
    with pytest.raises(ItemNotSeen, match="has not been in view"):
        submit(reviews_as, "ann", first, seen_at=None)
    assert submit(reviews_as, "ann", first).decision == "approve"


def test_a_draft_is_returned_with_the_claim(
    database: Any, reviews_as: ReviewsAs, create_filled_queue: CreateFilledQueue
) -> None:
    create_filled_queue("triage", 1)
    first = claim(reviews_as, "ann").claim
    with reviews_as("ann") as reviews:
        reviews.claims.save_draft(first.id, first.nonce, Draft(comment="h"))
        reviews.claims.save_draft(first.id, first.nonce, DRAFT)
    assert claim(reviews_as, "ann").claim.draft == DRAFT
    with pytest.raises(Conflict, match="another item was displayed"), reviews_as("ann") as reviews:
        reviews.claims.save_draft(first.id, "other", Draft())


@pytest.mark.parametrize("ending", ["skip", "defer", "release", "expire"])
def test_a_draft_outlives_its_claim(
    sqlite: Any, reviews_as: ReviewsAs, create_filled_queue: CreateFilledQueue, clock: Any, ending: str
) -> None:
    create_filled_queue("triage", 1, slots=2)
    first = claim(reviews_as, "ann").claim
    with reviews_as("ann") as reviews:
        reviews.claims.save_draft(first.id, first.nonce, DRAFT)
        if ending != "expire":
            getattr(reviews.claims, ending)(first.id)
    clock.move(hours=1)
    assert claim(reviews_as, "ben").claim.draft is None
    assert claim(reviews_as, "ann").claim.draft == DRAFT


def test_a_draft_extends_the_lease(
    sqlite: Any, reviews_as: ReviewsAs, create_filled_queue: CreateFilledQueue, clock: Any
) -> None:
    create_filled_queue("triage", 1)
    first = claim(reviews_as, "ann").claim
    for _ in range(3):
        clock.move(minutes=4)
        with reviews_as("ann") as reviews:
            reviews.claims.save_draft(first.id, first.nonce, DRAFT)
    assert submit(reviews_as, "ann", first).comment == ""


def test_a_deferred_item_comes_after_all_others(
    database: Any, reviews_as: ReviewsAs, create_filled_queue: CreateFilledQueue
) -> None:
    create_filled_queue("triage", 3)
    with reviews_as("ann") as reviews:
        reviews.claims.defer(reviews.claims.claim("triage").claim.id)
    sources = []
    while (result := claim(reviews_as, "ann")) is not None:
        sources.append(result.claim.item.source)
        submit(reviews_as, "ann", result.claim)
    assert sources == ["item-1", "item-2", "item-0"]


def test_an_item_deferred_to_a_time_comes_after_it(
    database: Any, reviews_as: ReviewsAs, create_filled_queue: CreateFilledQueue, clock: Any
) -> None:
    create_filled_queue("triage", 2)
    with reviews_as("ann") as reviews:
        reviews.claims.defer(reviews.claims.claim("triage").claim.id, clock() + timedelta(hours=1))
    second = claim(reviews_as, "ann").claim
    assert second.item.source == "item-1"
    assert claim(reviews_as, "ann", beside=second) is None
    assert claim(reviews_as, "ben").claim.item.source == "item-0"
    clock.move(minutes=61)
    assert claim(reviews_as, "ann").claim.item.source == "item-0"


def test_an_item_is_deferred_to_the_future_only(
    sqlite: Any, reviews_as: ReviewsAs, create_filled_queue: CreateFilledQueue, clock: Any
) -> None:
    create_filled_queue("triage", 1)
    first = claim(reviews_as, "ann").claim
    with pytest.raises(InvalidRequest), reviews_as("ann") as reviews:
        reviews.claims.defer(first.id, clock())


def test_an_undone_decision_is_a_live_claim_with_its_draft(
    database: Any, reviews_as: ReviewsAs, create_filled_queue: CreateFilledQueue
) -> None:
    create_filled_queue("triage", 2)
    first = claim(reviews_as, "ann").claim
    decision = submit(reviews_as, "ann", first, "reject", comment="too short")
    again = undo(reviews_as, "ann", decision.id)
    assert (again.item.source, again.draft) == ("item-0", Draft("reject", {}, "too short", None))
    assert again.nonce != first.nonce
    assert claim(reviews_as, "ann").claim.id == again.id
    second = submit(reviews_as, "ann", again, "approve")
    with reviews_as("ann") as reviews:
        assert [each.id for each in reviews.decisions.decisions("triage", 10, None).items] == [second.id]
        assert reviews.queues.queue("triage").counts.mine == 1
    assert undo(reviews_as, "ann", second.id).item.source == "item-0"


def test_an_undone_decision_frees_its_slot(
    database: Any, reviews_as: ReviewsAs, create_filled_queue: CreateFilledQueue
) -> None:
    create_filled_queue("triage", 1)
    decision = submit(reviews_as, "ann", claim(reviews_as, "ann").claim)
    again = undo(reviews_as, "ann", decision.id)
    assert claim(reviews_as, "ben") is None
    with reviews_as("ann") as reviews:
        reviews.claims.release(again.id)
    submit(reviews_as, "ben", claim(reviews_as, "ben").claim)
    assert claim(reviews_as, "ann") is None


def test_an_undo_leaves_the_reviewer_two_items(
    database: Any, reviews_as: ReviewsAs, create_filled_queue: CreateFilledQueue
) -> None:
    create_filled_queue("triage", 4)
    decision = submit(reviews_as, "ann", claim(reviews_as, "ann").claim)
    second = claim(reviews_as, "ann").claim
    third = claim(reviews_as, "ann", beside=second).claim
    undo(reviews_as, "ann", decision.id)
    with reviews_as("ann") as reviews:
        assert reviews.queues.queue("triage").counts.claimed == 2
        assert reviews.claims.live_claim(second.id).id == second.id
    with pytest.raises(Conflict, match="released"), reviews_as("ann") as reviews:
        reviews.claims.live_claim(third.id)


def test_an_undo_is_ones_own_once_and_in_time(
    sqlite: Any, reviews_as: ReviewsAs, create_filled_queue: CreateFilledQueue, clock: Any
) -> None:
    create_filled_queue("triage", 2)
    first = submit(reviews_as, "ann", claim(reviews_as, "ann").claim)
    with pytest.raises(NotFound):
        undo(reviews_as, "ben", first.id)
    with pytest.raises(NotFound):
        undo(reviews_as, "ann", first.id + 1)
    undo(reviews_as, "ann", first.id)
    with pytest.raises(Conflict, match="undone already"):
        undo(reviews_as, "ann", first.id)
    second = submit(reviews_as, "ann", claim(reviews_as, "ann").claim)
    clock.move(minutes=5)
    with pytest.raises(Conflict, match="300 seconds, which are over"):
        undo(reviews_as, "ann", second.id)


def test_named_reviewers_alone_claim(sqlite: Any, reviews_as: ReviewsAs, unit_as: Any) -> None:
    with unit_as("operator") as unit:
        person = PeopleService(unit).create("Ann Lee", Role.REVIEWER)
    with reviews_as("author") as reviews:
        state = reviews.put_queue("triage", reviewers=("ann lee",))
        reviews.queues.add_items("triage", [NewItem("a", {})])
    assert (state.queue.reviewers, state.reviewers) == ((person_identity(person.id),), ("Ann Lee",))
    with pytest.raises(Forbidden, match="named reviewers"):
        claim(reviews_as, "ben")
    with unit_as("reviewer") as unit:
        caller = replace(unit.caller, identity=person_identity(person.id))
        assert Reviews(replace(unit, caller=caller)).claims.claim("triage") is not None


@pytest.mark.parametrize("field", ["reviewers", "adjudicators"])
def test_a_queue_names_nobody_who_may_not_do_it(sqlite: Any, reviews_as: ReviewsAs, unit_as: Any, field: str) -> None:
    with unit_as("operator") as unit:
        PeopleService(unit).create("Vi", Role.VIEWER)
    with pytest.raises(InvalidRequest) as caught, reviews_as("author") as reviews:
        reviews.put_queue("triage", **{field: ("Vi", "Nobody")})
    assert [error.path for error in caught.value.field_errors] == [f"{field}.0", f"{field}.1"]
    assert "is nobody in this project" in caught.value.field_errors[1].message


def test_a_persons_project_is_the_only_one_they_are_named_in(sqlite: Any, reviews_as: ReviewsAs, unit_as: Any) -> None:
    with unit_as("operator") as unit:
        person = PeopleService(unit).create("Ann", Role.REVIEWER)
        PeopleService(unit).remove_role(person.id)
    with pytest.raises(InvalidRequest), reviews_as("author") as reviews:
        reviews.put_queue("triage", reviewers=(person_identity(person.id),))
