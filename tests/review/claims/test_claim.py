"""Claims: one item to one reviewer, decided at most once per reviewer and slot, and only as it was shown."""

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from factories.reviews import Reviews
from promptuary.access import audit
from promptuary.core.errors import Conflict, InvalidRequest, NotFound
from promptuary.review.claims.claim import Claim, Draft

ReviewsAs = Callable[[str], Any]
CreateFilledQueue = Callable[..., None]


def claim_next(reviews_as: ReviewsAs, name: str, queue: str = "triage") -> Claim | None:
    with reviews_as(name) as reviews:
        result = reviews.claims.claim(queue)
    return result.claim if result else None


def claim_item(reviews_as: ReviewsAs, name: str) -> Claim:
    claim = claim_next(reviews_as, name)
    assert claim is not None
    return claim


def submit(reviews_as: ReviewsAs, name: str, claim: Claim, decision: str = "approve") -> None:
    with reviews_as(name) as reviews:
        reviews.submit(claim.id, claim.nonce, decision)


def call_action(reviews: Reviews, action: str, claim: Claim) -> None:
    if action == "submit":
        reviews.submit(claim.id, claim.nonce)
    elif action == "save_draft":
        reviews.claims.save_draft(claim.id, claim.nonce, Draft(comment="so far"))
    else:
        getattr(reviews.claims, action)(claim.id)


def test_two_reviewers_get_two_items(database: Any, reviews_as: ReviewsAs, create_filled_queue: CreateFilledQueue) -> None:
    create_filled_queue("triage", 2)
    assert claim_item(reviews_as, "ann").item.source == "item-0"
    assert claim_item(reviews_as, "ben").item.source == "item-1"
    assert claim_next(reviews_as, "cid") is None


def test_a_reviewer_with_a_live_claim_gets_it_again_with_a_new_lease(
    database: Any, reviews_as: ReviewsAs, create_filled_queue: CreateFilledQueue, clock: Any
) -> None:
    create_filled_queue("triage", 2)
    first = claim_item(reviews_as, "ann")
    clock.move(seconds=200)
    again = claim_item(reviews_as, "ann")
    assert (again.id, again.nonce, again.item) == (first.id, first.nonce, first.item)
    assert (again.lease_until - first.lease_until).total_seconds() == 200


def test_an_item_with_two_slots_goes_to_two_reviewers_and_to_neither_twice(
    database: Any, reviews_as: ReviewsAs, create_filled_queue: CreateFilledQueue
) -> None:
    create_filled_queue("triage", 1, slots=2)
    for name in ("ann", "ben"):
        submit(reviews_as, name, claim_item(reviews_as, name))
    assert [claim_next(reviews_as, name) for name in ("ann", "ben", "cid")] == [None, None, None]


def test_a_lease_that_ended_frees_the_item_and_the_old_claim_decides_nothing(
    database: Any, reviews_as: ReviewsAs, create_filled_queue: CreateFilledQueue, clock: Any
) -> None:
    create_filled_queue("triage", 1)
    expired_claim = claim_item(reviews_as, "ann")
    clock.move(seconds=300)
    result = claim_item(reviews_as, "ben")
    assert (result.item.id, result.id != expired_claim.id, result.nonce != expired_claim.nonce) == (
        expired_claim.item.id,
        True,
        True,
    )
    with pytest.raises(Conflict, match="lease has ended"):
        submit(reviews_as, "ann", expired_claim)
    submit(reviews_as, "ben", result)


def test_a_heartbeat_extends_the_lease(
    database: Any, reviews_as: ReviewsAs, create_filled_queue: CreateFilledQueue, clock: Any
) -> None:
    create_filled_queue("triage", 1)
    claim = claim_item(reviews_as, "ann")
    for _ in range(3):
        clock.move(seconds=299)
        with reviews_as("ann") as reviews:
            reviews.claims.heartbeat(claim.id)
    assert claim_next(reviews_as, "ben") is None
    submit(reviews_as, "ann", claim)


def test_a_skipped_item_goes_to_others_and_comes_back_when_nothing_else_is_left(
    database: Any, reviews_as: ReviewsAs, create_filled_queue: CreateFilledQueue, clock: Any
) -> None:
    create_filled_queue("triage", 3)
    sources = []
    for _ in range(5):
        claim = claim_item(reviews_as, "ann")
        sources.append(claim.item.source)
        with reviews_as("ann") as reviews:
            reviews.claims.skip(claim.id)
        clock.move(seconds=1)
    assert sources == ["item-0", "item-1", "item-2", "item-0", "item-1"]
    assert claim_item(reviews_as, "ben").item.source == "item-0"


def test_a_released_item_is_as_if_never_taken(
    database: Any, reviews_as: ReviewsAs, create_filled_queue: CreateFilledQueue
) -> None:
    create_filled_queue("triage", 2)
    claim = claim_item(reviews_as, "ann")
    with reviews_as("ann") as reviews:
        reviews.claims.release(claim.id)
    assert claim_item(reviews_as, "ben").item == claim.item


def test_a_claim_is_decided_once(database: Any, reviews_as: ReviewsAs, create_filled_queue: CreateFilledQueue) -> None:
    create_filled_queue("triage", 1, slots=2)
    claim = claim_item(reviews_as, "ann")
    submit(reviews_as, "ann", claim)
    with pytest.raises(Conflict, match="submitted already"):
        submit(reviews_as, "ann", claim, "reject")
    with reviews_as("author") as reviews:
        assert [decision.decision for decision in reviews.decisions.decisions("triage", 10, None).items] == ["approve"]


def test_the_decision_on_something_that_was_not_shown_is_refused(
    database: Any, reviews_as: ReviewsAs, create_filled_queue: CreateFilledQueue
) -> None:
    create_filled_queue("triage", 2)
    first = claim_item(reviews_as, "ann")
    submit(reviews_as, "ann", first)
    second = claim_item(reviews_as, "ann")
    with pytest.raises(Conflict, match="another item was displayed"), reviews_as("ann") as reviews:
        reviews.submit(second.id, first.nonce, "approve")
    with reviews_as("ann") as reviews:
        assert reviews.queues.queue("triage").counts.mine == 1


def test_a_decision_that_the_queue_does_not_have_is_refused(
    sqlite: Any, reviews_as: ReviewsAs, create_filled_queue: CreateFilledQueue
) -> None:
    create_filled_queue("triage", 1)
    claim = claim_item(reviews_as, "ann")
    with pytest.raises(InvalidRequest) as caught:
        submit(reviews_as, "ann", claim, "maybe")
    assert [(field_error.path, field_error.message) for field_error in caught.value.field_errors] == [
        ("decision", "is none of this queue's decisions: approve, reject, unsure")
    ]


def test_a_release_of_all_claims_frees_those_of_every_queue(
    database: Any, reviews_as: ReviewsAs, create_filled_queue: CreateFilledQueue
) -> None:
    for queue in ("triage", "answers"):
        create_filled_queue(queue, 2)
        first = claim_next(reviews_as, "ann", queue)
        assert first is not None
        with reviews_as("ann") as reviews:
            reviews.claims.claim(queue, first.id)
    with reviews_as("ann") as reviews:
        reviews.claims.release_all()
        reviews.claims.release_all()  # with nothing claimed it changes nothing
    for queue in ("triage", "answers"):
        again = claim_next(reviews_as, "ben", queue)
        assert again is not None
        assert again.item.source == "item-0"


def test_a_release_of_all_claims_leaves_those_of_others(
    database: Any, reviews_as: ReviewsAs, create_filled_queue: CreateFilledQueue
) -> None:
    create_filled_queue("triage", 2)
    claim = claim_item(reviews_as, "ben")
    with reviews_as("ann") as reviews:
        reviews.claims.release_all()
    submit(reviews_as, "ben", claim)


@pytest.mark.parametrize("action", ["submit", "save_draft", "skip", "defer", "release", "heartbeat", "live_claim"])
def test_another_reviewers_claim_is_not_found(
    sqlite: Any, reviews_as: ReviewsAs, create_filled_queue: CreateFilledQueue, action: str
) -> None:
    create_filled_queue("triage", 1)
    claim = claim_item(reviews_as, "ann")
    with pytest.raises(NotFound), reviews_as("ben") as reviews:
        call_action(reviews, action, claim)


@pytest.mark.parametrize("ending", ["skip", "defer", "release"])
@pytest.mark.parametrize("action", ["submit", "save_draft", "skip", "defer", "release", "heartbeat", "live_claim"])
def test_a_claim_that_has_ended_accepts_no_action(
    sqlite: Any, reviews_as: ReviewsAs, create_filled_queue: CreateFilledQueue, ending: str, action: str
) -> None:
    create_filled_queue("triage", 1)
    claim = claim_item(reviews_as, "ann")
    with reviews_as("ann") as reviews:
        getattr(reviews.claims, ending)(claim.id)
    with pytest.raises(Conflict), reviews_as("ann") as reviews:
        call_action(reviews, action, claim)


def test_fewer_slots_refuse_the_claims_that_no_longer_fit(
    database: Any, reviews_as: ReviewsAs, create_filled_queue: CreateFilledQueue
) -> None:
    create_filled_queue("triage", 1, slots=2)
    first, second = claim_item(reviews_as, "ann"), claim_item(reviews_as, "ben")
    with reviews_as("author") as reviews:
        reviews.put_queue("triage", slots=1)
    submit(reviews_as, "ann", first)
    with pytest.raises(Conflict, match="all its decisions"):
        submit(reviews_as, "ben", second)


def test_every_step_is_in_the_audit(
    sqlite: Any, reviews_as: ReviewsAs, create_filled_queue: CreateFilledQueue, unit_as: Any
) -> None:
    create_filled_queue("triage", 2)
    claim = claim_item(reviews_as, "ann")
    with reviews_as("ann") as reviews:
        reviews.claims.skip(claim.id)
    submit(reviews_as, "ann", claim_item(reviews_as, "ann"))
    with unit_as("admin") as unit:
        from promptuary.access import store

        actions = [entry.action for entry in store.list_entries(unit.session, unit.caller.project, None, 50)]
        assert audit.verify_chain(unit.session, unit.caller.project).broken_at is None
    assert actions == ["queue.set", "queue.filled", "item.claimed", "item.skipped", "item.claimed", "item.decided"]


def test_reviewers_at_once_are_never_served_an_item_beyond_its_slots(
    database: Any, reviews_as: ReviewsAs, create_filled_queue: CreateFilledQueue
) -> None:
    create_filled_queue("triage", 12, slots=2)
    names = [f"reviewer-{number}" for number in range(8)]
    start = threading.Barrier(len(names))

    def work(name: str) -> list[str]:
        start.wait()
        mine = []
        while (claim := claim_next(reviews_as, name)) is not None:
            mine.append(claim.item.source)
            submit(reviews_as, name, claim)
        return mine

    with ThreadPoolExecutor(len(names)) as pool:
        served = list(pool.map(work, names))
    assert all(len(set(mine)) == len(mine) for mine in served)
    assert Counter(source for mine in served for source in mine) == {f"item-{number}": 2 for number in range(12)}


def test_one_reviewer_in_many_windows_gets_one_item(
    database: Any, reviews_as: ReviewsAs, create_filled_queue: CreateFilledQueue
) -> None:
    create_filled_queue("triage", 8)
    start = threading.Barrier(8)

    def window(_number: int) -> str:
        start.wait()
        return claim_item(reviews_as, "ann").id

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(window, range(8)))) == 1


def test_a_claim_submitted_from_many_windows_at_once_is_one_decision(
    database: Any, reviews_as: ReviewsAs, create_filled_queue: CreateFilledQueue
) -> None:
    create_filled_queue("triage", 1, slots=3)
    claim = claim_item(reviews_as, "ann")
    start = threading.Barrier(6)

    def window(_number: int) -> bool:
        start.wait()
        try:
            submit(reviews_as, "ann", claim)
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(window, range(6))) == 1
    with reviews_as("author") as reviews:
        assert len(reviews.decisions.decisions("triage", 10, None).items) == 1


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["claim", "beside", "submit", "undo", "save_draft", "skip", "defer", "release", "heartbeat", "wait"]),
        st.sampled_from(["ann", "ben", "cid"]),
    ),
    max_size=40,
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS, slots=st.integers(1, 3), data=st.data())
def test_no_item_has_more_decisions_and_claims_than_slots(
    sqlite: Any,
    reviews_as: ReviewsAs,
    create_filled_queue: CreateFilledQueue,
    clock: Any,
    steps: list[tuple[str, str]],
    slots: int,
    data: Any,
) -> None:
    queue = f"q{uuid4().hex}"  # the database outlives the example, and a small number would come again
    create_filled_queue(queue, 2, slots=slots)
    claims: dict[str, Claim] = {}
    decisions: dict[str, int] = {}
    for action, name in steps:
        if action == "wait":
            clock.move(seconds=200)
            continue
        try:
            with reviews_as(name) as reviews:
                if action == "claim":
                    result = reviews.claims.claim(queue)
                    if result:
                        claims[name] = result.claim
                elif action == "beside" and name in claims:
                    result = reviews.claims.claim(queue, claims[name].id)
                    assert result is None or result.claim.item.id != claims[name].item.id
                elif action == "undo" and name in decisions:
                    claims[name] = reviews.submissions.undo(decisions[name])
                elif action == "submit" and name in claims:
                    decisions[name] = reviews.submit(claims[name].id, claims[name].nonce).id
                elif name in claims and action not in ("beside", "undo", "submit"):
                    call_action(reviews, action, claims[name])
        except Conflict:
            pass  # an ended claim; the invariant below is the claim of this test
        with reviews_as("author") as reviews:
            rows = reviews.decisions.decisions(queue, 100, None).items
            counts = reviews.queues.queue(queue).counts
        decided = Counter(row.item for row in rows)
        assert all(number <= slots for number in decided.values())
        assert len({(row.item, row.reviewer) for row in rows}) == len(rows)
        assert counts.claimed + len(rows) <= counts.items * slots
        assert counts.closed == sum(number == slots for number in decided.values())


def test_a_skipped_queue_still_offers_its_items(
    database: Any, reviews_as: ReviewsAs, create_filled_queue: CreateFilledQueue
) -> None:
    create_filled_queue("triage", 2)
    for _ in range(4):
        claim = claim_item(reviews_as, "ann")
        with reviews_as("ann") as reviews:
            reviews.claims.skip(claim.id)
    assert claim_next(reviews_as, "ann") is not None
